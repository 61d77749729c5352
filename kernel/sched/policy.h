/*
 * The scheduler's policy: who runs next on each CPU, and when to ask again. Pure: the time is
 * passed in, nothing is allocated, no lock is taken and nothing is switched. docs/scheduler.md
 * tells why it is as it is.
 *
 * How the mechanism uses it, on each CPU, with the lock of the CPU's queue held:
 *
 *   alarm, IPI, block, yield   next = sched_pick(queue, now); alarm_set(sched_next_event(queue));
 *   nothing to run             sched_steal_source, sched_steal; then sleep with the alarm set
 *   after the switch           if sched_balance_due: sched_balance_target, sched_push
 *   someone wakes              cpu = sched_place(...), sched_wake(queue of cpu, ...), and tell
 *                              that CPU if the answer asks for it
 *
 * Promises, in ns, for S = slice, R = wake_slice, with n who compete on a CPU, of weights w:
 *
 *   Share    Over any time in which it can run, an entity gets its share by weight, less or more
 *            by at most 1 slice on one CPU.
 *   Wait     Who wakes with weight w_i and the debt D_i (0 <= D_i <= S) runs within
 *
 *                B / (1 - U) + 2 * Q,
 *                B = R + sum over all others j of max(S, R * w_j / w_i)
 *                      + D_i * (sum of all weights) / w_i
 *
 *            where U is what the CPU's reservations and I/O server take of it and Q the sum of
 *            their budgets. Everyone who comes to the queue during the wait counts as an other
 *            and adds its own credit (at most FAIR_CREDIT_SLICES * S; 0 <= what it was owed when
 *            it left), everyone who leaves adds its debt (at most S). Equal weights, no debts,
 *            nothing reserved: n * S. On an idle CPU the wait is 0.
 *   Cap      cap.h: exceeded in no window by more than one slice per member.
 *   Reserve  Every budget is there before its deadline: admission allows, on each CPU, no more than
 *            earliest deadline first can serve.
 *   I/O      Threads that move I/O take no more by their priority than io_budget in each io_period
 *            (twice that in a row, across the border of two periods).
 *
 * All of it plus the lateness of the alarm.
 */
#ifndef KERNEL_SCHED_POLICY_H
#define KERNEL_SCHED_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/sched/balance.h"
#include "kernel/sched/entity.h"
#include "kernel/sched/pick.h"
#include "kernel/sched/queue.h"

/* What the CPU of a queue has to do after a change to the queue. */
enum sched_effect {
    SCHED_NOTHING,
    SCHED_REARM,      /* sched_next_event is earlier than it was: set the alarm again */
    SCHED_RESCHEDULE, /* pick again */
};

/** The configuration for a slice of `slice` ns (100 us to 100 ms); everything else follows from it.
 */
struct sched_config sched_config_for_slice(uint64_t slice);

/** An empty queue for CPU `cpu` of `machine`, with the topological id `topology` (queue.h). */
void sched_queue_init(struct run_queue *queue, struct sched_machine *machine, uint16_t cpu,
                      uint32_t topology, uint64_t now);

/** A blocked entity of SCHED_WEIGHT_DEFAULT which may run on any CPU (settings.h has the rest). It
 * begins with a debt of one slice, so that nothing is gained by being destroyed and made anew. */
void sched_entity_init(const struct sched_machine *machine, struct sched_entity *entity);

/** A blocked entity can run from `now` on, on the queue of the CPU that sched_place named. A vCPU
 * that is reset is blocked and woken like any other: its lag stays. O(log n). */
enum sched_effect sched_wake(struct run_queue *queue, struct sched_entity *entity, uint64_t now);

/** sched_wake and sched_pick in one, for what is waited for most: somebody wakes on a CPU that has
 * nothing else to do. It is current then, and sched_next_event is SCHED_NEVER. False, and nothing
 * is done, if it is not so plain. O(1). */
bool sched_wake_alone(struct run_queue *queue, struct sched_entity *entity, uint64_t now);

/** An entity of this queue, current or ready, can not run any more. If it was current the queue has
 * none until the next pick. O(log n). */
void sched_block(struct run_queue *queue, struct sched_entity *entity, uint64_t now);

/** Current lets others go first at the next pick, which follows. `favoured` (or NULL) is picked if
 * it is on this queue and eligible. Current's own turn comes at most one slice later than it would
 * have, however often it yields. O(1). */
static inline void sched_yield_to(struct run_queue *queue, struct sched_entity *favoured)
{
    queue->yielding = true;
    queue->favoured = favoured;
}

/** sched_pick_until (pick.h), for those who do not want to know until when. O(log n). */
struct sched_entity *sched_pick(struct run_queue *queue, uint64_t now);

/** sched_next_event where somebody is special. */
uint64_t sched_next_special_event(const struct run_queue *queue);

/** When to pick again if nothing happens before; SCHED_NEVER if there is no reason to, in
 * particular when one entity without cap and reservation is alone. O(1). */
static inline uint64_t sched_next_event(const struct run_queue *queue)
{
    uint64_t turn_end;

    if (queue->specials != 0) {
        return sched_next_special_event(queue);
    }
    if (!queue->fair.first || !queue->current) {
        return SCHED_NEVER;
    }
    turn_end = queue->charged_at + fair_request_left(queue->current);
    return turn_end < queue->preempt_at ? turn_end : queue->preempt_at;
}

/** Changes the weight (in range) of an entity of this queue in any state; a blocked one needs no
 * queue (NULL). What it owes or is owed, in CPU time, stays. O(log n). */
enum sched_effect sched_set_weight(struct run_queue *queue, struct sched_entity *entity,
                                   uint32_t weight, uint64_t now);

#endif
