/*
 * The buddy allocator: the arithmetic behind frames.h, over any array of frames.
 *
 * Blocks are 2^order frames, aligned to their size. One byte of state per frame says whether a
 * block starts there, which, and whether it is free; the free blocks of an order are linked through
 * their own first bytes. So adding memory costs by the number of blocks, not of frames.
 */
#ifndef KERNEL_MEMORY_BUDDY_H
#define KERNEL_MEMORY_BUDDY_H

#include <stdint.h>

#include "kernel/memory/frames.h"

#define BUDDY_ORDERS (FRAME_MAX_ORDER + 1)

/* The head of a free block. */
struct buddy_block {
    struct buddy_block *next;
    struct buddy_block *previous; /* NULL: first in its list */
};

struct buddy {
    uintptr_t map;  /* where address 0 of the managed memory can be reached */
    uint8_t *state; /* per frame */
    uint64_t frame_count;
    uint64_t free;      /* frames */
    uint64_t total;     /* frames ever added */
    uint32_t available; /* bit per order: its list is not empty */
    struct buddy_block *lists[BUDDY_ORDERS];
};

/** No memory yet. `state` holds `frame_count` bytes, all zero; addresses from
 * frame_count * FRAME_SIZE up are never managed. */
void buddy_init(struct buddy *buddy, uint8_t *state, uint64_t frame_count, void *map);

/** Adds the whole frames in [base, end), which were never added before. */
void buddy_add(struct buddy *buddy, uint64_t base, uint64_t end);

/** Address of a block, or UINT64_MAX when there is none. */
uint64_t buddy_alloc(struct buddy *buddy, unsigned order);

/** Panics if there is no allocated block of that order at that address. */
void buddy_free(struct buddy *buddy, uint64_t address, unsigned order);

/** Order of the allocated block that starts at `address`; panics if none does. */
unsigned buddy_order(const struct buddy *buddy, uint64_t address);

#endif
