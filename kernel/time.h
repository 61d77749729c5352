/*
 * Time: the TSC, calibrated at boot against the ACPI PM timer or the 8254, is the clock; the local
 * APIC's timer (TSC deadline where present) is the alarm, one-shot.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include <stdint.h>

#define TIME_NEVER UINT64_MAX

/** Measures the TSC and reads the CMOS clock; takes about 4 ms. After acpi_init. Until then all
 * times are 0. */
void time_init(void);

/** TSC ticks per second, as measured. */
uint64_t tsc_hz(void);
/** TSC ticks per millisecond, rounded down. */
uint64_t tsc_khz(void);
/** Nanoseconds since boot; monotonic, any context. */
uint64_t time_ns(void);
/** Nanoseconds since boot of a TSC value. */
uint64_t time_from_tsc(uint64_t tsc);
/** TSC value at `ns` nanoseconds since boot. */
uint64_t tsc_from_ns(uint64_t ns);
/** TSC ticks in `ns` nanoseconds (rounded up). */
uint64_t ticks_from_ns(uint64_t ns);
/** Seconds since 1970-01-01 UTC when the kernel booted, from the CMOS clock until somebody has set
 * it; 0 if that is unreadable. */
uint64_t boot_wall_clock(void);
/** Nanoseconds since 1970-01-01 UTC; since boot if no clock has told the date. Any context. */
uint64_t wall_clock_ns(void);
/** Sets it; `ns` since 1970-01-01 UTC, later than the boot. Any context. */
void wall_clock_set(uint64_t ns);

/**
 * Sets this CPU's alarm: an interrupt will come at or shortly after `deadline` (ns since boot); a
 * deadline in the past fires at once; TIME_NEVER cancels. The interrupt by itself ends a
 * HLT or a stay in a guest, and tells the scheduler (thread_alarm): whoever waits looks at the
 * clock. Interrupts off.
 */
void alarm_set(uint64_t deadline);

#endif
