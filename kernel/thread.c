#include "kernel/thread.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/cpu/x86.h"
#include "kernel/fifo.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
#include "kernel/sleepers.h"
#include "kernel/smp.h"
#include "kernel/thread_switch.h"
#include "kernel/time.h"

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_BLOCKED, THREAD_ENDED };

/* Everything but name and function is changed under the lock of the CPU's scheduler only. */
struct thread {
    struct fifo_entry entry; /* while ready */
    struct sleeper sleeper;  /* while blocked with a deadline */
    enum thread_state state;
    bool woken; /* a wake that no block has used up */
    struct percpu *_Atomic cpu;
    uint64_t stack_pointer; /* while it does not run */
    void *stack;            /* its top; NULL: an idle thread, whose stack is not ours */
    uint64_t run_time;
    uint64_t wait_time;
    uint64_t ready_since;
    void (*function)(void *context);
    void *context;
    char name[THREAD_NAME_SIZE];
};

/* One CPU's threads. */
struct scheduler {
    struct spinlock lock; /* interrupts off; held over a switch, released by who runs next */
    struct fifo ready;
    struct sleepers sleepers;
    struct thread *current;
    struct thread *ended; /* left its stack for good in the last switch */
    uint64_t switched_at; /* when current began to run */
    /* Any CPU may read these. */
    _Atomic uint64_t due; /* when the next decision is, if nothing happens */
    _Atomic bool resched; /* something has changed: who runs has to be decided anew */
    struct thread idle;
};

#define CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static struct scheduler *here(void)
{
    return this_cpu()->scheduler;
}

struct thread *thread_current(void)
{
    return here()->current;
}

const char *thread_name(const struct thread *thread)
{
    return thread->name;
}

uint64_t thread_run_time(const struct thread *thread)
{
    return __atomic_load_n(&thread->run_time, __ATOMIC_RELAXED);
}

uint64_t thread_wait_time(const struct thread *thread)
{
    return __atomic_load_n(&thread->wait_time, __ATOMIC_RELAXED);
}

void threads_start_cpu(void)
{
    struct percpu *cpu = this_cpu();
    struct scheduler *scheduler = kzalloc(sizeof(*scheduler));

    ASSERT(scheduler, "there is memory for a CPU's scheduler when it starts");
    memcpy(scheduler->idle.name, "idle", sizeof("idle"));
    scheduler->idle.cpu = cpu;
    scheduler->idle.state = THREAD_RUNNING;
    scheduler->current = &scheduler->idle;
    scheduler->due = TIME_NEVER;
    scheduler->switched_at = time_ns();
    cpu->scheduler = scheduler;
}

/* Has a CPU decide anew who runs. */
static void request_decision(struct percpu *cpu)
{
    struct scheduler *scheduler = cpu->scheduler;

    if (!atomic_exchange(&scheduler->resched, true) && cpu != this_cpu()) {
        smp_kick(cpu);
    }
}

/* With the lock held. */
static void make_ready(struct scheduler *scheduler, struct thread *thread, uint64_t now)
{
    sleepers_remove(&scheduler->sleepers, &thread->sleeper);
    thread->state = THREAD_READY;
    thread->ready_since = now;
    fifo_add(&scheduler->ready, &thread->entry);
}

/* It is about to run. */
static void add_wait_time(struct thread *thread, uint64_t now)
{
    /* It was woken by another CPU, whose TSC may be a little ahead. */
    if (now > thread->ready_since) {
        __atomic_store_n(&thread->wait_time, thread->wait_time + (now - thread->ready_since),
                         __ATOMIC_RELAXED);
    }
}

static void wake_sleepers(struct scheduler *scheduler, uint64_t now)
{
    while (sleepers_next(&scheduler->sleepers) <= now) {
        make_ready(scheduler, CONTAINER(scheduler->sleepers.first, struct thread, sleeper), now);
    }
}

/* After a switch, on the new thread's stack: the one before it is saved by now. */
static void finish_switch(void)
{
    struct scheduler *scheduler = here();
    struct thread *ended = scheduler->ended;

    scheduler->ended = NULL;
    spin_unlock(&scheduler->lock);
    if (ended) {
        stack_free(ended->stack, THREAD_STACK_SIZE);
        kfree(ended);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Picks who runs now. With the lock held and interrupts off; without the lock when it returns,
 * which for a thread that stops running is when it runs again, perhaps on another CPU. */
static void decide(struct scheduler *scheduler)
{
    struct thread *previous = scheduler->current;
    uint64_t now = time_ns();
    struct fifo_entry *entry;
    struct thread *next;

    atomic_store(&scheduler->resched, false);
    wake_sleepers(scheduler, now);
    if (previous->state == THREAD_RUNNING && previous != &scheduler->idle) {
        previous->state = THREAD_READY;
        previous->ready_since = now;
        fifo_add(&scheduler->ready, &previous->entry);
    }
    entry = fifo_take(&scheduler->ready);
    next = entry ? CONTAINER(entry, struct thread, entry) : &scheduler->idle;
    next->state = THREAD_RUNNING;
    if (entry) {
        add_wait_time(next, now);
    }
    __atomic_store_n(&previous->run_time, previous->run_time + (now - scheduler->switched_at),
                     __ATOMIC_RELAXED);
    scheduler->switched_at = now;
    atomic_store(&scheduler->due, earlier(fifo_slice_end(&scheduler->ready, now),
                                          sleepers_next(&scheduler->sleepers)));
    if (next != previous) {
        if (previous->state == THREAD_ENDED) {
            scheduler->ended = previous;
        }
        scheduler->current = next;
        thread_switch(&previous->stack_pointer, next->stack_pointer);
    }
    finish_switch();
}

_Noreturn void thread_main(void)
{
    struct thread *thread;

    finish_switch();
    thread = thread_current();
    sti();
    thread->function(thread->context);
    thread_exit();
}

static void start(struct thread *thread)
{
    struct scheduler *scheduler = thread->cpu->scheduler;
    bool interrupts = interrupts_save();

    spin_lock(&scheduler->lock);
    make_ready(scheduler, thread, time_ns());
    request_decision(thread->cpu);
    spin_unlock(&scheduler->lock);
    interrupts_restore(interrupts);
}

struct thread *thread_create(const char *name, struct percpu *cpu, void (*function)(void *context),
                             void *context)
{
    struct thread *thread = kzalloc(sizeof(*thread));
    uint64_t *stack;

    if (!thread) {
        return NULL;
    }
    thread->stack = stack_alloc(THREAD_STACK_SIZE);
    if (!thread->stack) {
        kfree(thread);
        return NULL;
    }
    /* As if it had called thread_switch: six registers, then where that returns to. */
    stack = (uint64_t *)thread->stack - 8;
    memset(stack, 0, 8 * sizeof(*stack));
    stack[6] = (uintptr_t)thread_first;
    thread->stack_pointer = (uintptr_t)stack;
    thread->function = function;
    thread->context = context;
    thread->cpu = cpu;
    snprintf(thread->name, sizeof(thread->name), "%s", name);
    start(thread);
    return thread;
}

_Noreturn void thread_exit(void)
{
    struct scheduler *scheduler;

    cli();
    scheduler = here();
    spin_lock(&scheduler->lock);
    scheduler->current->state = THREAD_ENDED;
    decide(scheduler);
    panic("a thread that has ended was run");
}

bool thread_block_until(uint64_t deadline)
{
    bool interrupts = interrupts_save();
    struct scheduler *scheduler = here();
    struct thread *thread = scheduler->current;
    bool woken;

    ASSERT(thread != &scheduler->idle, "an idle thread does not wait");
    spin_lock(&scheduler->lock);
    if (thread->woken || deadline <= time_ns()) {
        woken = thread->woken;
        thread->woken = false;
        spin_unlock(&scheduler->lock);
    } else {
        thread->state = THREAD_BLOCKED;
        if (deadline != TIME_NEVER) {
            sleepers_add(&scheduler->sleepers, &thread->sleeper, deadline);
        }
        decide(scheduler);
        /* Nobody but the one who wakes and the current thread touch it, and a wake that comes from
         * now on counts for this block just as well. */
        woken = __atomic_exchange_n(&thread->woken, false, __ATOMIC_SEQ_CST);
    }
    interrupts_restore(interrupts);
    return woken;
}

void thread_block(void)
{
    (void)thread_block_until(TIME_NEVER);
}

void thread_sleep_until(uint64_t deadline)
{
    bool woken = false;

    while (time_ns() < deadline) {
        woken |= thread_block_until(deadline);
    }
    if (woken) {
        thread_wake(thread_current());
    }
}

/* Locks the scheduler of the CPU to which the thread belongs, which may change until then. */
static struct scheduler *lock_scheduler_of(struct thread *thread)
{
    for (;;) {
        struct percpu *cpu = thread->cpu;
        struct scheduler *scheduler = cpu->scheduler;

        spin_lock(&scheduler->lock);
        if (thread->cpu == cpu) {
            return scheduler;
        }
        spin_unlock(&scheduler->lock);
    }
}

void thread_wake(struct thread *thread)
{
    bool interrupts = interrupts_save();
    struct scheduler *scheduler = lock_scheduler_of(thread);

    __atomic_store_n(&thread->woken, true, __ATOMIC_SEQ_CST);
    if (thread->state == THREAD_BLOCKED) {
        make_ready(scheduler, thread, time_ns());
        request_decision(thread->cpu);
    }
    spin_unlock(&scheduler->lock);
    interrupts_restore(interrupts);
}

void thread_yield(void)
{
    bool interrupts = interrupts_save();
    struct scheduler *scheduler = here();

    spin_lock(&scheduler->lock);
    decide(scheduler);
    interrupts_restore(interrupts);
}

bool thread_should_yield(uint64_t now)
{
    const struct scheduler *scheduler = here();

    return atomic_load_explicit(&scheduler->resched, memory_order_relaxed) || now >= scheduler->due;
}

uint64_t thread_slice_end(void)
{
    return here()->due;
}

void thread_alarm(void)
{
    struct scheduler *scheduler = here();

    if (scheduler && time_ns() >= scheduler->due) {
        atomic_store(&scheduler->resched, true);
    }
}

_Noreturn void thread_idle(void)
{
    struct scheduler *scheduler = here();

    ASSERT(scheduler->current == &scheduler->idle, "the idle loop is the idle thread's");
    for (;;) {
        if (atomic_load(&scheduler->resched)) {
            thread_yield();
            continue;
        }
        alarm_set(scheduler->due);
        sti_hlt();
        cli();
    }
}
