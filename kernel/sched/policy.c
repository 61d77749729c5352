#include "kernel/sched/policy.h"

#include <stddef.h>
#include <string.h>

#include "kernel/panic.h"
#include "kernel/sched/fair.h"

struct sched_config sched_config_for_slice(uint64_t slice)
{
    return (struct sched_config){
        .slice = slice,
        .wake_slice = slice / 4,
        .cap_grain = slice / 8,
        .least_run = slice / 8,
        .balance_interval = 5 * slice,
        .balance_horizon = 50 * slice,
        .io_budget = slice,
        .io_period = 5 * slice,
        .reservable = UTILISATION_ONE * 9 / 10,
    };
}

void sched_queue_init(struct run_queue *queue, struct sched_machine *machine, uint16_t cpu,
                      uint32_t topology, uint64_t now)
{
    const struct sched_config *config = &machine->config;

    memset(queue, 0, sizeof(*queue));
    queue->machine = machine;
    queue->config = config;
    queue->cpu = cpu;
    queue->topology = topology;
    queue->charged_at = now;
    queue->load_at = now;
    queue->idle = true;
    queue->preempt_at = SCHED_NEVER;
    queue->io.budget = config->io_budget;
    queue->io.period = config->io_period;
    queue->io_ready.next = &queue->io_ready;
    queue->io_ready.previous = &queue->io_ready;
    atomic_init(&queue->reserved, reservation_utilisation(config->io_budget, config->io_period));
    queue->balanced_at = now;
    queue_publish(queue);
}

void sched_entity_init(const struct sched_machine *machine, struct sched_entity *entity)
{
    memset(entity, 0, sizeof(*entity));
    entity_set_weight(entity, SCHED_WEIGHT_DEFAULT);
    entity->allowed = cpu_mask_first(SCHED_CPUS_MAX);
    entity->lag = -(int64_t)machine->config.slice;
}

/* The deadline by which the entity is entitled to run ahead of the fair; SCHED_NEVER: it is not. */
static uint64_t urgency(const struct run_queue *queue, const struct sched_entity *entity)
{
    if (reservation_exists(&entity->reservation) && reservation_ready(&entity->reservation)) {
        return entity->reservation.deadline;
    }
    return entity->io && reservation_ready(&queue->io) ? queue->io.deadline : SCHED_NEVER;
}

/* True if `a` is to run before `b`, which comes first if they are equal. */
static bool precedes(const struct run_queue *queue, const struct sched_entity *a,
                     const struct sched_entity *b)
{
    if (queue->specials != 0) {
        uint64_t urgent = urgency(queue, a);
        uint64_t against = urgency(queue, b);

        if (urgent != against) {
            return urgent < against;
        }
        if (urgent != SCHED_NEVER || !a->competes) {
            return false;
        }
    }
    return b->competes ? pick_precedes(queue, a, b) : fair_eligible(queue, a->fair.value);
}

/* What has to happen now that `entity`, which is linked, might be a better choice than current. */
static enum sched_effect compare(struct run_queue *queue, const struct sched_entity *entity,
                                 uint64_t event_before)
{
    const struct sched_entity *current = queue->current;

    if (!current) {
        return SCHED_RESCHEDULE;
    }
    if (precedes(queue, entity, current)) {
        uint64_t at = queue->picked_at + queue->config->least_run;

        if (urgency(queue, entity) != SCHED_NEVER || at <= queue->charged_at) {
            return SCHED_RESCHEDULE;
        }
        if (at < queue->preempt_at) {
            queue->preempt_at = at;
        }
    }
    return sched_next_event(queue) < event_before ? SCHED_REARM : SCHED_NOTHING;
}

/* Someone is about to come. Current's request means nothing as long as it is alone. */
static void end_solitude(struct run_queue *queue)
{
    struct sched_entity *current = queue->current;

    if (current && current->competes && !queue->fair.first && fair_request_left(current) == 0) {
        fair_set_request(current, queue->config->slice);
    }
}

enum sched_effect sched_wake(struct run_queue *queue, struct sched_entity *entity, uint64_t now)
{
    uint64_t event_before = sched_next_event(queue);

    ASSERT(entity->state == SCHED_BLOCKED, "only a blocked entity wakes");
    queue_charge(queue, now);
    end_solitude(queue);
    if (queue->competing <= 1 && queue->machine->cpus > 1) {
        balance_align(queue);
    }
    if (reservation_exists(&entity->reservation)) {
        reservation_wake(&entity->reservation, now);
    }
    queue_arrive(queue, entity, now);
    return queue->current ? compare(queue, entity, event_before) : SCHED_RESCHEDULE;
}

void sched_block(struct run_queue *queue, struct sched_entity *entity, uint64_t now)
{
    ASSERT(entity->state != SCHED_BLOCKED && entity->cpu == queue->cpu, "it is on this queue");
    queue_charge(queue, now);
    if (entity == queue->current) {
        queue->current = NULL;
    } else {
        queue_unlink(queue, entity);
    }
    queue_depart(queue, entity);
    fair_leave(queue, entity);
    if (entity->cap) {
        if (entity->grant > 0) {
            cap_return(entity->cap, (uint64_t)entity->grant);
        } else {
            (void)cap_book(entity->cap, now, (uint64_t)-entity->grant);
        }
        entity->grant = 0;
        entity->throttled = false;
    }
    entity->state = SCHED_BLOCKED;
}

bool sched_wake_alone(struct run_queue *queue, struct sched_entity *entity, uint64_t now)
{
    ASSERT(entity->state == SCHED_BLOCKED, "only a blocked entity wakes");
    if (queue->current || queue->weight != 0 || queue->specials != 0 || entity->special) {
        return false;
    }
    queue_charge(queue, now);
    if (queue->machine->cpus > 1) {
        balance_align(queue);
    }
    __atomic_store_n(&entity->cpu, queue->cpu, __ATOMIC_RELAXED);
    fair_join(queue, entity, queue->config->wake_slice);
    pick_start(queue, entity, now);
    pick_end_idle(queue);
    if (queue->machine->cpus > 1) {
        queue_publish_sometimes(queue);
    }
    return true;
}

static struct sched_entity *first_due(const struct run_queue *queue)
{
    return (struct sched_entity *)((uintptr_t)queue->due.first -
                                   offsetof(struct sched_entity, time));
}

static struct sched_entity *first_io(const struct run_queue *queue)
{
    return (struct sched_entity *)((uintptr_t)queue->io_ready.next -
                                   offsetof(struct sched_entity, io_link));
}

/* The best of those that are linked. */
static struct sched_entity *choose(struct run_queue *queue)
{
    bool io = queue_io_waits(queue) && reservation_ready(&queue->io);
    struct sched_entity *favoured = queue->favoured;

    if (queue->due.first && !(io && queue->io.deadline < queue->due.first->key)) {
        return first_due(queue);
    }
    if (io) {
        return first_io(queue);
    }
    if (favoured && favoured->state == SCHED_READY && favoured->cpu == queue->cpu &&
        favoured->competes && fair_eligible(queue, favoured->fair.value)) {
        return favoured;
    }
    return fair_first(queue);
}

/* True if current goes on although `next` is the best of the others. */
static bool goes_on(const struct run_queue *queue, const struct sched_entity *current,
                    const struct sched_entity *next)
{
    if (!next) {
        return current->competes || urgency(queue, current) != SCHED_NEVER;
    }
    return !queue->yielding && precedes(queue, current, next);
}

static enum sched_mode mode_of(const struct run_queue *queue, const struct sched_entity *entity)
{
    if (reservation_exists(&entity->reservation) && reservation_ready(&entity->reservation)) {
        return SCHED_RESERVED;
    }
    return entity->io && reservation_ready(&queue->io) ? SCHED_IO : SCHED_FAIR;
}

static void take_grant(struct sched_entity *entity, uint64_t now)
{
    int64_t wanted = (int64_t)fair_request_left(entity) - entity->grant;

    if (wanted > 0) {
        entity->grant += (int64_t)cap_take(entity->cap, now, 1, (uint64_t)wanted);
    }
}

static void start(struct run_queue *queue, struct sched_entity *entity, uint64_t now)
{
    pick_start(queue, entity, now);
    if (entity->special) {
        queue->mode = mode_of(queue, entity);
        if (entity->cap && queue->mode == SCHED_FAIR) {
            take_grant(entity, now);
        }
    }
    pick_end_idle(queue);
}

/* The best of those that are linked and current, which is linked if it is not the one. */
static struct sched_entity *replace_current(struct run_queue *queue)
{
    struct sched_entity *previous = queue->current;
    struct sched_entity *next = choose(queue);

    if (previous && goes_on(queue, previous, next)) {
        return previous;
    }
    if (next) {
        queue_unlink(queue, next);
    }
    if (previous) {
        previous->state = SCHED_READY;
        queue_link(queue, previous);
    }
    return next;
}

struct sched_entity *pick_among_classes(struct run_queue *queue, uint64_t now, uint64_t *event)
{
    struct sched_entity *previous = queue->current;
    struct sched_entity *next;

    queue_charge(queue, now);
    if (queue->specials != 0) {
        queue_advance(queue, now);
        if (previous && previous->special) {
            queue_refresh(queue, previous, now);
        }
    }
    if (previous && previous->competes) {
        pick_renew_request(queue, previous, queue->yielding);
    }
    next = replace_current(queue);
    queue->favoured = NULL;
    if (next) {
        start(queue, next, now);
    } else {
        queue->preempt_at = SCHED_NEVER;
        queue->yielding = false;
        queue->current = NULL;
        queue->idle = true;
        balance_begin_idle(queue);
    }
    if (queue->machine->cpus > 1) {
        queue_publish_sometimes(queue);
    }
    *event = sched_next_event(queue);
    return next;
}

struct sched_entity *sched_pick(struct run_queue *queue, uint64_t now)
{
    uint64_t event;

    return sched_pick_until(queue, now, &event);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When current has run what it may run now. */
static uint64_t turn_end(const struct run_queue *queue)
{
    const struct sched_entity *current = queue->current;
    const struct reservation *paying =
        queue->mode == SCHED_RESERVED ? &current->reservation : &queue->io;
    uint64_t end = SCHED_NEVER;

    if (queue->mode != SCHED_FAIR) {
        int64_t left = paying->remaining > 0 ? paying->remaining : 0;

        end = queue->charged_at + (uint64_t)left;
        if (queue->mode == SCHED_IO && queue_io_waits(queue)) {
            end = earlier(end, queue->picked_at + queue->config->slice);
        }
        return end;
    }
    if (queue->fair.first) {
        end = queue->charged_at + fair_request_left(current);
    }
    if (current->cap) {
        uint64_t left = current->grant > 0 ? (uint64_t)current->grant : 0;

        end = earlier(end, queue->charged_at + left);
    }
    if (reservation_exists(&current->reservation)) {
        end = earlier(end, current->reservation.deadline);
    }
    return end;
}

uint64_t sched_next_special_event(const struct run_queue *queue)
{
    const struct sched_entity *current = queue->current;
    uint64_t next = queue->delayed.first ? queue->delayed.first->key : SCHED_NEVER;

    if (!current) {
        return next;
    }
    next = earlier(next, turn_end(queue));
    next = earlier(next, queue->preempt_at);
    if (!reservation_ready(&queue->io) &&
        (queue_io_waits(queue) || (current->io && queue->mode == SCHED_FAIR))) {
        next = earlier(next, queue->io.deadline);
    }
    return next;
}

enum sched_effect sched_set_weight(struct run_queue *queue, struct sched_entity *entity,
                                   uint32_t weight, uint64_t now)
{
    if (entity->state == SCHED_BLOCKED) {
        entity_set_weight(entity, weight);
        return SCHED_NOTHING;
    }

    uint64_t event_before = sched_next_event(queue);

    queue_charge(queue, now);
    if (entity == queue->current) {
        fair_set_weight(queue, entity, weight);
        return sched_next_event(queue) < event_before ? SCHED_REARM : SCHED_NOTHING;
    }
    queue_unlink(queue, entity);
    fair_set_weight(queue, entity, weight);
    queue_link(queue, entity);
    return compare(queue, entity, event_before);
}
