/*
 * Caps: a ceiling on the CPU time that a group of entities, such as the vCPUs of a VM, takes
 * together, in percent of one CPU; 250 is two and a half CPUs.
 *
 * A cap is a token bucket that fills all the time at the cap's rate. Its whole state is one
 * instant, `empty_at`: at time t the bucket holds what has come in since then, but no more than its
 * depth. Taking tokens moves the instant forward, giving back moves it backward; each is one atomic
 * exchange, so members that run on different CPUs need no lock for it.
 *
 * A member takes tokens before it runs (a grant of at most a slice) and gives back what it did not
 * use. When there are none it books a small grant that will come in later and is off the queue
 * until then: bookings are served in their order, so no member starves another. While it waits for
 * a CPU it holds no more than the small grant.
 *
 * In any window of length t the members run at most t * percent / 100 + one slice per member: a cap
 * on one vCPU is never exceeded by more than one slice. (Reserved budgets are counted but not held
 * up: with a reservation, its budget adds to that.)
 */
#ifndef KERNEL_SCHED_CAP_H
#define KERNEL_SCHED_CAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SCHED_CAP_PERCENT_MAX 100000u

struct sched_cap {
    _Atomic uint64_t empty_at; /* ns */
    _Atomic uint64_t depth;    /* ns of CPU time */
    _Atomic uint32_t percent;  /* 1 to SCHED_CAP_PERCENT_MAX */
    uint32_t members;
    uint64_t reserved; /* utilisation of the members' reservations, in UTILISATION_ONE */
};

/** No members yet. 0, or -EINVAL if `percent` is out of range. */
int cap_init(struct sched_cap *cap, uint32_t percent);

/** Changes the cap while its members run; what they hold stays theirs. 0, -EINVAL if it is out of
 * range, or -EBUSY if the members' reservations need more. Not at once with another change of the
 * cap or its members. `slice` and `grain` as in the configuration. */
int cap_set_percent(struct sched_cap *cap, uint32_t percent, uint64_t slice, uint64_t grain);

/** Counts a member in (+1) or out (-1), and makes the bucket as deep as the bound above allows. */
void cap_change_members(struct sched_cap *cap, int32_t change, uint64_t slice, uint64_t grain);

/** Takes what is there, at most `most` ns; if that is less than `least`, takes nothing and returns
 * 0. Any CPU. */
uint64_t cap_take(struct sched_cap *cap, uint64_t now, uint64_t least, uint64_t most);

/** Takes `amount` ns whether or not they are there; returns the time at which they will be. Any
 * CPU. */
uint64_t cap_book(struct sched_cap *cap, uint64_t now, uint64_t amount);

/** Gives `amount` ns back that were taken or booked. Any CPU. */
void cap_return(struct sched_cap *cap, uint64_t amount);

#endif
