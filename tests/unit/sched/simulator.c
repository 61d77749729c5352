#include "tests/unit/sched/simulator.h"

#include <stdlib.h>

#include "tests/unit/sched/measure.h"
#include "tests/unit/support/cmocka.h"

const uint64_t simulated_slices[SIMULATED_SLICES] = {2 * MILLISECOND, 5 * MILLISECOND,
                                                     10 * MILLISECOND};

static struct simulated_vcpu *vcpu_of(struct sched_entity *entity)
{
    return (struct simulated_vcpu *)entity;
}

static uint64_t next_random(struct simulator *simulator)
{
    uint64_t x = simulator->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    simulator->random = x;
    return x;
}

uint64_t simulator_random(struct simulator *simulator, uint64_t least, uint64_t most)
{
    return least + next_random(simulator) % (most - least + 1);
}

static void heap_swap(struct simulator *simulator, uint32_t a, uint32_t b)
{
    uint32_t slot = simulator->heap[a];

    simulator->heap[a] = simulator->heap[b];
    simulator->heap[b] = slot;
    simulator->place[simulator->heap[a]] = a;
    simulator->place[simulator->heap[b]] = b;
}

static uint64_t heap_time(const struct simulator *simulator, uint32_t position)
{
    return simulator->times[simulator->heap[position]];
}

static void set_time(struct simulator *simulator, uint32_t slot, uint64_t time)
{
    uint32_t slots = simulator->cpus + simulator->vcpu_count;
    uint32_t position = simulator->place[slot];

    simulator->times[slot] = time;
    while (position > 0 && time < heap_time(simulator, (position - 1) / 2)) {
        heap_swap(simulator, position, (position - 1) / 2);
        position = (position - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * position + 1;

        if (child + 1 < slots && heap_time(simulator, child + 1) < heap_time(simulator, child)) {
            child++;
        }
        if (child >= slots || heap_time(simulator, child) >= time) {
            return;
        }
        heap_swap(simulator, position, child);
        position = child;
    }
}

struct simulator *simulator_new(uint32_t cpus, uint32_t vcpus, const struct sched_config *config)
{
    struct simulator *simulator = calloc(1, sizeof(*simulator));
    uint32_t slots = cpus + vcpus;

    assert_non_null(simulator);
    simulator->cpus = cpus;
    simulator->random = 88172645463325252ul;
    simulator->now = SECOND;
    simulator->queues = calloc(cpus, sizeof(*simulator->queues));
    simulator->queue_table = calloc(cpus, sizeof(struct run_queue *));
    simulator->vcpus = calloc(vcpus, sizeof(struct simulated_vcpu *));
    simulator->times = calloc(slots, sizeof(*simulator->times));
    simulator->heap = calloc(slots, sizeof(*simulator->heap));
    simulator->place = calloc(slots, sizeof(*simulator->place));
    sched_machine_init(&simulator->machine, config);
    for (uint32_t cpu = 0; cpu < cpus; cpu++) {
        /* Two threads to a core, eight cores to a package. */
        sched_queue_init(&simulator->queues[cpu], &simulator->machine, (uint16_t)cpu, cpu,
                         simulator->now);
        simulator->queue_table[cpu] = &simulator->queues[cpu];
    }
    sched_machine_set_queues(&simulator->machine, simulator->queue_table, cpus);
    for (uint32_t slot = 0; slot < slots; slot++) {
        simulator->times[slot] = SCHED_NEVER;
        simulator->heap[slot] = slot;
        simulator->place[slot] = slot;
    }
    return simulator;
}

void simulator_free(struct simulator *simulator)
{
    for (uint32_t i = 0; i < simulator->vcpu_count; i++) {
        free(simulator->vcpus[i]);
    }
    free(simulator->vcpus);
    free(simulator->queues);
    free(simulator->queue_table);
    free(simulator->times);
    free(simulator->heap);
    free(simulator->place);
    free(simulator);
}

struct simulated_vcpu *simulator_add(struct simulator *simulator, uint32_t weight, bool io)
{
    struct simulated_vcpu *vcpu = calloc(1, sizeof(*vcpu));

    assert_non_null(vcpu);
    sched_entity_init(&simulator->machine, &vcpu->entity);
    assert_int_equal(sched_set_weight(NULL, &vcpu->entity, weight, 0), SCHED_NOTHING);
    assert_int_equal(sched_set_io(&vcpu->entity, io), 0);
    vcpu->entity.cpu = (uint16_t)(simulator->vcpu_count % simulator->cpus);
    vcpu->number = simulator->vcpu_count;
    simulator->vcpus[simulator->vcpu_count++] = vcpu;
    return vcpu;
}

void simulator_join_cap(struct simulator *simulator, struct simulated_vcpu *vcpu,
                        struct simulated_cap *cap)
{
    assert_int_equal(sched_set_cap(&simulator->machine, &vcpu->entity, &cap->cap), 0);
    vcpu->cap = cap;
    vcpu->next_member = cap->first;
    cap->first = vcpu;
    cap->members++;
}

static void arm(struct simulator *simulator, struct run_queue *queue)
{
    uint64_t next = sched_next_event(queue);

    if (queue->current) {
        struct simulated_vcpu *vcpu = vcpu_of(queue->current);
        uint64_t until = vcpu->burst_end;

        if (vcpu->yield_every != 0 && vcpu->yield_at < until) {
            until = vcpu->yield_at;
        }
        if (until != SCHED_NEVER) {
            uint64_t at = queue->charged_at + (until - vcpu->entity.run_time);

            next = at < next ? at : next;
        }
    }
    set_time(simulator, queue->cpu, next);
}

static void reschedule(struct simulator *simulator, struct run_queue *queue);

static struct sched_entity *steal(struct simulator *simulator, struct run_queue *queue)
{
    struct cpu_mask tried = {{0}};
    uint32_t source;

    while ((source = sched_steal_source(queue, &tried)) != SCHED_NO_CPU) {
        struct sched_entity *entity =
            sched_steal(&simulator->queues[source], queue, simulator->now);

        if (entity) {
            simulator_queue_changed(simulator, &simulator->queues[source], entity, false);
            arm(simulator, &simulator->queues[source]);
            return sched_pick(queue, simulator->now);
        }
    }
    return NULL;
}

static void balance(struct simulator *simulator, struct run_queue *queue)
{
    uint32_t target;
    struct sched_entity *entity;

    if (!sched_balance_due(queue, simulator->now)) {
        return;
    }
    target = sched_balance_target(queue, simulator->now);
    if (target == SCHED_NO_CPU) {
        return;
    }
    entity = sched_push(queue, &simulator->queues[target], simulator->now);
    if (entity) {
        simulator_queue_changed(simulator, queue, entity, false);
        simulator_queue_changed(simulator, &simulator->queues[target], entity, true);
        reschedule(simulator, &simulator->queues[target]);
    }
}

static void reschedule(struct simulator *simulator, struct run_queue *queue)
{
    struct sched_entity *previous = queue->current;
    struct sched_entity *next = sched_pick(queue, simulator->now);

    simulator->picks++;
    if (!next) {
        next = steal(simulator, queue);
    }
    if (next != previous) {
        simulator->switches++;
        if (previous && vcpu_of(previous)->cap) {
            simulator_measure_cap(simulator, vcpu_of(previous)->cap);
        }
        if (next && vcpu_of(next)->cap) {
            simulator_measure_cap(simulator, vcpu_of(next)->cap);
        }
    }
    if (next) {
        simulator_stop_waiting(simulator, vcpu_of(next));
    }
    balance(simulator, queue);
    arm(simulator, queue);
}

void simulator_wake(struct simulator *simulator, struct simulated_vcpu *vcpu)
{
    struct run_queue *queue;
    enum sched_effect effect;

    simulator_count_runnable(simulator, vcpu);
    vcpu->burst_end = SCHED_NEVER;
    if (vcpu->burst_most != 0) {
        vcpu->burst_end = vcpu->entity.run_time +
                          simulator_random(simulator, vcpu->burst_least, vcpu->burst_most);
    }
    queue = &simulator->queues[sched_place(&simulator->machine, &vcpu->entity)];
    effect = sched_wake(queue, &vcpu->entity, simulator->now);
    simulator_queue_changed(simulator, queue, &vcpu->entity, true);
    vcpu->woken_at = simulator->now;
    if (vcpu->watched) {
        simulator_start_waiting(simulator, vcpu);
    }
    if (effect == SCHED_RESCHEDULE) {
        reschedule(simulator, queue);
    } else if (effect == SCHED_REARM) {
        arm(simulator, queue);
    }
}

void simulator_block(struct simulator *simulator, struct simulated_vcpu *vcpu)
{
    struct run_queue *queue = &simulator->queues[vcpu->entity.cpu];
    bool current = queue->current == &vcpu->entity;

    simulator_count_runnable(simulator, vcpu);
    if (vcpu->cap) {
        simulator_measure_cap(simulator, vcpu->cap);
    }
    sched_block(queue, &vcpu->entity, simulator->now);
    simulator_queue_changed(simulator, queue, &vcpu->entity, false);
    vcpu->waits = false;
    if (current) {
        reschedule(simulator, queue);
    } else {
        arm(simulator, queue);
    }
}

void simulator_set_weight(struct simulator *simulator, struct simulated_vcpu *vcpu, uint32_t weight)
{
    struct run_queue *queue = &simulator->queues[vcpu->entity.cpu];
    enum sched_effect effect = sched_set_weight(queue, &vcpu->entity, weight, simulator->now);

    if (effect == SCHED_RESCHEDULE) {
        reschedule(simulator, queue);
    } else if (effect == SCHED_REARM) {
        arm(simulator, queue);
    }
}

static void sleep_now(struct simulator *simulator, struct simulated_vcpu *vcpu)
{
    uint64_t wake_at =
        simulator->now + simulator_random(simulator, vcpu->sleep_least, vcpu->sleep_most);

    if (vcpu->period != 0) {
        uint64_t took = simulator->now - vcpu->woken_at;

        vcpu->latest = took > vcpu->latest ? took : vcpu->latest;
        wake_at = vcpu->woken_at + vcpu->period > wake_at ? vcpu->woken_at + vcpu->period : wake_at;
    }
    set_time(simulator, simulator->cpus + vcpu->number, wake_at);
    simulator_block(simulator, vcpu);
}

static void cpu_event(struct simulator *simulator, struct run_queue *queue)
{
    struct simulated_vcpu *vcpu;

    queue_charge(queue, simulator->now);
    vcpu = queue->current ? vcpu_of(queue->current) : NULL;
    if (vcpu && vcpu->entity.run_time >= vcpu->burst_end) {
        sleep_now(simulator, vcpu);
        return;
    }
    if (vcpu && vcpu->yield_every != 0 && vcpu->entity.run_time >= vcpu->yield_at) {
        vcpu->yield_at = vcpu->entity.run_time + vcpu->yield_every;
        sched_yield_to(queue, NULL);
    }
    reschedule(simulator, queue);
}

void simulator_stall(struct simulator *simulator, uint64_t ns)
{
    simulator->now += ns;
    for (uint32_t cpu = 0; cpu < simulator->cpus; cpu++) {
        cpu_event(simulator, &simulator->queues[cpu]);
    }
}

void simulator_run(struct simulator *simulator, uint64_t time)
{
    while (heap_time(simulator, 0) <= time) {
        uint32_t slot = simulator->heap[0];

        assert_true(simulator->times[slot] >= simulator->now);
        simulator->now = simulator->times[slot];
        simulator->events++;
        if (slot < simulator->cpus) {
            cpu_event(simulator, &simulator->queues[slot]);
        } else {
            set_time(simulator, slot, SCHED_NEVER);
            simulator_wake(simulator, simulator->vcpus[slot - simulator->cpus]);
        }
    }
    simulator->now = time;
    for (uint32_t i = 0; i < simulator->vcpu_count; i++) {
        simulator_count_runnable(simulator, simulator->vcpus[i]);
    }
}
