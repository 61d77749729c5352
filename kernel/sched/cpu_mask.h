/*
 * A set of CPUs.
 */
#ifndef KERNEL_SCHED_CPU_MASK_H
#define KERNEL_SCHED_CPU_MASK_H

#include <stdbool.h>
#include <stdint.h>

#define SCHED_CPUS_MAX 256u
#define CPU_MASK_WORDS (SCHED_CPUS_MAX / 64)

struct cpu_mask {
    uint64_t words[CPU_MASK_WORDS];
};

/** The CPUs from 0 to `count` - 1; `count` at most SCHED_CPUS_MAX. */
static inline struct cpu_mask cpu_mask_first(uint32_t count)
{
    struct cpu_mask mask = {{0}};

    for (uint32_t cpu = 0; cpu < count; cpu++) {
        mask.words[cpu / 64] |= 1ul << cpu % 64;
    }
    return mask;
}

static inline struct cpu_mask cpu_mask_of(uint32_t cpu)
{
    struct cpu_mask mask = {{0}};

    mask.words[cpu / 64] = 1ul << cpu % 64;
    return mask;
}

static inline bool cpu_mask_has(const struct cpu_mask *mask, uint32_t cpu)
{
    return (mask->words[cpu / 64] >> cpu % 64 & 1) != 0;
}

/** True if the two sets share a CPU. */
static inline bool cpu_mask_meets(const struct cpu_mask *a, const struct cpu_mask *b)
{
    uint64_t common = 0;

    for (unsigned i = 0; i < CPU_MASK_WORDS; i++) {
        common |= a->words[i] & b->words[i];
    }
    return common != 0;
}

#endif
