/* The mechanism of the scheduler: locks, the switch, and what goes from one CPU to another. */
#include <stddef.h>
#include <string.h>

#include "kernel/clock.h"
#include "kernel/cpu/x86.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
#include "kernel/smp.h"
#include "kernel/thread_internal.h"
#include "kernel/time.h"

#define SLICE_NS (UINT64_C(1000) * SLICE_US)

_Static_assert(SMP_CPUS_MAX <= SCHED_CPUS_MAX, "the policy can count all CPUs");
_Static_assert(TIME_NEVER == SCHED_NEVER, "one never for the policy and the alarm");

struct sched_machine scheduler_machine;
static struct run_queue *queues[SMP_CPUS_MAX];

static struct scheduler *scheduler_of(uint32_t cpu)
{
    return (struct scheduler *)((uintptr_t)queues[cpu] - offsetof(struct scheduler, queue));
}

void threads_start_cpu(void)
{
    struct percpu *cpu = this_cpu();
    struct scheduler *scheduler = kzalloc(sizeof(*scheduler));

    ASSERT(scheduler, "there is memory for a CPU's scheduler when it starts");
    if (cpu->index == 0) {
        struct sched_config config = sched_config_for_slice(SLICE_NS);

        sched_machine_init(&scheduler_machine, &config);
    }
    memcpy(scheduler->idle.name, "idle", sizeof("idle"));
    scheduler->current = &scheduler->idle;
    scheduler->due = TIME_NEVER;
    sleepers_init(&scheduler->sleepers);
    sched_queue_init(&scheduler->queue, &scheduler_machine, (uint16_t)cpu->index, cpu->apic_id,
                     clock_ns());
    cpu->scheduler = scheduler;
}

void threads_use_cpus(void)
{
    for (unsigned i = 0; i < smp_count(); i++) {
        queues[i] = &smp_cpu(i)->scheduler->queue;
        queues[i]->topology = smp_cpu(i)->apic_id;
    }
    sched_machine_set_queues(&scheduler_machine, queues, smp_count());
}

struct scheduler *scheduler_lock_of(const struct thread *thread)
{
    for (;;) {
        uint16_t cpu = __atomic_load_n(&thread->entity.cpu, __ATOMIC_RELAXED);
        struct scheduler *scheduler = scheduler_of(cpu);

        spin_lock(&scheduler->lock);
        if (__atomic_load_n(&thread->entity.cpu, __ATOMIC_RELAXED) == cpu) {
            return scheduler;
        }
        spin_unlock(&scheduler->lock);
    }
}

/* Takes a second lock; false if that might wait for ever. */
static bool scheduler_lock_other(const struct scheduler *own, struct scheduler *other)
{
    if (other->queue.cpu > own->queue.cpu) {
        spin_lock(&other->lock);
        return true;
    }
    return spin_trylock(&other->lock);
}

/* Has a CPU decide anew who runs, or at least look at its alarm. */
static void notify(const struct scheduler *scheduler)
{
    if (scheduler != scheduler_here()) {
        smp_kick(smp_cpu(scheduler->queue.cpu));
    }
}

void scheduler_apply(struct scheduler *scheduler, enum sched_effect effect)
{
    switch (effect) {
    case SCHED_NOTHING:
        return;
    case SCHED_REARM:
        scheduler_set_due(scheduler, sched_next_event(&scheduler->queue));
        notify(scheduler);
        return;
    case SCHED_RESCHEDULE:
        if (!atomic_exchange(&scheduler->resched, true)) {
            notify(scheduler);
        }
        return;
    }
}

/* A blocked thread of this CPU can run. With the lock. */
static enum sched_effect make_ready(struct scheduler *scheduler, struct thread *thread,
                                    uint64_t now)
{
    sleepers_remove(&scheduler->sleepers, &thread->sleeper);
    thread->ready_since = now;
    return sched_wake(&scheduler->queue, &thread->entity, now);
}

void scheduler_wake(struct thread *thread, bool counts)
{
    uint64_t now = clock_ns();
    struct scheduler *home = scheduler_lock_of(thread);
    struct scheduler *scheduler = home;

    thread->woken |= counts;
    if (thread->entity.state == SCHED_BLOCKED) {
        uint32_t cpu = sched_place(&scheduler_machine, &thread->entity);

        if (cpu != home->queue.cpu) {
            sleepers_remove(&home->sleepers, &thread->sleeper);
            __atomic_store_n(&thread->entity.cpu, (uint16_t)cpu, __ATOMIC_RELAXED);
            spin_unlock(&home->lock);
            scheduler = scheduler_lock_of(thread);
            thread->woken |= counts;
        }
    }
    /* Someone else may have woken it between the two locks. */
    if (thread->entity.state == SCHED_BLOCKED) {
        scheduler_apply(scheduler, make_ready(scheduler, thread, now));
    } else if (scheduler != home) {
        /* The CPU was given something that it will not get: it is idle as before. */
        scheduler_apply(scheduler, SCHED_RESCHEDULE);
    }
    spin_unlock(&scheduler->lock);
}

static struct thread *first_sleeper(const struct scheduler *scheduler)
{
    return (struct thread *)((uintptr_t)scheduler->sleepers.first -
                             offsetof(struct thread, sleeper));
}

struct sched_entity *scheduler_pick_with_sleepers(struct scheduler *scheduler, uint64_t now,
                                                  uint64_t *event)
{
    struct thread *first = first_sleeper(scheduler);

    sleepers_remove(&scheduler->sleepers, &first->sleeper);
    first->ready_since = now;
    if (sleepers_next(&scheduler->sleepers) > now &&
        sched_wake_alone(&scheduler->queue, &first->entity, now)) {
        *event = SCHED_NEVER;
        return &first->entity;
    }
    /* Whatever it asks for, the decision follows. */
    (void)sched_wake(&scheduler->queue, &first->entity, now);
    while (sleepers_next(&scheduler->sleepers) <= now) {
        (void)make_ready(scheduler, first_sleeper(scheduler), now);
    }
    return sched_pick_until(&scheduler->queue, now, event);
}

struct sched_entity *scheduler_steal(struct scheduler *scheduler, uint64_t now)
{
    struct cpu_mask tried = {{0}};
    uint32_t source;

    while ((source = sched_steal_source(&scheduler->queue, &tried)) != SCHED_NO_CPU) {
        struct scheduler *victim = scheduler_of(source);
        struct sched_entity *stolen;

        if (!scheduler_lock_other(scheduler, victim)) {
            continue;
        }
        stolen = sched_steal(&victim->queue, &scheduler->queue, now);
        spin_unlock(&victim->lock);
        if (stolen) {
            return sched_pick(&scheduler->queue, now);
        }
    }
    return NULL;
}

/* Pushes a thread that waits here to a CPU where it gets more. With the lock, and after the switch:
 * who has just stopped may go too. */
static void balance(struct scheduler *scheduler)
{
    uint64_t now = scheduler->queue.charged_at;
    uint32_t target = sched_balance_target(&scheduler->queue, now);
    struct scheduler *other;

    if (target == SCHED_NO_CPU) {
        return;
    }
    other = scheduler_of(target);
    if (!scheduler_lock_other(scheduler, other)) {
        return;
    }
    if (sched_push(&scheduler->queue, &other->queue, now)) {
        scheduler_apply(other, SCHED_RESCHEDULE);
        scheduler_set_due(scheduler, sched_next_event(&scheduler->queue));
    }
    spin_unlock(&other->lock);
}

void scheduler_finish_rest(struct scheduler *scheduler)
{
    struct thread *ended = scheduler->ended;

    if (sched_balance_due(&scheduler->queue, scheduler->queue.charged_at)) {
        balance(scheduler);
    }
    scheduler->ended = NULL;
    spin_unlock(&scheduler->lock);
    if (ended) {
        thread_release_settings(ended);
        stack_free(ended->stack, ended->stack_size);
        kfree(ended);
    }
}

uint64_t thread_slice_end(void)
{
    const struct scheduler *scheduler = scheduler_here();

    return atomic_load_explicit(&scheduler->resched, memory_order_relaxed) ? 0 : scheduler->due;
}

void thread_alarm(void)
{
    struct scheduler *scheduler = scheduler_here();

    if (scheduler && clock_ns() >= scheduler->due) {
        atomic_store(&scheduler->resched, true);
    }
}
