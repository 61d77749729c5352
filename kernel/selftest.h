/*
 * Faults on request, for boot tests of the kernel's own protections.
 */
#ifndef KERNEL_SELFTEST_H
#define KERNEL_SELFTEST_H

/** Does what the kernel command line's `selftest=` asks for; nothing without it. */
void selftest_run(void);

#endif
