#include "manage/metrics/exits.h"

#define NS_PER_SECOND UINT64_C(1000000000)

const uint64_t exits_bounds[EXITS_BOUNDS] = {500,   1000,   2000,   4000,    8000,    16000,
                                             32000, 100000, 500000, 1000000, 10000000};

static uint64_t ns_from_ticks(uint64_t ticks, uint64_t tsc_hz)
{
    return ticks / tsc_hz * NS_PER_SECOND + ticks % tsc_hz * NS_PER_SECOND / tsc_hz;
}

void exits_histogram(const struct exit_statistics *exits, uint64_t tsc_hz,
                     struct exits_histogram *histogram)
{
    *histogram = (struct exits_histogram){0};
    for (unsigned power = 0; power < VIRT_TICKS_BUCKETS; power++) {
        uint64_t count = exits->ticks_log2[power];
        uint64_t most = ns_from_ticks(UINT64_C(2) << power, tsc_hz);

        /* The last has no upper end. */
        for (unsigned i = EXITS_BOUNDS; i-- > 0 && power < VIRT_TICKS_BUCKETS - 1;) {
            if (most > exits_bounds[i]) {
                break;
            }
            histogram->below[i] += count;
        }
        histogram->sum += ns_from_ticks((UINT64_C(3) << power) / 2 * count, tsc_hz);
    }
}
