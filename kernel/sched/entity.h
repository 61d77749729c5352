/*
 * What is scheduled: a vCPU or a kernel thread. Its owner embeds this structure.
 */
#ifndef KERNEL_SCHED_ENTITY_H
#define KERNEL_SCHED_ENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/sched/cap.h"
#include "kernel/sched/cpu_mask.h"
#include "kernel/sched/reservation.h"
#include "kernel/sched/tree.h"

#define SCHED_WEIGHT_MIN     1u
#define SCHED_WEIGHT_DEFAULT 100u
#define SCHED_WEIGHT_MAX     10000u

#define SCHED_INVERSE_SHIFT 52

enum sched_state {
    SCHED_BLOCKED, /* on no queue */
    SCHED_READY,   /* on the queue of `cpu`, waiting */
    SCHED_RUNNING, /* the `current` of the queue of `cpu` */
};

/* Which of a queue's time-ordered trees an entity is in. */
enum sched_timed {
    SCHED_UNTIMED,
    SCHED_DUE,     /* its reservation has budget: ordered by deadline */
    SCHED_DELAYED, /* something of it comes back later: ordered by when */
};

struct io_link {
    struct io_link *next;
    struct io_link *previous;
};

/* Settings and state; written by the functions of policy.h and balance.h only. */
struct sched_entity {
    enum sched_state state;
    uint16_t cpu; /* whose queue it is on or was on last; the home of its reservation. Changed under
                     that queue's lock; to find the lock it is read without, atomically */

    /* Settings. */
    bool io; /* a kernel thread that moves I/O */
    uint32_t weight;
    uint64_t inverse_weight; /* 2^SCHED_INVERSE_SHIFT / weight: a product instead of a quotient */
    struct cpu_mask allowed;
    struct sched_cap *cap; /* NULL: none */
    struct reservation reservation;
    bool special; /* has any of io, cap and reservation */

    /* Sharing by weight. While it is on a queue, `fair.value` is its virtual time, and while it
     * competes `fair.key` its virtual deadline; while it is blocked, it has `lag`. */
    bool competes; /* on a queue, and not throttled */
    bool fresh;    /* has not run since it was woken */
    struct tree_node fair;
    int64_t lag; /* ns of CPU time it is owed; negative: owes */

    /* Its cap. */
    bool throttled;     /* waits for tokens */
    int64_t grant;      /* ns of tokens in hand (or booked, if throttled) */
    uint64_t resume_at; /* if throttled: when they are there */

    enum sched_timed timed;
    struct tree_node time;
    struct io_link io_link; /* in the queue's list while ready, if `io` */

    /* Statistics. */
    uint64_t run_time; /* ns, ever */
    uint64_t migrations;
};

static inline void entity_set_weight(struct sched_entity *entity, uint32_t weight)
{
    entity->weight = weight;
    entity->inverse_weight = (1ul << SCHED_INVERSE_SHIFT) / weight;
}

#endif
