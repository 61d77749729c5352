/*
 * Who is next by weight, inline: on the way of every switch of a machine whose VMs are described
 * plainly. Where nobody is special all who are on a queue compete, and no time comes but the ends
 * of requests.
 */
#ifndef KERNEL_SCHED_PICK_H
#define KERNEL_SCHED_PICK_H

#include "kernel/sched/balance.h"
#include "kernel/sched/entity.h"
#include "kernel/sched/queue.h"

/** True if `a` is to run before `b`, both of whom compete and neither of whom is urgent. */
static inline bool pick_precedes(const struct run_queue *queue, const struct sched_entity *a,
                                 const struct sched_entity *b)
{
    return fair_eligible(queue, a->fair.value) && time_before(a->fair.key, b->fair.key);
}

/** Current, which competes, begins its next request if it has run the last. Who has a cap asks for
 * little at a time: it has its turn more often, and the bucket does not overflow while it waits for
 * it. */
static inline void pick_renew_request(const struct run_queue *queue, struct sched_entity *current,
                                      bool yielding)
{
    const struct sched_config *config = queue->config;

    if (yielding) {
        /* As if it had just had its turn. Counted from where it is, not from its deadline: many
         * yields are no worse than one. */
        fair_set_request(current, 2 * config->slice);
    } else if (!time_before(current->fair.value, current->fair.key)) {
        fair_set_request(current, current->cap ? config->cap_grain : config->slice);
    }
}

/** `entity` runs from `now` on, by its weight. */
static inline void pick_start(struct run_queue *queue, struct sched_entity *entity, uint64_t now)
{
    entity->state = SCHED_RUNNING;
    entity->fresh = false;
    queue->mode = SCHED_FAIR;
    queue->picked_at = now;
    queue->current = entity;
    queue->preempt_at = SCHED_NEVER;
    queue->yielding = false;
}

/** Somebody runs on the CPU from now on, which may have been idle. */
static inline void pick_end_idle(struct run_queue *queue)
{
    if (queue->idle) {
        queue->idle = false;
        balance_end_idle(queue);
    }
}

/** The eligible one with the earliest deadline; `first`, whose that is of all, is in the tree. NULL
 * if there is none, which cannot be where nobody is current. */
static inline struct sched_entity *pick_eligible(struct run_queue *queue,
                                                 const struct tree_node *first)
{
    return fair_eligible(queue, first->value) ? fair_entity(first) : fair_search(queue);
}

/** sched_pick in all its cases. */
struct sched_entity *pick_among_classes(struct run_queue *queue, uint64_t now, uint64_t *event);

/** Who is to run from `now` on, which becomes current; NULL: nobody. *event: when to pick again if
 * nothing happens before, as sched_next_event says. O(log n). */
__attribute__((always_inline)) static inline struct sched_entity *sched_pick_until(
    struct run_queue *queue, uint64_t now, uint64_t *event)
{
    struct sched_entity *previous = queue->current;
    const struct tree_node *first = queue->fair.first;
    bool yielding = queue->yielding;
    struct sched_entity *next;

    if (queue->specials != 0 || !first || queue->favoured) {
        return pick_among_classes(queue, now, event);
    }
    if (previous) {
        queue_charge_by_weight(queue, previous, now);
        pick_renew_request(queue, previous, yielding);
        next = pick_eligible(queue, first);
        if (!next || (!yielding && pick_precedes(queue, previous, next))) {
            next = previous;
        } else {
            previous->state = SCHED_READY;
            tree_exchange(&queue->fair, &next->fair, &previous->fair);
        }
        pick_start(queue, next, now);
        /* Somebody waits for it to have run its request. */
        *event = queue->charged_at + fair_request_left(next);
    } else {
        queue_charge(queue, now);
        next = pick_eligible(queue, first);
        tree_remove(&queue->fair, &next->fair);
        pick_start(queue, next, now);
        *event = queue->fair.first ? queue->charged_at + fair_request_left(next) : SCHED_NEVER;
        pick_end_idle(queue);
    }
    if (queue->machine->cpus > 1) {
        queue_publish_sometimes(queue);
    }
    return next;
}

#endif
