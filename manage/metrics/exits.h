/*
 * How long exits took: from the counts by powers of two of ticks to a histogram in seconds. Pure.
 */
#ifndef MANAGE_METRICS_EXITS_H
#define MANAGE_METRICS_EXITS_H

#include <stdint.h>

#include "guest/vm_statistics.h"

/* Upper bounds in ns: the same on every machine, however fast its TSC, so that what comes from
 * several can be added up. */
#define EXITS_BOUNDS 11u
extern const uint64_t exits_bounds[EXITS_BOUNDS];

struct exits_histogram {
    uint64_t below[EXITS_BOUNDS]; /* exits that are known to have taken no longer */
    uint64_t sum;                 /* ns, as if those of each power of two lay in its middle */
};

void exits_histogram(const struct exit_statistics *exits, uint64_t tsc_hz,
                     struct exits_histogram *histogram);

#endif
