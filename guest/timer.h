/*
 * The timers of one VM: device models arm them, the run loop runs those that are due. Times are
 * nanoseconds of the VM's clock. Pure: the clock is a function given at the start. Touched only by
 * the CPU that runs the VM's devices.
 */
#ifndef GUEST_TIMER_H
#define GUEST_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_NEVER UINT64_MAX

struct timer_queue;

struct timer {
    struct timer_queue *queue;
    struct timer *next;
    struct timer **previous_link; /* NULL: not armed */
    uint64_t deadline;
    void (*expire)(void *context, uint64_t deadline);
    void *context;
};

struct timer_queue {
    struct timer *first; /* by deadline */
    /* Since someone cleared them: the first one is another or has another deadline; one was armed
     * before all others. */
    bool changed;
    bool new_first;
    uint64_t (*clock)(void *context);
    void *context;
};

void timer_queue_init(struct timer_queue *queue, uint64_t (*clock)(void *context), void *context);
/** Nanoseconds of the VM's clock. */
static inline uint64_t timer_now(const struct timer_queue *queue)
{
    return queue->clock(queue->context);
}
void timer_init(struct timer *timer, struct timer_queue *queue,
                void (*expire)(void *context, uint64_t deadline), void *context);
/** (Re)arms for `deadline`; equal deadlines fire in the order they were armed. */
void timer_arm(struct timer *timer, uint64_t deadline);
void timer_cancel(struct timer *timer);
static inline bool timer_armed(const struct timer *timer)
{
    return timer->previous_link != NULL;
}
/** Deadline of the first timer, TIMER_NEVER if none is armed. */
static inline uint64_t timer_next_deadline(const struct timer_queue *queue)
{
    return queue->first ? queue->first->deadline : TIMER_NEVER;
}
/** Fires every timer whose deadline is not after `now`; a timer may rearm itself (if that is due
 * too, it waits for the next call, so that the call is bounded). */
void timer_run(struct timer_queue *queue, uint64_t now);

#endif
