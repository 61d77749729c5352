#include "kernel/sched/queue.h"

#include <stddef.h>

#include "kernel/sched/fair.h"

void queue_charge_special(struct run_queue *queue, struct sched_entity *entity, uint64_t ns)
{
    if (entity->competes) {
        fair_charge(queue, entity, ns);
    } else {
        entity->fair.value += fair_virtual(entity, ns);
    }
    if (entity->cap && queue->mode == SCHED_RESERVED) {
        /* What is reserved is not held up, but it counts. */
        (void)cap_book(entity->cap, queue->charged_at, ns);
    } else if (entity->cap) {
        entity->grant -= (int64_t)ns;
    }
    if (queue->mode == SCHED_RESERVED) {
        entity->reservation.remaining -= (int64_t)ns;
    } else if (queue->mode == SCHED_IO) {
        queue->io.remaining -= (int64_t)ns;
    }
    if (queue->mode != SCHED_FAIR && entity->competes) {
        fair_limit_debt(queue, entity);
    }
}

/* Gives tokens beyond the small grant back, or gets that grant, or is throttled until it is there.
 */
static void settle_cap(struct run_queue *queue, struct sched_entity *entity, uint64_t now)
{
    const struct sched_config *config = queue->config;
    int64_t grain = (int64_t)config->cap_grain;

    if (entity->throttled) {
        if (now < entity->resume_at) {
            return;
        }
        entity->throttled = false;
    }
    if (entity->grant > grain) {
        cap_return(entity->cap, (uint64_t)(entity->grant - grain));
        entity->grant = grain;
    }
    if (entity->grant > 0) {
        return;
    }

    uint64_t needed = (uint64_t)(grain - entity->grant);

    entity->grant = grain;
    if (cap_take(entity->cap, now, needed, needed) == 0) {
        entity->resume_at = cap_book(entity->cap, now, needed);
        entity->throttled = true;
    }
}

static void io_append(struct run_queue *queue, struct sched_entity *entity)
{
    struct io_link *link = &entity->io_link;

    link->next = &queue->io_ready;
    link->previous = queue->io_ready.previous;
    link->previous->next = link;
    link->next->previous = link;
}

static void io_remove(struct sched_entity *entity)
{
    entity->io_link.previous->next = entity->io_link.next;
    entity->io_link.next->previous = entity->io_link.previous;
}

/* Into the tree by deadline if it has reserved time, or else by when it gets something back. */
static void link_timed(struct run_queue *queue, struct sched_entity *entity)
{
    const struct reservation *reservation = &entity->reservation;
    bool reserved = reservation_exists(reservation);
    uint64_t key = entity->throttled ? entity->resume_at : SCHED_NEVER;

    if (reserved && reservation_ready(reservation)) {
        entity->timed = SCHED_DUE;
        entity->time.key = reservation->deadline;
        entity->time.value = 0;
        tree_insert(&queue->due, &entity->time);
        return;
    }
    if (reserved && reservation->deadline < key) {
        key = reservation->deadline;
    }
    if (key == SCHED_NEVER) {
        entity->timed = SCHED_UNTIMED;
        return;
    }
    entity->timed = SCHED_DELAYED;
    entity->time.key = key;
    entity->time.value = 0;
    tree_insert(&queue->delayed, &entity->time);
}

void queue_refresh(struct run_queue *queue, struct sched_entity *entity, uint64_t now)
{
    bool paused = entity->throttled;

    if (reservation_exists(&entity->reservation) && !reservation_ready(&entity->reservation)) {
        reservation_replenish(&entity->reservation, now);
    }
    if (entity->cap) {
        settle_cap(queue, entity, now);
    }
    if (entity->throttled && !paused) {
        fair_pause(queue, entity);
    } else if (!entity->throttled && paused) {
        fair_resume(queue, entity, queue->config->cap_grain);
    }
}

void queue_link_special(struct run_queue *queue, struct sched_entity *entity)
{
    if (entity->throttled || reservation_exists(&entity->reservation)) {
        link_timed(queue, entity);
    }
    if (entity->io) {
        io_append(queue, entity);
    }
}

void queue_unlink_special(struct run_queue *queue, struct sched_entity *entity)
{
    if (entity->timed != SCHED_UNTIMED) {
        tree_remove(entity->timed == SCHED_DUE ? &queue->due : &queue->delayed, &entity->time);
        entity->timed = SCHED_UNTIMED;
    }
    if (entity->io) {
        io_remove(entity);
    }
}

void queue_arrive(struct run_queue *queue, struct sched_entity *entity, uint64_t now)
{
    if (entity->io && !queue_io_waits(queue) && !(queue->current && queue->current->io)) {
        reservation_wake(&queue->io, now);
    }
    entity->state = SCHED_READY;
    __atomic_store_n(&entity->cpu, queue->cpu, __ATOMIC_RELAXED);
    entity->fresh = true;
    queue->specials += entity->special;
    if (entity->special) {
        queue_refresh(queue, entity, now);
    }
    if (!entity->throttled && !entity->competes) {
        fair_join(queue, entity, queue->config->wake_slice);
    }
    queue_link(queue, entity);
}

/* The time of one that is linked has come. */
static void relink(struct run_queue *queue, struct sched_entity *entity, uint64_t now)
{
    queue_unlink(queue, entity);
    queue_refresh(queue, entity, now);
    queue_link(queue, entity);
}

static struct sched_entity *first_timed(const struct tree *tree)
{
    return (struct sched_entity *)((uintptr_t)tree->first - offsetof(struct sched_entity, time));
}

void queue_advance(struct run_queue *queue, uint64_t now)
{
    while (queue->delayed.first && queue->delayed.first->key <= now) {
        relink(queue, first_timed(&queue->delayed), now);
    }
    while (queue->due.first && queue->due.first->key <= now) {
        struct sched_entity *entity = first_timed(&queue->due);

        /* Its period has ended with budget left. */
        entity->reservation.missed++;
        reservation_replenish(&entity->reservation, now);
        relink(queue, entity, now);
    }
    if (!reservation_ready(&queue->io)) {
        reservation_replenish(&queue->io, now);
    }
}

void queue_publish(struct run_queue *queue)
{
    struct queue_summary *summary = &queue->summary;

    queue_update_load(queue);
    atomic_store_explicit(&summary->virtual_time, fair_machine_time(queue), memory_order_relaxed);
    atomic_store_explicit(&summary->load, queue->load, memory_order_relaxed);
    atomic_store_explicit(&summary->at, queue->charged_at, memory_order_relaxed);
}
