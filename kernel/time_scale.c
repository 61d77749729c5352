#include "kernel/time_scale.h"

#define NS_PER_SECOND UINT64_C(1000000000)

struct time_scale time_scale_of(uint64_t hz)
{
    struct time_scale scale = {0};

    if (hz) {
        scale.ns_per_tick = (NS_PER_SECOND << 32) / hz;
        scale.ticks_per_ns =
            (hz / NS_PER_SECOND << 32) + (hz % NS_PER_SECOND << 32) / NS_PER_SECOND;
    }
    return scale;
}

void line_fit_add(struct line_fit *fit, uint64_t x, uint64_t y)
{
    fit->count++;
    fit->x += x;
    fit->y += y;
    fit->xx += (unsigned __int128)x * x;
    fit->xy += (unsigned __int128)x * y;
}

/* numerator / denominator without the 128-bit division of a compiler library: both are brought to
 * where they fit 64 bits, the quotient to 32 fraction bits. */
static uint64_t divide(unsigned __int128 numerator, unsigned __int128 denominator, uint64_t scale)
{
    uint64_t quotient = 0;
    uint64_t n;
    uint64_t d;

    while (denominator >> 40 || numerator >> 63) {
        numerator >>= 1;
        denominator >>= 1;
    }
    n = (uint64_t)numerator;
    d = (uint64_t)denominator;
    if (d == 0) {
        return 0;
    }
    quotient = n / d * scale;
    /* The remainder is below 2^40, and scale below 2^24 or so: no overflow. */
    return quotient + (n % d * scale + d / 2) / d;
}

uint64_t line_fit_hz(const struct line_fit *fit, uint64_t reference_hz)
{
    unsigned __int128 n = fit->count;
    unsigned __int128 xx = n * fit->xx;
    unsigned __int128 x_squared = (unsigned __int128)fit->x * fit->x;
    unsigned __int128 xy = n * fit->xy;
    unsigned __int128 x_times_y = (unsigned __int128)fit->x * fit->y;

    if (xx <= x_squared || xy <= x_times_y) {
        return 0;
    }
    return divide(xy - x_times_y, xx - x_squared, reference_hz);
}

uint64_t choose_tsc_hz(uint64_t measured_hz, uint32_t denominator, uint32_t numerator,
                       uint32_t crystal_hz)
{
    uint64_t stated;
    uint64_t difference;

    if (denominator == 0 || numerator == 0 || crystal_hz == 0) {
        return measured_hz;
    }
    stated = (uint64_t)crystal_hz * numerator / denominator;
    difference = stated > measured_hz ? stated - measured_hz : measured_hz - stated;
    return difference <= measured_hz / 200 ? stated : measured_hz;
}
