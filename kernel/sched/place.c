#include "kernel/sched/balance.h"

#include <stddef.h>

#include "kernel/sched/fair.h"
#include "kernel/sched/queue.h"

static void set_idle(struct sched_machine *machine, uint32_t cpu)
{
    atomic_fetch_or_explicit(&machine->idle[cpu / 64], 1ul << cpu % 64, memory_order_relaxed);
}

/* True if it was idle. */
static bool clear_idle(struct sched_machine *machine, uint32_t cpu)
{
    uint64_t bit = 1ul << cpu % 64;

    return (atomic_fetch_and_explicit(&machine->idle[cpu / 64], ~bit, memory_order_relaxed) &
            bit) != 0;
}

void sched_machine_init(struct sched_machine *machine, const struct sched_config *config)
{
    machine->config = *config;
    machine->queues = NULL;
    machine->cpus = 0;
    atomic_init(&machine->virtual_time, 0);
    atomic_init(&machine->virtual_at, 0);
    atomic_init(&machine->virtual_rate, 0);
    for (uint32_t word = 0; word < CPU_MASK_WORDS; word++) {
        atomic_init(&machine->idle[word], 0);
    }
}

void sched_machine_set_queues(struct sched_machine *machine, struct run_queue *const *queues,
                              uint32_t cpus)
{
    machine->queues = queues;
    for (uint32_t cpu = 0; cpu < cpus; cpu++) {
        set_idle(machine, cpu);
    }
    __atomic_store_n(&machine->cpus, cpus, __ATOMIC_RELEASE);
}

/* The more they share, the more of their topological ids' leading bits are equal. */
static uint32_t distance(const struct sched_machine *machine, uint32_t a, uint32_t b)
{
    return machine->queues[a]->topology ^ machine->queues[b]->topology;
}

void balance_begin_idle(const struct run_queue *queue)
{
    set_idle(queue->machine, queue->cpu);
}

void balance_end_idle(const struct run_queue *queue)
{
    (void)clear_idle(queue->machine, queue->cpu);
}

bool sched_may_run(const struct sched_entity *entity, uint32_t cpu)
{
    if (reservation_exists(&entity->reservation)) {
        return cpu == entity->cpu;
    }
    return cpu_mask_has(&entity->allowed, cpu);
}

static uint32_t nearest_idle(const struct sched_machine *machine, const struct sched_entity *entity)
{
    uint32_t nearest = SCHED_NO_CPU;
    uint32_t least = UINT32_MAX;

    for (uint32_t word = 0; word * 64 < machine->cpus; word++) {
        uint64_t idle = atomic_load_explicit(&machine->idle[word], memory_order_relaxed) &
                        entity->allowed.words[word];

        for (; idle != 0; idle &= idle - 1) {
            uint32_t cpu = word * 64 + (uint32_t)__builtin_ctzl(idle);

            uint32_t far = distance(machine, entity->cpu, cpu);

            if (nearest == SCHED_NO_CPU || far < least) {
                nearest = cpu;
                least = far;
            }
        }
    }
    return nearest;
}

static uint32_t lightest(const struct sched_machine *machine, const struct sched_entity *entity)
{
    uint64_t least = UINT64_MAX;
    uint32_t lightest_cpu = SCHED_NO_CPU;

    for (uint32_t cpu = 0; cpu < machine->cpus; cpu++) {
        uint64_t weight =
            atomic_load_explicit(&machine->queues[cpu]->summary.weight, memory_order_relaxed);

        if (cpu_mask_has(&entity->allowed, cpu) && weight < least) {
            least = weight;
            lightest_cpu = cpu;
        }
    }
    return lightest_cpu;
}

uint32_t sched_place(struct sched_machine *machine, const struct sched_entity *entity)
{
    if (reservation_exists(&entity->reservation)) {
        return entity->cpu;
    }
    for (;;) {
        uint32_t cpu = nearest_idle(machine, entity);

        if (cpu == SCHED_NO_CPU) {
            break;
        }
        /* Someone else may have taken it meanwhile; then it is not idle any more. */
        if (clear_idle(machine, cpu)) {
            return cpu;
        }
    }
    /* Who has never run has no place that it is used to. */
    if (entity->run_time != 0 && cpu_mask_has(&entity->allowed, entity->cpu)) {
        return entity->cpu;
    }
    return lightest(machine, entity);
}

uint32_t sched_steal_source(const struct run_queue *thief, struct cpu_mask *tried)
{
    const struct sched_machine *machine = thief->machine;
    uint32_t nearest = SCHED_NO_CPU;

    for (uint32_t cpu = 0; cpu < machine->cpus; cpu++) {
        if (cpu != thief->cpu && !cpu_mask_has(tried, cpu) &&
            queue_has_waiters(machine->queues[cpu]) &&
            (nearest == SCHED_NO_CPU ||
             distance(machine, thief->cpu, cpu) < distance(machine, thief->cpu, nearest))) {
            nearest = cpu;
        }
    }
    if (nearest != SCHED_NO_CPU) {
        tried->words[nearest / 64] |= 1ul << nearest % 64;
    }
    return nearest;
}

struct sched_entity *sched_steal(struct run_queue *victim, struct run_queue *thief, uint64_t now)
{
    queue_charge(victim, now);
    queue_charge(thief, now);
    for (struct tree_node *node = victim->fair.first; node; node = tree_next(node)) {
        struct sched_entity *entity = fair_entity(node);

        if (sched_may_run(entity, thief->cpu)) {
            sched_move(victim, thief, entity, now);
            return entity;
        }
    }
    return NULL;
}

void sched_move(struct run_queue *from, struct run_queue *to, struct sched_entity *entity,
                uint64_t now)
{
    queue_unlink(from, entity);
    queue_depart(from, entity);
    queue_update_load(from);
    queue_update_load(to);
    from->load = load_with(from, -(int64_t)entity->weight);
    to->load = load_with(to, entity->weight);
    if (entity->competes) {
        fair_move(from, to, entity);
    }
    queue_arrive(to, entity, now);
    entity->migrations++;
    to->pulled++;
    queue_publish(from);
    queue_publish(to);
}
