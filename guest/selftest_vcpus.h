/*
 * `selftest=vcpus`: what it takes from one vCPU to another one of the same CPU.
 */
#ifndef GUEST_SELFTEST_VCPUS_H
#define GUEST_SELFTEST_VCPUS_H

/** Does it if the kernel's command line asks for it; a line of the log tells the result once
 * threads run. Where guests can run. */
void selftest_vcpus(void);

#endif
