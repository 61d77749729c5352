/*
 * Who waits for a time to come, in the order of those times: a pairing heap, so that any number may
 * wait. Pure; the caller has the lock.
 */
#ifndef KERNEL_SLEEPERS_H
#define KERNEL_SLEEPERS_H

#include <stdbool.h>
#include <stdint.h>

/* Lives inside what sleeps. With `link` NULL it does not. */
struct sleeper {
    uint64_t deadline;
    struct sleeper *child;   /* first of those that wake no earlier */
    struct sleeper *sibling; /* next child of the same parent */
    struct sleeper **link;   /* what points here; NULL: in no heap */
};

struct sleepers {
    struct sleeper *first; /* the earliest */
    uint64_t next;         /* its deadline; UINT64_MAX if there is none */
};

static inline void sleepers_init(struct sleepers *sleepers)
{
    *sleepers = (struct sleepers){.next = UINT64_MAX};
}

static inline bool sleeper_waits(const struct sleeper *sleeper)
{
    return sleeper->link;
}

/** Adds one that is in no heap. */
void sleepers_add(struct sleepers *sleepers, struct sleeper *sleeper, uint64_t deadline);
/** Takes one out; nothing if it is in no heap. */
void sleepers_remove(struct sleepers *sleepers, struct sleeper *sleeper);
/** Deadline of the first, UINT64_MAX if there is none. */
static inline uint64_t sleepers_next(const struct sleepers *sleepers)
{
    return sleepers->next;
}

#endif
