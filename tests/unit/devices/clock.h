#ifndef TESTS_UNIT_DEVICES_CLOCK_H
#define TESTS_UNIT_DEVICES_CLOCK_H

#include <stdint.h>

#include "guest/timer.h"

/* A VM clock that stands still until a test moves it, and the timers that run by it. */
struct test_clock {
    uint64_t now; /* nanoseconds */
    struct timer_queue timers;
};

static inline uint64_t test_clock_read(void *context)
{
    return ((struct test_clock *)context)->now;
}

static inline void test_clock_init(struct test_clock *clock)
{
    clock->now = 0;
    timer_queue_init(&clock->timers, test_clock_read, clock);
}

/* Moves the clock, stopping at each deadline on the way, as an idle host would. */
static inline void test_clock_run_until(struct test_clock *clock, uint64_t end)
{
    while (timer_next_deadline(&clock->timers) <= end) {
        if (clock->now < timer_next_deadline(&clock->timers)) {
            clock->now = timer_next_deadline(&clock->timers);
        }
        timer_run(&clock->timers, clock->now);
    }
    clock->now = end;
}

/* Numbers that are the same in every run (xorshift). */
static inline uint64_t test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
