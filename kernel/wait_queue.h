/*
 * Threads that wait, first come first served: a list of places on their own stacks. Whoever has the
 * lock that guards it may use it. Pure.
 */
#ifndef KERNEL_WAIT_QUEUE_H
#define KERNEL_WAIT_QUEUE_H

#include <stddef.h>

struct thread;

struct waiter {
    struct thread *thread;
    struct waiter *next;
};

/* Empty when all zero. */
struct wait_queue {
    struct waiter *first;
    struct waiter *last; /* if there is a first */
};

/** Puts a waiter at the end. */
static inline void wait_queue_add(struct wait_queue *queue, struct waiter *waiter)
{
    waiter->next = NULL;
    if (queue->first) {
        queue->last->next = waiter;
    } else {
        queue->first = waiter;
    }
    queue->last = waiter;
}

/** Takes out the first and returns its thread; NULL if nobody waits. */
static inline struct thread *wait_queue_take(struct wait_queue *queue)
{
    struct waiter *first = queue->first;

    if (!first) {
        return NULL;
    }
    queue->first = first->next;
    return first->thread;
}

#endif
