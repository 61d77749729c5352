/*
 * A CPU's run queue: what can run there, in three classes.
 *
 *   due: entities whose reservation has budget, and the CPU's I/O server, earliest deadline first;
 *   fair: everything else that can run, by weight (fair.h);
 *   delayed: out of tokens or of budget, and back at a known time.
 *
 * An entity with a reservation is in the fair tree as well: a reservation is a floor under its
 * share, not an addition to it, so what it runs on its budget counts against its share. Likewise
 * for I/O threads: while the I/O server has budget they come first, beyond it they are like
 * everything else.
 *
 * Everything in this directory is called with the lock of the queue held that it is given (with
 * both locks, for two queues), unless it says otherwise; no function takes a lock itself. Times
 * are ns since boot and never go backwards on a queue.
 */
#ifndef KERNEL_SCHED_QUEUE_H
#define KERNEL_SCHED_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/sched/fair.h"
#include "kernel/sched/run_queue.h"

/** True if somebody competes here and does not run. No lock needed. */
static inline bool queue_has_waiters(const struct run_queue *queue)
{
    return __atomic_load_n(&queue->fair.first, __ATOMIC_RELAXED) != NULL;
}

/** Brings the load up to when the queue was last charged; for before the weight changes. O(1). */
static inline void queue_update_load(struct run_queue *queue)
{
    queue->load = load_after(queue->load, queue->weight, queue->charged_at - queue->load_at);
    queue->load_at = queue->charged_at;
}

/** queue_charge where somebody is special: `ns` of current's time. */
void queue_charge_special(struct run_queue *queue, struct sched_entity *current, uint64_t ns);

/** queue_charge where there is a current, and nobody is special. O(1). */
static inline void queue_charge_by_weight(struct run_queue *queue, struct sched_entity *current,
                                          uint64_t now)
{
    int64_t passed = (int64_t)(now - queue->charged_at);

    if (passed > 0) {
        queue->charged_at = now;
        current->run_time += (uint64_t)passed;
        fair_charge(queue, current, (uint64_t)passed);
    }
}

/** Accounts for current's time up to `now`. O(1). */
static inline void queue_charge(struct run_queue *queue, uint64_t now)
{
    struct sched_entity *current = queue->current;
    int64_t passed = (int64_t)(now - queue->charged_at);

    if (passed <= 0) {
        return; /* whoever asks is another CPU, whose clock is a little behind */
    }
    queue->charged_at = now;
    if (!current) {
        return;
    }
    current->run_time += (uint64_t)passed;
    if (queue->specials != 0) {
        queue_charge_special(queue, current, (uint64_t)passed);
    } else {
        fair_charge(queue, current, (uint64_t)passed);
    }
}

/** An entity comes to the queue, ready: links it, and wakes the I/O server if it is for that.
 * O(log n). */
void queue_arrive(struct run_queue *queue, struct sched_entity *entity, uint64_t now);

/** An entity that is not linked leaves the queue. O(1). */
static inline void queue_depart(struct run_queue *queue, const struct sched_entity *entity)
{
    queue->specials -= entity->special;
}

/** Gives a special entity that is not linked what has come back to it by `now` (budget, tokens), or
 * takes it out of the competition if it has no tokens. O(1). */
void queue_refresh(struct run_queue *queue, struct sched_entity *entity, uint64_t now);

/** What queue_link and queue_unlink do for a special entity besides. O(log n). */
void queue_link_special(struct run_queue *queue, struct sched_entity *entity);
void queue_unlink_special(struct run_queue *queue, struct sched_entity *entity);

/** Puts a ready entity where it belongs: among those who compete, are due, or are delayed. O(log
 * n).
 */
static inline void queue_link(struct run_queue *queue, struct sched_entity *entity)
{
    if (entity->competes) {
        tree_insert(&queue->fair, &entity->fair);
    }
    if (entity->special) {
        queue_link_special(queue, entity);
    }
}

/** The opposite, for one that is to run, move or block: it stays counted as competing. O(log n). */
static inline void queue_unlink(struct run_queue *queue, struct sched_entity *entity)
{
    if (entity->competes) {
        tree_remove(&queue->fair, &entity->fair);
    }
    if (entity->special) {
        queue_unlink_special(queue, entity);
    }
}

/** Lets everything come back whose time has come. O(log n) for each. */
void queue_advance(struct run_queue *queue, uint64_t now);

/** Writes the virtual time and the load into the summary; what else is there is always up to date.
 * O(1). */
void queue_publish(struct run_queue *queue);

/** The same, but only once in a slice: the others know how to extrapolate. */
static inline void queue_publish_sometimes(struct run_queue *queue)
{
    uint64_t at = atomic_load_explicit(&queue->summary.at, memory_order_relaxed);

    if (queue->charged_at - at >= queue->config->slice) {
        queue_publish(queue);
    }
}

static inline bool queue_io_waits(const struct run_queue *queue)
{
    return queue->io_ready.next != &queue->io_ready;
}

#endif
