#include "kernel/thread.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "kernel/clock.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/x86.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
#include "kernel/thread_internal.h"
#include "kernel/thread_switch.h"
#include "kernel/time.h"

struct thread *thread_current(void)
{
    return scheduler_here()->current;
}

const char *thread_name(const struct thread *thread)
{
    return thread->name;
}

unsigned thread_cpu(const struct thread *thread)
{
    return __atomic_load_n(&thread->entity.cpu, __ATOMIC_RELAXED);
}

uint64_t thread_run_time(const struct thread *thread)
{
    bool interrupts = interrupts_save();
    struct scheduler *scheduler = scheduler_lock_of(thread);
    const struct run_queue *queue = &scheduler->queue;
    uint64_t time = thread->entity.run_time;
    uint64_t now = clock_ns();

    /* Another CPU's clock may be a little behind. */
    if (queue->current == &thread->entity && now > queue->charged_at) {
        time += now - queue->charged_at;
    }
    spin_unlock(&scheduler->lock);
    interrupts_restore(interrupts);
    return time;
}

/* What the idle thread waited for. */
uint64_t thread_busy_time(const struct percpu *cpu)
{
    bool interrupts = interrupts_save();
    struct scheduler *scheduler = cpu->scheduler;
    const struct thread *idle = &scheduler->idle;
    uint64_t time;
    uint64_t now;

    spin_lock(&scheduler->lock);
    time = idle->wait_time;
    now = clock_ns();
    if (scheduler->current != idle && now > idle->ready_since) {
        time += now - idle->ready_since;
    }
    spin_unlock(&scheduler->lock);
    interrupts_restore(interrupts);
    return time;
}

uint64_t thread_wait_time(const struct thread *thread)
{
    return __atomic_load_n(&thread->wait_time, __ATOMIC_RELAXED);
}

uint64_t thread_woken_at(const struct thread *thread)
{
    return thread->ready_since;
}

uint64_t thread_migrations(const struct thread *thread)
{
    return __atomic_load_n(&thread->entity.migrations, __ATOMIC_RELAXED);
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

/* Picks who runs from `now` on, and switches to it. With the lock of this CPU's scheduler; without
 * it when this returns, which for a thread that stops running is when it runs again, perhaps on
 * another CPU. */
__attribute__((noinline)) static void decide(struct scheduler *scheduler, uint64_t now)
{
    struct thread *previous = scheduler->current;
    struct sched_entity *entity;
    struct thread *next;
    uint64_t event;

    atomic_store_explicit(&scheduler->resched, false, memory_order_relaxed);
    if (sleepers_next(&scheduler->sleepers) <= now) {
        entity = scheduler_pick_with_sleepers(scheduler, now, &event);
    } else {
        entity = sched_pick_until(&scheduler->queue, now, &event);
    }
    if (!entity) {
        entity = scheduler_steal(scheduler, now);
        event = sched_next_event(&scheduler->queue);
    }
    scheduler_set_due(scheduler, event);
    next = entity ? thread_of(entity) : &scheduler->idle;
    if (next != previous) {
        previous->ready_since = now;
        add_wait_time(next, now);
        scheduler->current = next;
        thread_switch(&previous->stack_pointer, next->stack_pointer);
    }
    scheduler_finish_switch();
}

_Noreturn void thread_main(void)
{
    struct thread *thread;

    scheduler_finish_switch();
    thread = thread_current();
    sti();
    thread->function(thread->context);
    thread_exit();
}

struct thread *thread_create(const char *name, void (*function)(void *context), void *context)
{
    return thread_create_with_stack(THREAD_STACK_SIZE, name, function, context);
}

struct thread *thread_create_with_stack(size_t stack_size, const char *name,
                                        void (*function)(void *context), void *context)
{
    struct thread *thread = kzalloc(sizeof(*thread));
    uint64_t *stack;

    if (!thread) {
        return NULL;
    }
    thread->stack = stack_alloc(stack_size);
    if (!thread->stack) {
        kfree(thread);
        return NULL;
    }
    /* As a switch leaves it: where to go on. */
    stack = (uint64_t *)thread->stack - 2;
    stack[0] = (uintptr_t)thread_first;
    stack[1] = 0;
    thread->stack_size = stack_size;
    thread->stack_pointer = (uintptr_t)stack;
    thread->function = function;
    thread->context = context;
    snprintf(thread->name, sizeof(thread->name), "%s", name);
    sched_entity_init(&scheduler_machine, &thread->entity);
    return thread;
}

void thread_start(struct thread *thread)
{
    bool interrupts = interrupts_save();

    scheduler_wake(thread, false);
    interrupts_restore(interrupts);
}

void thread_wake(struct thread *thread)
{
    bool interrupts = interrupts_save();

    scheduler_wake(thread, true);
    interrupts_restore(interrupts);
}

_Noreturn void thread_exit(void)
{
    struct scheduler *scheduler;
    uint64_t now;

    cli();
    scheduler = scheduler_here();
    spin_lock(&scheduler->lock);
    now = clock_ns();
    sched_block(&scheduler->queue, &scheduler->current->entity, now);
    scheduler->ended = scheduler->current;
    decide(scheduler, now);
    panic("a thread that has ended was run");
}

bool thread_block_until(uint64_t deadline)
{
    bool interrupts = interrupts_save();
    struct scheduler *scheduler = scheduler_here();
    struct thread *thread = scheduler->current;
    uint64_t now;
    bool woken;

    ASSERT(thread != &scheduler->idle, "an idle thread does not wait");
    spin_lock(&scheduler->lock);
    now = clock_ns();
    if (thread->woken || deadline <= now) {
        woken = thread->woken;
        thread->woken = false;
        spin_unlock(&scheduler->lock);
    } else {
        sched_block(&scheduler->queue, &thread->entity, now);
        if (deadline != TIME_NEVER) {
            sleepers_add(&scheduler->sleepers, &thread->sleeper, deadline);
        }
        decide(scheduler, now);
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

    while (clock_ns() < deadline) {
        woken |= thread_block_until(deadline);
    }
    if (woken) {
        thread_wake(thread_current());
    }
}

void thread_yield(void)
{
    bool interrupts = interrupts_save();
    struct scheduler *scheduler = scheduler_here();

    spin_lock(&scheduler->lock);
    decide(scheduler, clock_ns());
    interrupts_restore(interrupts);
}

void thread_yield_to(struct thread *favoured)
{
    bool interrupts = interrupts_save();
    struct scheduler *scheduler = scheduler_here();

    spin_lock(&scheduler->lock);
    sched_yield_to(&scheduler->queue, favoured ? &favoured->entity : NULL);
    decide(scheduler, clock_ns());
    interrupts_restore(interrupts);
}

bool thread_waits_here(const struct thread *thread)
{
    return __atomic_load_n(&thread->entity.state, __ATOMIC_RELAXED) == SCHED_READY &&
           __atomic_load_n(&thread->entity.cpu, __ATOMIC_RELAXED) == this_cpu()->index;
}

_Noreturn void thread_idle(void)
{
    struct scheduler *scheduler = scheduler_here();

    ASSERT(scheduler->current == &scheduler->idle, "the idle loop is the idle thread's");
    for (;;) {
        if (atomic_load(&scheduler->resched)) {
            spin_lock(&scheduler->lock);
            decide(scheduler, clock_ns());
            continue;
        }
        alarm_set(scheduler->due);
        sti_hlt();
        cli();
    }
}
