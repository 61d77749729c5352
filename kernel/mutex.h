/*
 * A lock for threads, which may sleep while they hold it or wait for it: for what takes longer than
 * a spinlock should be held. Whoever has waited longest gets it next.
 */
#ifndef KERNEL_MUTEX_H
#define KERNEL_MUTEX_H

#include <stdbool.h>

#include "kernel/cpu/spinlock.h"
#include "kernel/wait_queue.h"

/* Free when all zero. */
struct mutex {
    struct spinlock lock; /* of the rest; interrupts off */
    struct thread *owner; /* NULL: it is free */
    struct wait_queue waiters;
};

/** Waits until the mutex is the current thread's, which does not have it yet. A wake-up that comes
 * meanwhile for something else still counts for the thread's next block. An idle thread takes it
 * only where nobody else can. */
void mutex_lock(struct mutex *mutex);
/** Hands it to whoever has waited longest. It is the current thread's. */
void mutex_unlock(struct mutex *mutex);
/** True if the current thread has it. */
bool mutex_is_mine(const struct mutex *mutex);

#endif
