/*
 * A fair spinning lock (ticket lock) between CPUs. It does not mask interrupts: a lock that an
 * interrupt handler takes too is taken with interrupts off (interrupts_save). An NMI handler may
 * only try.
 */
#ifndef KERNEL_CPU_SPINLOCK_H
#define KERNEL_CPU_SPINLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct spinlock {
    _Atomic uint32_t next;  /* ticket of the next who comes */
    _Atomic uint32_t owner; /* ticket of the one who has the lock */
};

/** Waits until the lock is ours. */
static inline void spin_lock(struct spinlock *lock)
{
    uint32_t ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);

    /* Not a while loop: this way the compiler puts the waiting aside. */
    if (__builtin_expect(atomic_load_explicit(&lock->owner, memory_order_acquire) != ticket, 0)) {
        do {
            __builtin_ia32_pause();
        } while (atomic_load_explicit(&lock->owner, memory_order_acquire) != ticket);
    }
}

/** Takes the lock if it is free; true if it is ours now. */
static inline bool spin_trylock(struct spinlock *lock)
{
    uint32_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);

    return atomic_compare_exchange_strong_explicit(&lock->next, &owner, owner + 1,
                                                   memory_order_acquire, memory_order_relaxed);
}

/** Tries for a bounded time: for callers that may have interrupted the lock's holder. */
static inline bool spin_lock_bounded(struct spinlock *lock)
{
    for (unsigned tries = 0; tries < 2000; tries++) {
        if (spin_trylock(lock)) {
            return true;
        }
        __builtin_ia32_pause();
    }
    return false;
}

/** Gives the lock to whoever has waited longest. */
static inline void spin_unlock(struct spinlock *lock)
{
    uint32_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);

    atomic_store_explicit(&lock->owner, owner + 1, memory_order_release);
}

#endif
