/*
 * Compares the TSCs of two CPUs: one asks, the other answers with its TSC; what the answer says and
 * the middle of the time it took differ by how far the two are apart, give or take half that time.
 */
#ifndef KERNEL_TSC_COMPARE_H
#define KERNEL_TSC_COMPARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TSC_COMPARE_ROUNDS 32u

struct tsc_comparison {
    atomic_uint question; /* number of the round, from 1; the last ends the comparison */
    atomic_uint answered;
    uint64_t answer;
};

struct tsc_difference {
    int64_t ahead;        /* ticks by which the one who answers is ahead */
    uint64_t uncertainty; /* ticks, either way */
};

/** Takes one question and answer into account: asked at `before`, answered `answer`, back at
 * `after`. The shortest so far says most. `*difference` begins with an uncertainty of UINT64_MAX.
 */
void tsc_difference_add(struct tsc_difference *difference, uint64_t before, uint64_t answer,
                        uint64_t after);

/** Nothing says that the two differ. */
bool tsc_in_step(const struct tsc_difference *difference);

/** Asks; another CPU is in tsc_compare_answer or comes there. */
void tsc_compare(struct tsc_comparison *comparison, struct tsc_difference *difference);
/** Answers until the other has asked all. */
void tsc_compare_answer(struct tsc_comparison *comparison);

#endif
