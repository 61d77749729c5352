/*
 * The order in which a CPU's threads run: first come, first served, each for a slice when others
 * wait. Pure; the caller has the lock.
 */
#ifndef KERNEL_FIFO_H
#define KERNEL_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#define FIFO_SLICE_NS UINT64_C(10000000)

struct fifo_entry {
    struct fifo_entry *next;
};

struct fifo {
    struct fifo_entry *first;
    struct fifo_entry *last;
};

static inline bool fifo_empty(const struct fifo *fifo)
{
    return !fifo->first;
}

/** Puts an entry that is in no queue behind all others. */
void fifo_add(struct fifo *fifo, struct fifo_entry *entry);
/** Takes the first one out; NULL if there is none. */
struct fifo_entry *fifo_take(struct fifo *fifo);
/** Until when one that is picked now may run: UINT64_MAX while nobody else waits. */
uint64_t fifo_slice_end(const struct fifo *fifo, uint64_t now);

#endif
