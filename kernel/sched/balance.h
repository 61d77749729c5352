/*
 * Many queues: where the woken go, and what moves between queues.
 */
#ifndef KERNEL_SCHED_BALANCE_H
#define KERNEL_SCHED_BALANCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/sched/cpu_mask.h"
#include "kernel/sched/entity.h"
#include "kernel/sched/run_queue.h"

#define SCHED_NO_CPU UINT32_MAX

struct sched_machine {
    struct sched_config config;
    struct run_queue *const *queues; /* of each CPU */
    uint32_t cpus;                   /* at most SCHED_CPUS_MAX */
    /* Who has nothing to run and has not been given anything. */
    _Atomic uint64_t idle[CPU_MASK_WORDS];
    /* The machine's virtual time: the mean over all who compete on queues that have waiters, when
     * it was last looked at; and how much it gains in 1024 ns. */
    _Atomic uint64_t virtual_time;
    _Atomic uint64_t virtual_at;
    _Atomic uint64_t virtual_rate;
};

/** No CPUs yet. */
void sched_machine_init(struct sched_machine *machine, const struct sched_config *config);

/** The machine has `cpus` CPUs with these queues (the caller's table, which stays), all idle. May
 * be called again when there are more, while nothing but the idle runs. No lock needed. */
void sched_machine_set_queues(struct sched_machine *machine, struct run_queue *const *queues,
                              uint32_t cpus);

/** True if the entity may run on that CPU: it is allowed, and the home of its reservation if it has
 * one. */
bool sched_may_run(const struct sched_entity *entity, uint32_t cpu);

/** Marks the queue's CPU idle, or not idle any more; for sched_pick. O(1). */
void balance_begin_idle(const struct run_queue *queue);
void balance_end_idle(const struct run_queue *queue);

/** The machine's virtual time at `now`; false if there has been none recently, because no queue had
 * waiters or there is but one CPU. No lock needed. O(1). */
bool machine_virtual_time(const struct sched_machine *machine, uint64_t now, uint64_t *time);

/** Brings the queue's virtual time near the machine's: for one that had nobody to compare with.
 * O(1).
 */
void balance_align(struct run_queue *queue);

/** The CPU on whose queue to wake a blocked entity: the idle one nearest to where it was last,
 * which is then idle no more; or else where it was last, as its share follows it about; or else the
 * allowed one with the least weight. No lock needed. O(CPUs). */
uint32_t sched_place(struct sched_machine *machine, const struct sched_entity *entity);

/** True if this queue, which has waiters and has not done so just now, should compare itself with
 * others. */
bool balance_is_due(const struct run_queue *queue, uint64_t now);

/** True if this queue should compare itself with others. */
static inline bool sched_balance_due(const struct run_queue *queue, uint64_t now)
{
    return queue->fair.first && queue->machine->cpus > 1 &&
           now - queue->balanced_at >= queue->config->least_run && balance_is_due(queue, now);
}

/** The CPU to which this queue should push someone, or SCHED_NO_CPU: the CPU that is the furthest
 * ahead in virtual time, if this one is behind and something can move. O(CPUs). */
uint32_t sched_balance_target(struct run_queue *queue, uint64_t now);

/** Moves the entity that brings the two queues' virtual times closest, one balance_horizon from
 * now, if that makes them distinctly closer than they would be. Returns it, or NULL. What it is
 * owed goes with it. Both locks. Treat the target as after a wake. O(log n). */
struct sched_entity *sched_push(struct run_queue *from, struct run_queue *to, uint64_t now);

/** The queue from which an idle CPU should take someone: the nearest with waiters of those not yet
 * in `tried`, which is then in `tried`; SCHED_NO_CPU if there is none. O(CPUs). */
uint32_t sched_steal_source(const struct run_queue *thief, struct cpu_mask *tried);

/** Moves the waiting entity with the earliest virtual deadline that may run on the thief, which has
 * nothing to run. Returns it, or NULL. Both locks. O(log n) if the first may run there, O(n) in the
 * worst case. */
struct sched_entity *sched_steal(struct run_queue *victim, struct run_queue *thief, uint64_t now);

/** Moves a ready entity to another queue, as is. Both locks; both charged up to now. O(log n). */
void sched_move(struct run_queue *from, struct run_queue *to, struct sched_entity *entity,
                uint64_t now);

#endif
