#include "guest/timer.h"

void timer_queue_init(struct timer_queue *queue, uint64_t (*clock)(void *context), void *context)
{
    queue->first = NULL;
    queue->changed = false;
    queue->new_first = false;
    queue->clock = clock;
    queue->context = context;
}

void timer_init(struct timer *timer, struct timer_queue *queue,
                void (*expire)(void *context, uint64_t deadline), void *context)
{
    *timer = (struct timer){.queue = queue, .expire = expire, .context = context};
}

void timer_cancel(struct timer *timer)
{
    if (!timer->previous_link) {
        return;
    }
    timer->queue->changed |= timer->previous_link == &timer->queue->first;
    *timer->previous_link = timer->next;
    if (timer->next) {
        timer->next->previous_link = timer->previous_link;
    }
    timer->previous_link = NULL;
}

void timer_arm(struct timer *timer, uint64_t deadline)
{
    struct timer_queue *queue = timer->queue;
    struct timer **link = &queue->first;

    timer_cancel(timer);
    while (*link && (*link)->deadline <= deadline) {
        link = &(*link)->next;
    }
    if (link == &queue->first) {
        queue->changed = true;
        queue->new_first = true;
    }
    timer->deadline = deadline;
    timer->next = *link;
    timer->previous_link = link;
    *link = timer;
    if (timer->next) {
        timer->next->previous_link = &timer->next;
    }
}

void timer_run(struct timer_queue *queue, uint64_t now)
{
    struct timer **end = &queue->first;

    while (*end && (*end)->deadline <= now) {
        end = &(*end)->next;
    }
    if (end == &queue->first) {
        return;
    }
    /* The due timers move to a list of their own: what is armed meanwhile goes to the queue and so
     * waits for the next call, and a due timer that another one cancels still finds its links. */
    struct timer *due = queue->first;
    queue->changed = true;
    queue->first = *end;
    *end = NULL;
    if (queue->first) {
        queue->first->previous_link = &queue->first;
    }
    due->previous_link = &due;
    while (due) {
        struct timer *timer = due;

        timer_cancel(timer);
        timer->expire(timer->context, timer->deadline);
    }
}
