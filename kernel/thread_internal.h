/*
 * What the files of the threads share: a thread, and one CPU's scheduler. Who runs next is decided
 * by the policy (kernel/sched/); here is what makes it so.
 *
 * Locks. Each CPU's scheduler has one, which is held over a switch and released by who runs next:
 * so a thread that is ready or blocked under the lock of its CPU has its registers saved. Whoever
 * has one and wants a second waits for it only if that belongs to a CPU of a higher index
 * (scheduler_lock_other). No calls between CPUs are made with one held.
 */
#ifndef KERNEL_THREAD_INTERNAL_H
#define KERNEL_THREAD_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/sched/policy.h"
#include "kernel/sleepers.h"
#include "kernel/thread.h"

/* Everything but name and function is changed under the lock of the CPU's scheduler only. */
struct thread {
    struct sched_entity entity; /* first; its state is the thread's */
    struct sleeper sleeper;     /* while blocked with a deadline */
    bool woken;                 /* a wake that no block has used up */
    uint64_t stack_pointer;     /* while it does not run */
    void *stack;                /* its top; NULL: an idle thread, whose stack is not ours */
    size_t stack_size;
    uint64_t wait_time;
    uint64_t ready_since;
    struct thread_cap *cap;
    void (*function)(void *context);
    void *context;
    char name[THREAD_NAME_SIZE];
};

/* One CPU's threads. */
struct scheduler {
    struct spinlock lock; /* interrupts off */
    struct run_queue queue;
    struct sleepers sleepers;
    struct thread *current; /* whose stack is in use; the queue's current, or `idle` */
    struct thread *ended;   /* leaves its stack for good in the next switch, or did in the last */
    /* Any CPU may read these. */
    _Atomic uint64_t due; /* when the next decision is, if nothing happens */
    _Atomic bool resched; /* something has changed: who runs has to be decided anew */
    struct thread idle;
};

extern struct sched_machine scheduler_machine;

static inline struct scheduler *scheduler_here(void)
{
    return this_cpu()->scheduler;
}

static inline struct thread *thread_of(struct sched_entity *entity)
{
    return (struct thread *)entity;
}

/** Locks the scheduler of the CPU to which the thread belongs, which may change until then.
 * Interrupts off. */
struct scheduler *scheduler_lock_of(const struct thread *thread);

/** Puts the thread, if it is blocked, where it best runs, and has that CPU know; if that `counts`,
 * a block that comes later returns at once. Interrupts off, no lock held. */
void scheduler_wake(struct thread *thread, bool counts);

/** Acts upon a change to the queue: what its CPU now has to do. Lock of that scheduler. */
void scheduler_apply(struct scheduler *scheduler, enum sched_effect effect);

/** sched_pick_until when sleepers of this CPU are due, who then can run. With its lock. */
struct sched_entity *scheduler_pick_with_sleepers(struct scheduler *scheduler, uint64_t now,
                                                  uint64_t *event);

/** This CPU has nothing to run: takes something from another one, and picks it. NULL if there is
 * nothing. With its lock. */
struct sched_entity *scheduler_steal(struct scheduler *scheduler, uint64_t now);

/** Says when the next decision is, after a change to the queue or to the sleepers; `event` is the
 * queue's next. With its lock. */
static inline void scheduler_set_due(struct scheduler *scheduler, uint64_t event)
{
    uint64_t sleeper = sleepers_next(&scheduler->sleepers);

    atomic_store_explicit(&scheduler->due, event < sleeper ? event : sleeper, memory_order_relaxed);
}

/** What is seldom left to do after a switch: others may get what waits here, and a thread may have
 * left its stack for good. Lets go of the lock. */
void scheduler_finish_rest(struct scheduler *scheduler);

/** After a switch, on the new thread's stack, before anything else. */
static inline void scheduler_finish_switch(void)
{
    struct scheduler *scheduler = scheduler_here();

    if (scheduler->ended || sched_balance_due(&scheduler->queue, scheduler->queue.charged_at)) {
        scheduler_finish_rest(scheduler);
    } else {
        spin_unlock(&scheduler->lock);
    }
}

/** Gives back what a thread that has ended holds by its settings. */
void thread_release_settings(struct thread *thread);

#endif
