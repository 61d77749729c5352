/*
 * Turning the machine off, and starting it again.
 */
#ifndef KERNEL_POWER_H
#define KERNEL_POWER_H

/** Flushes the log and powers off by ACPI; where that does nothing (or there is no ACPI) by the
 * ways of known emulators; at last says that power can be switched off, and halts. The other CPUs
 * are stopped. */
_Noreturn void power_off(void);

/** Flushes the log and resets the machine: ACPI reset register, chipset, keyboard controller,
 * triple fault. */
_Noreturn void power_reset(void);

#endif
