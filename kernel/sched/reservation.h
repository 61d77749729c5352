/*
 * Reservations: so much CPU time in every period, by a constant-bandwidth server (CBS) scheduled
 * earliest deadline first. A vCPU's reservation is one; the I/O threads of a CPU share another.
 *
 * What a server runs beyond its budget is not its own: it leaves the class until its deadline and
 * competes by weight meanwhile (see queue.h).
 */
#ifndef KERNEL_SCHED_RESERVATION_H
#define KERNEL_SCHED_RESERVATION_H

#include <stdbool.h>
#include <stdint.h>

#define RESERVATION_PERIOD_MIN 100000ul     /* ns */
#define RESERVATION_PERIOD_MAX 1000000000ul /* ns */

/* One whole CPU, in the fixed point in which budget / period is counted. */
#define UTILISATION_ONE (1ul << 20)

struct reservation {
    uint64_t budget;   /* ns in each period; 0: no reservation */
    uint64_t period;   /* ns */
    int64_t remaining; /* of the budget; below 0 by what was overrun */
    uint64_t deadline; /* end of the current period: the budget is due by then */
    uint64_t missed;   /* periods that ended with budget due; 0 as long as admission is right */
};

static inline bool reservation_exists(const struct reservation *reservation)
{
    return reservation->budget != 0;
}

/** True if it has budget to run on. */
static inline bool reservation_ready(const struct reservation *reservation)
{
    return reservation->remaining > 0;
}

/** 0 if the budget and period (ns) can be reserved at all, else -EINVAL: the period must be within
 * RESERVATION_PERIOD_MIN and _MAX, the budget not 0 and not longer. */
int reservation_check(uint64_t budget, uint64_t period);

/** budget / period in UTILISATION_ONE, rounded up. */
uint64_t reservation_utilisation(uint64_t budget, uint64_t period);

/**
 * Its owner has become runnable. What is left of the old period stays, unless using it by its
 * deadline would take more than the reserved rate: then a new period begins. So sleeping gains
 * nothing and harms nobody.
 */
void reservation_wake(struct reservation *reservation, uint64_t now);

/** Begins the next period if the current one has ended; an overrun is paid from the new budget. */
void reservation_replenish(struct reservation *reservation, uint64_t now);

#endif
