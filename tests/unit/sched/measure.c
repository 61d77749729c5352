#include "tests/unit/sched/measure.h"

#include <stddef.h>

#include "kernel/sched/fair.h"

uint64_t simulator_run_time(const struct simulator *simulator, const struct simulated_vcpu *vcpu)
{
    const struct run_queue *queue = &simulator->queues[vcpu->entity.cpu];
    uint64_t running = 0;

    if (vcpu->entity.state == SCHED_RUNNING) {
        running = simulator->now - queue->charged_at;
    }
    return vcpu->entity.run_time + running;
}

/* What the cap's members ran less what they might: at its lowest when one starts, at its highest
 * when one stops. */
void simulator_measure_cap(const struct simulator *simulator, struct simulated_cap *cap)
{
    int64_t run = 0;
    int64_t allowed = (int64_t)(simulator->now * cap->cap.percent);

    for (const struct simulated_vcpu *vcpu = cap->first; vcpu; vcpu = vcpu->next_member) {
        run += (int64_t)simulator_run_time(simulator, vcpu);
    }

    int64_t excess = run * 100 - allowed;

    if (excess < cap->least) {
        cap->least = excess;
    }
    if ((excess - cap->least) / 100 > cap->worst) {
        cap->worst = (excess - cap->least) / 100;
    }
}

/* What one other makes the waiter wait: a turn, and its part of what the waiter asks and owes. */
static void add_to_bound(const struct simulator *simulator, struct simulated_vcpu *waiter,
                         const struct sched_entity *other, int64_t credit)
{
    const struct sched_config *config = &simulator->machine.config;
    uint64_t part = config->wake_slice * other->weight / waiter->entity.weight;

    waiter->bound += part > config->slice ? part : config->slice;
    waiter->bound += waiter->debt * other->weight / waiter->entity.weight;
    waiter->bound += credit > 0 ? (uint64_t)credit : 0;
}

void simulator_start_waiting(struct simulator *simulator, struct simulated_vcpu *vcpu)
{
    const struct run_queue *queue = &simulator->queues[vcpu->entity.cpu];
    int64_t lag = vcpu->entity.competes ? fair_lag(queue, &vcpu->entity) : 0;
    int64_t resumed = (int64_t)(simulator->machine.config.slice / 2);

    vcpu->waits = true;
    vcpu->debt = lag < 0 ? (uint64_t)-lag : 0;
    vcpu->bound = simulator->machine.config.wake_slice + vcpu->debt;
    for (struct tree_node *node = queue->fair.first; node; node = tree_next(node)) {
        if (fair_entity(node) != &vcpu->entity) {
            add_to_bound(simulator, vcpu, fair_entity(node), 0);
        }
    }
    for (struct tree_node *node = queue->delayed.first; node; node = tree_next(node)) {
        struct sched_entity *entity =
            (struct sched_entity *)((uintptr_t)node - offsetof(struct sched_entity, time));

        if (!entity->competes) {
            add_to_bound(simulator, vcpu, entity, entity->lag > resumed ? entity->lag : resumed);
        }
    }
    if (queue->current) {
        add_to_bound(simulator, vcpu, queue->current, 0);
    }
}

void simulator_stop_waiting(struct simulator *simulator, struct simulated_vcpu *vcpu)
{
    const struct run_queue *queue = &simulator->queues[vcpu->entity.cpu];
    uint64_t wait = simulator->now - vcpu->woken_at;
    uint64_t budgets = queue->io.budget;

    if (!vcpu->waits) {
        return;
    }
    vcpu->waits = false;
    vcpu->wakes++;
    for (uint32_t i = 0; i < simulator->vcpu_count; i++) {
        const struct sched_entity *entity = &simulator->vcpus[i]->entity;

        if (entity->cpu == queue->cpu) {
            budgets += entity->reservation.budget;
        }
    }

    uint64_t left = UTILISATION_ONE - queue->reserved;
    uint64_t bound = vcpu->bound * UTILISATION_ONE / left + 2 * budgets;
    double part = (double)wait / (double)bound;

    if (wait > vcpu->longest_wait) {
        vcpu->longest_wait = wait;
    }
    if (part > vcpu->worst_part_of_bound) {
        vcpu->worst_part_of_bound = part;
    }
}

void simulator_queue_changed(struct simulator *simulator, const struct run_queue *queue,
                             const struct sched_entity *who, bool comes)
{
    for (struct tree_node *node = queue->fair.first; node; node = tree_next(node)) {
        struct simulated_vcpu *waiter = (struct simulated_vcpu *)fair_entity(node);

        if (!waiter->waits || &waiter->entity == who) {
            continue;
        }
        if (comes) {
            add_to_bound(simulator, waiter, who, who->competes ? fair_lag(queue, who) : 0);
        } else {
            waiter->bound += simulator->machine.config.slice;
        }
    }
}

void simulator_count_runnable(struct simulator *simulator, struct simulated_vcpu *vcpu)
{
    if (vcpu->entity.state != SCHED_BLOCKED) {
        vcpu->runnable += simulator->now - vcpu->runnable_at;
    }
    vcpu->runnable_at = simulator->now;
}
