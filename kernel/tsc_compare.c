#include "kernel/tsc_compare.h"

#include "kernel/cpu/x86.h"

void tsc_difference_add(struct tsc_difference *difference, uint64_t before, uint64_t answer,
                        uint64_t after)
{
    uint64_t uncertainty = (after - before + 1) / 2;

    if (uncertainty < difference->uncertainty) {
        difference->uncertainty = uncertainty;
        difference->ahead = (int64_t)(answer - (before + (after - before) / 2));
    }
}

bool tsc_in_step(const struct tsc_difference *difference)
{
    uint64_t distance = (uint64_t)(difference->ahead < 0 ? -difference->ahead : difference->ahead);

    return distance <= difference->uncertainty;
}

void tsc_compare(struct tsc_comparison *comparison, struct tsc_difference *difference)
{
    *difference = (struct tsc_difference){.uncertainty = UINT64_MAX};
    for (unsigned round = 1; round <= TSC_COMPARE_ROUNDS; round++) {
        uint64_t before = rdtsc();
        uint64_t after;

        atomic_store(&comparison->question, round);
        while (atomic_load(&comparison->answered) != round) {
            pause();
        }
        after = rdtsc();
        tsc_difference_add(difference, before, comparison->answer, after);
    }
    /* For the next pair. The other has left: it does not look again after its last answer. */
    atomic_store(&comparison->question, 0);
    atomic_store(&comparison->answered, 0);
}

void tsc_compare_answer(struct tsc_comparison *comparison)
{
    for (unsigned round = 1; round <= TSC_COMPARE_ROUNDS; round++) {
        while (atomic_load(&comparison->question) != round) {
            pause();
        }
        comparison->answer = rdtsc();
        atomic_store(&comparison->answered, round);
    }
}
