#include "kernel/fifo.h"

#include <stddef.h>

void fifo_add(struct fifo *fifo, struct fifo_entry *entry)
{
    entry->next = NULL;
    if (fifo->first) {
        fifo->last->next = entry;
    } else {
        fifo->first = entry;
    }
    fifo->last = entry;
}

struct fifo_entry *fifo_take(struct fifo *fifo)
{
    struct fifo_entry *entry = fifo->first;

    if (entry) {
        fifo->first = entry->next;
    }
    return entry;
}

uint64_t fifo_slice_end(const struct fifo *fifo, uint64_t now)
{
    return fifo_empty(fifo) ? UINT64_MAX : now + FIFO_SLICE_NS;
}
