/*
 * The local APIC's timer (SDM vol. 3, 11.5.4): counts LAPIC_TIMER_HZ divided by 1 to 128, or waits
 * for a value of the TSC.
 */
#include "guest/devices/lapic_registers.h"

#define CLOCK_NANOSECONDS (1000000000u / LAPIC_TIMER_HZ)
_Static_assert(1000000000u % LAPIC_TIMER_HZ == 0, "a timer clock is a whole number of nanoseconds");

/* A guest may ask for a period shorter than the host can serve; then ticks are merged, as they
 * would be in IRR anyway, so that the guest still gets to run between them. */
#define SHORTEST_PERIOD 10000u

static uint64_t tick(const struct lapic_timer *timer)
{
    return (uint64_t)timer->divide * CLOCK_NANOSECONDS;
}

static uint64_t period(const struct lapic_timer *timer)
{
    return timer->initial_count * tick(timer);
}

static void arm(struct lapic *lapic, uint64_t deadline)
{
    timer_arm(&lapic->timer.timer, deadline);
    lapic->ops->timer_armed(lapic->context);
}

static void start(struct lapic *lapic, uint64_t deadline)
{
    lapic->timer.running = true;
    lapic->timer.deadline = deadline;
    arm(lapic, deadline);
}

static void stop(struct lapic_timer *timer)
{
    timer->running = false;
    timer->tsc_deadline = 0;
    timer_cancel(&timer->timer);
}

/* The next reload after one that was due at `deadline`. Reloads stay on the grid of the first one,
 * however late they are noticed; those that were missed altogether are merged. */
static uint64_t next_reload(const struct lapic_timer *timer, uint64_t deadline)
{
    uint64_t length = period(timer);
    uint64_t next = deadline + length;
    uint64_t now = timer_now(timer->timer.queue);
    uint64_t earliest = length < SHORTEST_PERIOD ? now + SHORTEST_PERIOD : now + 1;

    if (next < earliest) {
        next += (earliest - next + length - 1) / length * length;
    }
    return next;
}

static void expire(void *context, uint64_t deadline)
{
    struct lapic *lapic = context;
    struct lapic_timer *timer = &lapic->timer;

    if (timer->mode == TIMER_MODE_PERIODIC && timer->initial_count) {
        start(lapic, next_reload(timer, deadline));
    } else {
        timer->running = false;
        timer->tsc_deadline = 0;
    }
    lapic_timer_event(lapic);
}

void lapic_timer_init(struct lapic *lapic, struct timer_queue *timers)
{
    lapic->timer = (struct lapic_timer){.divide = 2};
    timer_init(&lapic->timer.timer, timers, expire, lapic);
}

void lapic_timer_reset(struct lapic *lapic)
{
    stop(&lapic->timer);
    lapic->timer.divide = 2;
    lapic->timer.mode = TIMER_MODE_ONE_SHOT;
    lapic->timer.initial_count = 0;
}

void lapic_timer_set_mode(struct lapic *lapic, uint32_t mode)
{
    struct lapic_timer *timer = &lapic->timer;
    bool was_deadline = timer->mode == TIMER_MODE_DEADLINE;

    /* Between one-shot and periodic the count goes on; to and from TSC-deadline mode disarms
     * (11.5.4.1). */
    if (was_deadline != (mode == TIMER_MODE_DEADLINE)) {
        stop(timer);
    }
    timer->mode = mode;
}

void lapic_timer_set_initial_count(struct lapic *lapic, uint32_t count)
{
    struct lapic_timer *timer = &lapic->timer;

    if (timer->mode == TIMER_MODE_DEADLINE) {
        return;
    }
    timer->initial_count = count;
    if (count) {
        start(lapic, timer_now(timer->timer.queue) + period(timer));
    } else {
        stop(timer);
    }
}

void lapic_timer_set_divide(struct lapic *lapic, uint32_t configuration)
{
    struct lapic_timer *timer = &lapic->timer;
    uint32_t count = lapic_timer_current_count(lapic);
    /* 000: by 2, ... 110: by 128, 111: by 1. */
    uint32_t code = (configuration & 3) | ((configuration & 8) >> 1);

    timer->divide = 1u << ((code + 1) & 7);
    if (timer->running) {
        start(lapic, timer_now(timer->timer.queue) + count * tick(timer));
    }
}

uint32_t lapic_timer_current_count(const struct lapic *lapic)
{
    const struct lapic_timer *timer = &lapic->timer;

    if (!timer->running) {
        return 0;
    }
    uint64_t now = timer_now(timer->timer.queue);
    uint64_t left;

    if (now < timer->deadline) {
        left = timer->deadline - now;
        /* Reloads that are too short to be served one by one still show in the count. */
        if (timer->mode == TIMER_MODE_PERIODIC && left > period(timer)) {
            left = (left - 1) % period(timer) + 1;
        }
    } else if (timer->mode == TIMER_MODE_PERIODIC) {
        left = period(timer) - (now - timer->deadline) % period(timer);
    } else {
        return 0;
    }
    return (uint32_t)((left + tick(timer) - 1) / tick(timer));
}

void lapic_tsc_deadline_write(struct lapic *lapic, uint64_t value)
{
    struct lapic_timer *timer = &lapic->timer;
    uint64_t deadline;

    if (timer->mode != TIMER_MODE_DEADLINE) {
        return;
    }
    timer->tsc_deadline = value;
    if (value == 0) {
        timer_cancel(&timer->timer);
        return;
    }
    deadline = lapic->ops->deadline_from_tsc(lapic->context, value);
    if (deadline == 0) {
        stop(timer);
        lapic_timer_event(lapic);
    } else {
        arm(lapic, deadline);
    }
}

void lapic_tsc_changed(struct lapic *lapic)
{
    lapic_tsc_deadline_write(lapic, lapic->timer.tsc_deadline);
}
