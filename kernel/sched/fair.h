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
 * credit never more than FAIR_CREDIT_SLICES 16slices.
 *
 * Units: virtual time is in ns * 2^FAIR_SHIFT / weight, and wraps.
 */
#ifndef KERNEL_SCHED_FAIR_H
#define KERNEL_SCHED_FAIR_H

#include <stddef.h>

#include "kernel/sched/queue.h"

#define FAIR_SHIFT         20
#define FAIR_CREDIT_SLICES 16

/** Virtual time that `ns` of CPU time make at `weight`. */
static inline uint64_t fair_virtual(uint64_t ns, uint64_t weight)
{
    if (ns >> (63 - FAIR_SHIFT) == 0) {
        return (ns << FAIR_SHIFT) / weight;
    }
    /* Hours: in two parts. */
    return ((ns / weight) << FAIR_SHIFT) + ((ns % weight) << FAIR_SHIFT) / weight;
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

/** True if one who competes may be picked. Exact, without a division. O(1). */
bool fair_eligible(const struct run_queue *queue, uint64_t virtual_time);

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

/** `ns` have been run by an entity of the queue that is not in the tree. O(1). */
void fair_charge(struct run_queue *queue, struct sched_entity *entity, uint64_t ns);

/** Lowers a debt that is beyond the limit, which only running before one's turn (on a budget)
 * makes. Not in the tree. O(1). */
void fair_limit_debt(struct run_queue *queue, struct sched_entity *entity);

/** What is left of its request, in ns; 0 if it has run all. O(1). */
uint64_t fair_request_left(const struct sched_entity *entity);

/** Sets the request; not in the tree. O(1). */
void fair_set_request(struct sched_entity *entity, uint64_t request);

/** Changes the weight of an entity of the queue that is not in the tree: lag and request stay as
 * they are, in ns. O(1). */
void fair_set_weight(struct run_queue *queue, struct sched_entity *entity, uint32_t weight);

/** Moves one who competes to another queue, where it competes at the same time on the machine's
 * axis, as far as the limits of lag allow: it is owed there what it was owed here, and what the
 * whole queue here was behind. In neither tree. O(1). */
void fair_move(struct run_queue *from, struct run_queue *to, struct sched_entity *entity);

/** The eligible one in the tree with the earliest deadline; NULL if there is none. O(log n), mostly
 * O(1). */
struct sched_entity *fair_first(struct run_queue *queue);

#endif
