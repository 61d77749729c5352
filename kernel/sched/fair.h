/*
 * Sharing by weight: earliest eligible virtual deadline first (EEVDF; Stoica and Abdel-Wahab,
 * 1995), on a virtual time that is one for the machine.
 *
 * An entity's virtual time v advances by what it ran / its weight. The queue's virtual time V is
 * the mean of those who compete, by weight; lag = weight * (V - v) is the CPU time an entity is
 * owed. The lags of a queue add up to 0. An entity whose lag is not negative is eligible; of the
 * eligible the one with the earliest virtual deadline, v at the start of its request plus request /
 * weight, runs.
 *
 * Whoever stops competing takes the lag along and gets the same lag when it comes back: debts are
 * not forgiven by sleeping, nor credit earned. A debt is never more than a slice and a budget, a
 * credit never more than FAIR_CREDIT_SLICES
 * slices.
 *
 * Units: virtual time is in ns * 2^FAIR_SHIFT / weight, and wraps.
 */
#ifndef KERNEL_SCHED_FAIR_H
#define KERNEL_SCHED_FAIR_H

#include <stddef.h>

#include "kernel/sched/run_queue.h"

#define FAIR_SHIFT         20
#define FAIR_CREDIT_SLICES 16

/* Beyond this the sums' origin follows the virtual time, so that they never overflow. */
#define FAIR_SUM_LIMIT (1l << 56)

/** Virtual time that `ns` of CPU time make for the entity. */
static inline uint64_t fair_virtual(const struct sched_entity *entity, uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * entity->inverse_weight >>
                      (SCHED_INVERSE_SHIFT - FAIR_SHIFT));
}

/** Whose node in a fair tree it is. */
static inline struct sched_entity *fair_entity(const struct tree_node *node)
{
    return (struct sched_entity *)((uintptr_t)node - offsetof(struct sched_entity, fair));
}

/** V, on the queue's own axis; where it last was when nobody competes. O(1). */
uint64_t fair_virtual_time(const struct run_queue *queue);

/** V on the machine's axis. O(1). */
static inline uint64_t fair_machine_time(const struct run_queue *queue)
{
    return fair_virtual_time(queue) + queue->axis;
}

/** Lag of an entity of the queue. O(1). */
int64_t fair_lag(const struct run_queue *queue, const struct sched_entity *entity);

/** True if one who competes may be picked: v <= V, both multiplied by the weight of all, which is
 * exact and needs no division. O(1). */
static inline bool fair_eligible(const struct run_queue *queue, uint64_t virtual_time)
{
    return (__int128)(int64_t)(virtual_time - queue->origin) * (int64_t)queue->weight <=
           queue->weighted_sum;
}

/** Lets an entity that was blocked compete, with its `lag` (made to fit the limits) and a request
 * of `request` ns. It is not in the tree yet. O(1). */
void fair_join(struct run_queue *queue, struct sched_entity *entity, uint64_t request);

/** It blocks: keeps its lag. It is not in the tree any more. O(1). */
void fair_leave(struct run_queue *queue, struct sched_entity *entity);

/** It has no tokens: it does not compete, but its virtual time stays in place while the queue's
 * goes on, so that its share accrues (within the limits of lag). Whether it competed before or was
 * blocked. Not in the tree. O(1). */
void fair_pause(struct run_queue *queue, struct sched_entity *entity);

/** It has tokens again. It is not in the tree yet. O(1). */
void fair_resume(struct run_queue *queue, struct sched_entity *entity, uint64_t request);

/** Moves the origin of the sums to the virtual time. O(1). */
void fair_follow(struct run_queue *queue);

/** `ns` have been run by one who competes and is not in the tree. O(1). */
static inline void fair_charge(struct run_queue *queue, struct sched_entity *entity, uint64_t ns)
{
    uint64_t virtual_ns = fair_virtual(entity, ns);

    entity->fair.value += virtual_ns;
    if (queue->competing == 1) {
        queue->origin = entity->fair.value;
        queue->weighted_sum = 0;
        return;
    }
    queue->weighted_sum += (int64_t)(virtual_ns * entity->weight);
    if (queue->weighted_sum > FAIR_SUM_LIMIT) {
        fair_follow(queue);
    }
}

/** Lowers a debt that is beyond the limit, which only running before one's turn (on a budget)
 * makes. Not in the tree. O(1). */
void fair_limit_debt(struct run_queue *queue, struct sched_entity *entity);

/** What is left of its request, in ns; 0 if it has run all. O(1). */
static inline uint64_t fair_request_left(const struct sched_entity *entity)
{
    int64_t left = (int64_t)(entity->fair.key - entity->fair.value);

    if (left <= 0) {
        return 0;
    }
    /* Rounded up: who has run that has run all. */
    return ((uint64_t)left * entity->weight + (1ul << FAIR_SHIFT) - 1) >> FAIR_SHIFT;
}

/** Sets the request; not in the tree. O(1). */
static inline void fair_set_request(struct sched_entity *entity, uint64_t request)
{
    entity->fair.key = entity->fair.value + fair_virtual(entity, request);
}

/** Changes the weight of an entity of the queue that is not in the tree: lag and request stay as
 * they are, in ns. O(1). */
void fair_set_weight(struct run_queue *queue, struct sched_entity *entity, uint32_t weight);

/** Moves one who competes to another queue, where it competes at the same time on the machine's
 * axis, as far as the limits of lag allow: it is owed there what it was owed here, and what the
 * whole queue here was behind. In neither tree. O(1). */
void fair_move(struct run_queue *from, struct run_queue *to, struct sched_entity *entity);

/** The same as fair_first, if the first by deadline is not eligible. O(log n). */
struct sched_entity *fair_search(struct run_queue *queue);

/** The eligible one in the tree with the earliest deadline; NULL if there is none. O(log n), mostly
 * O(1). */
static inline struct sched_entity *fair_first(struct run_queue *queue)
{
    struct tree_node *first = queue->fair.first;

    if (!first) {
        return NULL;
    }
    return fair_eligible(queue, first->value) ? fair_entity(first) : fair_search(queue);
}

#endif
