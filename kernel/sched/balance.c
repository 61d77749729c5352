#include "kernel/sched/balance.h"

#include "kernel/sched/fair.h"
#include "kernel/sched/queue.h"

/* How many of a queue's waiters are looked at to find one to push. */
#define CANDIDATES 32

/* Of `ns`, what goes by weight when `weight` competes: reservations take from that only what is
 * beyond the shares of those who have them. */
static uint64_t by_weight(const struct run_queue *queue, uint64_t weight, uint64_t ns)
{
    const struct sched_config *config = queue->config;
    uint64_t io = reservation_utilisation(config->io_budget, config->io_period);
    uint64_t reserved = atomic_load_explicit(&queue->reserved, memory_order_relaxed) - io;
    uint64_t theirs = atomic_load_explicit(&queue->summary.reserved_weight, memory_order_relaxed);

    if (reserved * weight <= theirs * UTILISATION_ONE || weight <= theirs) {
        return ns;
    }
    return (ns / 1024 * (UTILISATION_ONE - reserved) / 1024) * weight / (weight - theirs);
}

/* The virtual time that `ns` make for so much weight. */
static uint64_t virtual_of(uint64_t ns, uint64_t weight)
{
    return (ns << FAIR_SHIFT) / weight;
}

/* What the queue's virtual time gains within the horizon under that load. */
static int64_t gain(const struct run_queue *queue, uint64_t load)
{
    uint64_t weight = load >= LOAD_UNIT ? load / LOAD_UNIT : 1;

    return (int64_t)virtual_of(by_weight(queue, weight, queue->config->balance_horizon), weight);
}

/* Brings a virtual time within what the queue gains in a horizon of the machine's. */
static uint64_t aligned(const struct run_queue *queue, uint64_t virtual_time, uint64_t load,
                        uint64_t reference)
{
    int64_t ahead = (int64_t)(virtual_time - reference);
    int64_t most = gain(queue, load);

    if (ahead > most) {
        return reference + (uint64_t)most;
    }
    return ahead < -most ? reference - (uint64_t)most : virtual_time;
}

bool machine_virtual_time(const struct sched_machine *machine, uint64_t now, uint64_t *time)
{
    uint64_t at = atomic_load_explicit(&machine->virtual_at, memory_order_relaxed);
    uint64_t passed = now > at ? now - at : 0;

    *time = atomic_load_explicit(&machine->virtual_time, memory_order_relaxed) +
            atomic_load_explicit(&machine->virtual_rate, memory_order_relaxed) * passed / 1024;
    return at != 0 && passed < machine->config.balance_horizon;
}

void balance_align(struct run_queue *queue)
{
    uint64_t virtual_time = fair_machine_time(queue);
    uint64_t wanted;

    if (machine_virtual_time(queue->machine, queue->charged_at, &wanted)) {
        if (queue->weight != 0) {
            wanted = aligned(queue, virtual_time, queue->load, wanted);
        }
        queue->axis += wanted - virtual_time;
    }
}

bool balance_is_due(const struct run_queue *queue, uint64_t now)
{
    const struct sched_machine *machine = queue->machine;

    for (uint32_t word = 0; word * 64 < machine->cpus; word++) {
        if (atomic_load_explicit(&machine->idle[word], memory_order_relaxed) != 0) {
            return true;
        }
    }
    return now - queue->balanced_at >= queue->config->balance_interval;
}

/* The queue's virtual time now, for whoever has not its lock: it goes on since the last summary. */
static uint64_t time_of(const struct run_queue *queue, uint64_t weight, uint64_t now)
{
    const struct queue_summary *summary = &queue->summary;
    uint64_t at = atomic_load_explicit(&summary->at, memory_order_relaxed);
    uint64_t passed = now > at ? by_weight(queue, weight, now - at) : 0;

    return atomic_load_explicit(&summary->virtual_time, memory_order_relaxed) +
           virtual_of(passed, weight);
}

static uint64_t load_of(const struct run_queue *queue, uint64_t weight, uint64_t now)
{
    const struct queue_summary *summary = &queue->summary;
    uint64_t at = atomic_load_explicit(&summary->at, memory_order_relaxed);

    return load_after(atomic_load_explicit(&summary->load, memory_order_relaxed), weight,
                      now > at ? now - at : 0);
}

/* Where those could go who may be pushed, as far as a look at a few of them tells. */
static struct cpu_mask reachable(const struct run_queue *queue)
{
    struct cpu_mask mask = {{0}};
    unsigned looked_at = 0;

    for (const struct tree_node *node = queue->fair.first; node && looked_at < CANDIDATES;
         node = tree_next(node), looked_at++) {
        const struct sched_entity *entity = fair_entity(node);

        if (!reservation_exists(&entity->reservation)) {
            for (unsigned word = 0; word < CPU_MASK_WORDS; word++) {
                mask.words[word] |= entity->allowed.words[word];
            }
        }
    }
    return mask;
}

/* Looks at all queues that have waiters, and says what the machine's virtual time is: their mean by
 * weight, so that it advances by what they give / the weight of all. */
static void update_machine(const struct run_queue *queue, uint64_t now)
{
    struct sched_machine *machine = queue->machine;
    uint64_t own = fair_machine_time(queue);
    int64_t sum = 0;
    uint64_t total = queue->weight;
    uint64_t given = by_weight(queue, queue->weight, 1024);

    for (uint32_t cpu = 0; cpu < machine->cpus; cpu++) {
        const struct run_queue *other = machine->queues[cpu];
        uint64_t weight = atomic_load_explicit(&other->summary.weight, memory_order_relaxed);

        if (other == queue || weight == 0 || !queue_has_waiters(other)) {
            continue;
        }

        uint64_t time = aligned(other, time_of(other, weight, now), weight * LOAD_UNIT, own);

        sum += (int64_t)(time - own) / (int64_t)SCHED_CPUS_MAX * (int64_t)weight;
        total += weight;
        given += by_weight(other, weight, 1024);
    }
    atomic_store_explicit(&machine->virtual_time,
                          own + (uint64_t)(sum / (int64_t)total * (int64_t)SCHED_CPUS_MAX),
                          memory_order_relaxed);
    atomic_store_explicit(&machine->virtual_at, now, memory_order_relaxed);
    atomic_store_explicit(&machine->virtual_rate, virtual_of(given, total), memory_order_relaxed);
}

uint32_t sched_balance_target(struct run_queue *queue, uint64_t now)
{
    struct sched_machine *machine = queue->machine;
    struct cpu_mask mask = reachable(queue);
    uint32_t target = SCHED_NO_CPU;
    uint64_t reference;
    uint64_t own;
    uint64_t best;

    queue_charge(queue, now);
    queue_publish(queue);
    queue->balanced_at = now;
    update_machine(queue, now);
    (void)machine_virtual_time(machine, now, &reference);
    balance_align(queue);
    own = fair_machine_time(queue);
    /* Less than a tenth is not worth a cold cache. */
    best = own + (uint64_t)(gain(queue, queue->load) / 10 * 11);
    for (uint32_t cpu = 0; cpu < machine->cpus; cpu++) {
        const struct run_queue *other = machine->queues[cpu];
        uint64_t weight = atomic_load_explicit(&other->summary.weight, memory_order_relaxed);

        if (other == queue || !cpu_mask_has(&mask, cpu)) {
            continue;
        }
        if (weight == 0) {
            return cpu;
        }

        uint64_t load = load_of(other, weight, now);
        uint64_t time = aligned(other, time_of(other, weight, now), load, reference);
        uint64_t soon = time + (uint64_t)gain(other, load);

        if (!time_before(time, own) && time_before(best, soon)) {
            best = soon;
            target = cpu;
        }
    }
    return target;
}

/* How far `to` will be ahead of `from` one horizon from now if the entity moves. */
static int64_t gap_after(const struct run_queue *from, const struct run_queue *to,
                         const struct sched_entity *entity)
{
    int64_t weight = entity->weight;
    uint64_t virtual_time = entity->fair.value + from->axis;
    uint64_t left = fair_machine_time(from);
    uint64_t joined = fair_machine_time(to);
    int64_t left_weight = (int64_t)from->weight - weight;
    int64_t joined_weight = (int64_t)to->weight + weight;

    /* Both means change by the one who is not, or is, among them. */
    left += (uint64_t)((int64_t)(left - virtual_time) / left_weight * weight);
    joined -= (uint64_t)((int64_t)(joined - virtual_time) / joined_weight * weight);
    return (int64_t)(joined - left) + gain(to, load_with(to, weight)) -
           gain(from, load_with(from, -weight));
}

struct sched_entity *sched_push(struct run_queue *from, struct run_queue *to, uint64_t now)
{
    struct sched_entity *best = NULL;
    unsigned looked_at = 0;

    queue_charge(from, now);
    queue_charge(to, now);
    queue_update_load(from);
    queue_update_load(to);
    if (!from->current) {
        return NULL;
    }
    if (to->weight == 0) {
        return sched_steal(from, to, now);
    }
    balance_align(to);

    int64_t ahead = (int64_t)(fair_machine_time(to) - fair_machine_time(from));
    int64_t gap = ahead + gain(to, to->load) - gain(from, from->load);
    int64_t least = gap / 4 * 3;

    if (ahead < 0) {
        return NULL;
    }
    for (struct tree_node *node = from->fair.first; node && looked_at < CANDIDATES;
         node = tree_next(node), looked_at++) {
        struct sched_entity *entity = fair_entity(node);

        if (!sched_may_run(entity, to->cpu) || entity->fresh || entity->weight == from->weight) {
            continue;
        }

        int64_t after = gap_after(from, to, entity);

        after = after < 0 ? -after : after;
        if (after < least) {
            least = after;
            best = entity;
        }
    }
    if (best) {
        sched_move(from, to, best, now);
    }
    return best;
}
