#include "kernel/sched/reservation.h"

#include <errno.h>

int reservation_check(uint64_t budget, uint64_t period)
{
    if (period < RESERVATION_PERIOD_MIN || period > RESERVATION_PERIOD_MAX || budget == 0 ||
        budget > period) {
        return -EINVAL;
    }
    return 0;
}

uint64_t reservation_utilisation(uint64_t budget, uint64_t period)
{
    return (budget * UTILISATION_ONE + period - 1) / period;
}

static void begin_period(struct reservation *reservation, uint64_t deadline)
{
    int64_t budget = (int64_t)reservation->budget;
    int64_t overrun = reservation->remaining < 0 ? reservation->remaining : 0;

    /* An overrun of more than a budget (the machine stood still) is forgiven. */
    reservation->remaining = overrun > -budget ? budget + overrun : budget;
    reservation->deadline = deadline;
}

void reservation_wake(struct reservation *reservation, uint64_t now)
{
    if (now >= reservation->deadline) {
        begin_period(reservation, now + reservation->period);
        return;
    }
    /* remaining / (deadline - now) > budget / period; all are at most 2^30. */
    if (reservation->remaining > 0 && (uint64_t)reservation->remaining * reservation->period >
                                          (reservation->deadline - now) * reservation->budget) {
        begin_period(reservation, now + reservation->period);
    }
}

void reservation_replenish(struct reservation *reservation, uint64_t now)
{
    if (now < reservation->deadline) {
        return;
    }

    uint64_t deadline = reservation->deadline + reservation->period;

    begin_period(reservation, deadline > now ? deadline : now + reservation->period);
}
