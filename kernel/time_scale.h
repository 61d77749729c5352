/*
 * Converting between TSC ticks and nanoseconds, and finding out the TSC's rate from samples against
 * a counter whose rate is known. Pure.
 */
#ifndef KERNEL_TIME_SCALE_H
#define KERNEL_TIME_SCALE_H

#include <stdint.h>

/* Factors in 32.32 fixed point. All zero: not known yet, then everything converts to 0. */
struct time_scale {
    uint64_t ns_per_tick;
    uint64_t ticks_per_ns;
};

struct time_scale time_scale_of(uint64_t hz);

/** Nanoseconds of `ticks`, rounded down; right for 584 years. */
static inline uint64_t scale_to_ns(const struct time_scale *scale, uint64_t ticks)
{
    return (uint64_t)((unsigned __int128)ticks * scale->ns_per_tick >> 32);
}

/** Ticks of `ns`, rounded up, UINT64_MAX if they are more than that. */
static inline uint64_t scale_to_ticks(const struct time_scale *scale, uint64_t ns)
{
    unsigned __int128 product = (unsigned __int128)ns * scale->ticks_per_ns + UINT32_MAX;

    return product >> 96 ? UINT64_MAX : (uint64_t)(product >> 32);
}

/*
 * A line through samples (x: ticks of the reference counter, y: TSC ticks), by least squares: the
 * reference's steps and the time its reading takes are many TSC ticks, so that a line through
 * thousands of samples is some ten times better than the same time measured from end to end.
 * x and y count from the first sample: x at most 2^22, y at most 2^38.
 */
struct line_fit {
    uint64_t count;
    uint64_t x;
    uint64_t y;
    unsigned __int128 xx;
    unsigned __int128 xy;
};

void line_fit_add(struct line_fit *fit, uint64_t x, uint64_t y);

/** TSC ticks per second when the reference makes `reference_hz`; 0 if the samples say nothing. */
uint64_t line_fit_hz(const struct line_fit *fit, uint64_t reference_hz);

/**
 * The rate that CPUID leaf 15H states (SDM vol. 3, 19.7.3), taken instead of the measured one when
 * it is complete and within 0.5 % of it: it is exact on machines that mean it, and nonsense on
 * some emulators.
 */
uint64_t choose_tsc_hz(uint64_t measured_hz, uint32_t denominator, uint32_t numerator,
                       uint32_t crystal_hz);

#endif
