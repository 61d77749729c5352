/*
 * time_ns, inline: for where every tick counts.
 */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdint.h>

#include "kernel/boot/boot.h"
#include "kernel/cpu/x86.h"
#include "kernel/time_scale.h"

/* kernel/time.c writes it, once. */
extern struct time_scale clock_scale;

/** time_from_tsc. */
static inline uint64_t clock_from_tsc(uint64_t tsc)
{
    return tsc > boot_tsc ? scale_to_ns(&clock_scale, tsc - boot_tsc) : 0;
}

/** time_ns. */
static inline uint64_t clock_ns(void)
{
    return clock_from_tsc(rdtsc());
}

#endif
