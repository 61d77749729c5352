#include "kernel/mutex.h"

#include <stddef.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/panic.h"
#include "kernel/thread.h"

bool mutex_is_mine(const struct mutex *mutex)
{
    return __atomic_load_n(&mutex->owner, __ATOMIC_RELAXED) == thread_current();
}

static void set_owner(struct mutex *mutex, struct thread *thread)
{
    __atomic_store_n(&mutex->owner, thread, __ATOMIC_RELAXED);
}

/* Takes it if it is free, else a place in the queue. */
static bool take_or_queue(struct mutex *mutex, struct waiter *waiter)
{
    bool interrupts = interrupts_save();
    bool taken;

    spin_lock(&mutex->lock);
    taken = !mutex->owner;
    if (taken) {
        set_owner(mutex, waiter->thread);
    } else {
        wait_queue_add(&mutex->waiters, waiter);
    }
    spin_unlock(&mutex->lock);
    interrupts_restore(interrupts);
    return taken;
}

/* With the lock: whoever unlocked it has done with this thread then, which may end. */
static bool was_handed_over(struct mutex *mutex)
{
    bool interrupts = interrupts_save();
    bool mine;

    spin_lock(&mutex->lock);
    mine = mutex_is_mine(mutex);
    spin_unlock(&mutex->lock);
    interrupts_restore(interrupts);
    return mine;
}

void mutex_lock(struct mutex *mutex)
{
    struct waiter waiter = {.thread = thread_current()};

    ASSERT(!mutex_is_mine(mutex), "a thread takes a mutex once");
    if (take_or_queue(mutex, &waiter)) {
        return;
    }
    do {
        thread_block();
    } while (!was_handed_over(mutex));
    /* What ended a block may have been meant for what this thread does otherwise. */
    thread_wake(waiter.thread);
}

void mutex_unlock(struct mutex *mutex)
{
    bool interrupts = interrupts_save();
    struct thread *next;

    ASSERT(mutex_is_mine(mutex), "who unlocks a mutex has it");
    spin_lock(&mutex->lock);
    next = wait_queue_take(&mutex->waiters);
    set_owner(mutex, next);
    if (next) {
        thread_wake(next);
    }
    spin_unlock(&mutex->lock);
    interrupts_restore(interrupts);
}
