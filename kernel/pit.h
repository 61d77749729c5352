/*
 * The 8254's channel 2, which interrupts nobody: a counter of known rate for calibration.
 */
#ifndef KERNEL_PIT_H
#define KERNEL_PIT_H

#include <stdint.h>

#define PIT_HZ   UINT64_C(1193182)
#define PIT_MASK 0xffffu

/** Lets channel 2 count round and round, with the speaker off. */
void pit_start(void);

/** Ticks counted, modulo 2^16 (upwards). */
uint32_t pit_count(void);

/** Stops it. */
void pit_stop(void);

#endif
