/*
 * A CPU's run queue, as data: queue.h and fair.h say what it means.
 */
#ifndef KERNEL_SCHED_RUN_QUEUE_H
#define KERNEL_SCHED_RUN_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/sched/entity.h"
#include "kernel/sched/tree.h"

#define SCHED_NEVER UINT64_MAX

#define LOAD_TIME_SHIFT 24 /* of ns: 67 ms */
#define LOAD_UNIT       1024ul

struct sched_config {
    uint64_t slice;      /* how long one runs before the next has its turn */
    uint64_t wake_slice; /* the same for the first turn after waking: shorter, so it comes sooner */
    uint64_t cap_grain;  /* tokens that make it worth coming back for */
    uint64_t least_run;  /* one woken by weight alone interrupts no sooner than this */
    uint64_t balance_interval; /* how often a queue with waiters compares itself with others */
    uint64_t balance_horizon;  /* how far ahead it looks; also the most two queues may be apart */
    uint64_t io_budget;        /* I/O threads come first for so long ... */
    uint64_t io_period;        /* ... in each such period */
    uint64_t reservable;       /* of each CPU, I/O server included, in UTILISATION_ONE */
};

/* What current runs on: who pays. */
enum sched_mode {
    SCHED_FAIR,
    SCHED_RESERVED,
    SCHED_IO,
};

/* What other CPUs read of a queue without its lock; each is true of some recent moment, and no
 * decision that must be right rests on them. */
struct queue_summary {
    _Atomic uint64_t virtual_time;
    _Atomic uint64_t at; /* the time of all this */
    _Atomic uint64_t weight;
    _Atomic uint64_t load;
    _Atomic uint64_t reserved_weight;
};

struct sched_machine;

struct run_queue {
    struct sched_machine *machine;
    const struct sched_config *config;
    uint16_t cpu;
    uint32_t topology; /* near CPUs have ids that differ in low bits only, as APIC ids do */

    struct sched_entity *current; /* NULL: idle. Not in the trees, but counted in the sums */
    enum sched_mode mode;
    uint64_t picked_at;
    uint64_t charged_at; /* until when current's time is accounted for */
    uint64_t preempt_at; /* when someone who was woken is to interrupt; SCHED_NEVER */
    bool idle;           /* the last pick found nobody */
    bool yielding;
    struct sched_entity *favoured; /* whom the yield is for, or NULL */

    /* Fair: see fair.h. */
    struct tree fair;
    uint64_t origin;          /* the virtual time that `weighted_sum` counts from */
    int64_t weighted_sum;     /* of weight * (virtual time - origin) over all who compete */
    uint64_t weight;          /* of all who compete */
    uint64_t reserved_weight; /* of those of them that have reservations */
    uint64_t load;            /* mean of that over the last 67 ms or so, * LOAD_UNIT */
    uint64_t load_at;         /* until when */
    uint32_t competing;
    uint64_t axis; /* what to add to this queue's virtual times to compare them with others' */

    uint32_t specials;         /* who is here and `special`; the rest is empty if nobody is */
    struct tree due;           /* by deadline */
    struct tree delayed;       /* by when they come back */
    _Atomic uint64_t reserved; /* utilisation admitted, I/O server's included */

    struct reservation io; /* the I/O server */
    struct io_link io_ready;

    uint64_t balanced_at;
    struct queue_summary summary;

    /* Statistics. */
    uint64_t search_steps; /* tree nodes looked at by fair picks, after the first */
    uint64_t pulled;       /* entities that came from other queues while runnable */
};

/** The load after `weight` has competed for another `ns`. */
static inline uint64_t load_after(uint64_t load, uint64_t weight, uint64_t ns)
{
    uint64_t target = weight * LOAD_UNIT;

    if (ns >> LOAD_TIME_SHIFT != 0) {
        return target;
    }
    return load + (uint64_t)(((int64_t)(target - load) * (int64_t)ns) >> LOAD_TIME_SHIFT);
}

/** A queue's load if `weight` more (or less) had competed all the time. */
static inline uint64_t load_with(const struct run_queue *queue, int64_t weight)
{
    int64_t load = (int64_t)queue->load + weight * (int64_t)LOAD_UNIT;

    return load > 0 ? (uint64_t)load : 0;
}

#endif
