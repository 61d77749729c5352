#include "kernel/sched/cap.h"

#include <errno.h>

#include "kernel/sched/reservation.h"

/* How long the bucket takes to take in `amount`; rounded up, so that rounding never exceeds a cap.
 */
static uint64_t fill_time(const struct sched_cap *cap, uint64_t amount)
{
    uint32_t percent = cap->percent;

    return (amount * 100 + percent - 1) / percent;
}

/* The instant from which the bucket counts at `now`: what came in before has overflowed. */
static uint64_t counted_from(const struct sched_cap *cap, uint64_t empty_at, uint64_t now)
{
    uint64_t full = fill_time(cap, cap->depth);

    return now > full && empty_at < now - full ? now - full : empty_at;
}

static uint32_t whole_cpus(const struct sched_cap *cap)
{
    return (cap->percent + 99) / 100;
}

int cap_init(struct sched_cap *cap, uint32_t percent)
{
    if (percent == 0 || percent > SCHED_CAP_PERCENT_MAX) {
        return -EINVAL;
    }
    atomic_init(&cap->empty_at, 0);
    atomic_init(&cap->depth, 0);
    atomic_init(&cap->percent, percent);
    cap->members = 0;
    cap->reserved = 0;
    return 0;
}

/*
 * What the members hold and what is in the bucket is together never more than one slice per
 * member: as long as at least as many run as the cap has CPUs, it does not grow. Fewer than that,
 * each holding a slice, leave the others' part for the bucket.
 */
static void set_depth(struct sched_cap *cap, uint64_t slice, uint64_t grain)
{
    uint32_t running = whole_cpus(cap) - 1;
    uint32_t parts = cap->members > running ? cap->members - running : 1;

    cap->depth = parts * (slice - grain);
}

int cap_set_percent(struct sched_cap *cap, uint32_t percent, uint64_t slice, uint64_t grain)
{
    if (percent == 0 || percent > SCHED_CAP_PERCENT_MAX) {
        return -EINVAL;
    }
    if (percent * UTILISATION_ONE < cap->reserved * 100) {
        return -EBUSY;
    }
    cap->percent = percent;
    set_depth(cap, slice, grain);
    return 0;
}

void cap_change_members(struct sched_cap *cap, int32_t change, uint64_t slice, uint64_t grain)
{
    cap->members += (uint32_t)change;
    set_depth(cap, slice, grain);
}

uint64_t cap_take(struct sched_cap *cap, uint64_t now, uint64_t least, uint64_t most)
{
    uint64_t seen = atomic_load_explicit(&cap->empty_at, memory_order_relaxed);
    uint64_t from;
    uint64_t amount;

    do {
        from = counted_from(cap, seen, now);
        amount = from < now ? (now - from) * cap->percent / 100 : 0;
        if (amount > most) {
            amount = most;
        }
        if (amount < least || amount == 0) {
            return 0;
        }
    } while (!atomic_compare_exchange_weak_explicit(&cap->empty_at, &seen,
                                                    from + fill_time(cap, amount),
                                                    memory_order_relaxed, memory_order_relaxed));
    return amount;
}

uint64_t cap_book(struct sched_cap *cap, uint64_t now, uint64_t amount)
{
    uint64_t seen = atomic_load_explicit(&cap->empty_at, memory_order_relaxed);
    uint64_t ready;

    do {
        ready = counted_from(cap, seen, now) + fill_time(cap, amount);
    } while (!atomic_compare_exchange_weak_explicit(&cap->empty_at, &seen, ready,
                                                    memory_order_relaxed, memory_order_relaxed));
    return ready;
}

void cap_return(struct sched_cap *cap, uint64_t amount)
{
    /* Rounded down: never gives back more than was taken. */
    uint64_t time = amount * 100 / cap->percent;
    uint64_t seen = atomic_load_explicit(&cap->empty_at, memory_order_relaxed);
    uint64_t back;

    do {
        /* The cap may have been lowered since, and the clock be young. */
        back = seen > time ? seen - time : 0;
    } while (!atomic_compare_exchange_weak_explicit(&cap->empty_at, &seen, back,
                                                    memory_order_relaxed, memory_order_relaxed));
}
