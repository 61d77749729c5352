/*
 * Windows: memory for large things whose size may not be known in advance. A window's memory is
 * contiguous in addresses and grows at its end, by blocks of frames from anywhere, so that neither
 * does a fragmented machine refuse it nor does anything move.
 */
#ifndef KERNEL_MEMORY_WINDOW_H
#define KERNEL_MEMORY_WINDOW_H

#include <stdint.h>

#define WINDOWS_MAX  128u
#define WINDOW_BLOCK UINT64_C(0x200000)     /* what it grows by at most */
#define WINDOW_SIZE  UINT64_C(0x2000000000) /* the most it can have: 128 GiB */

struct window {
    uint8_t *base;
    uint64_t size;    /* bytes that are there, from `base` */
    uint64_t *blocks; /* physical addresses; all but the last have WINDOW_BLOCK bytes */
    unsigned count;
    unsigned room;       /* for how many there is in `blocks` */
    unsigned last_order; /* of the last one's frames */
    unsigned number;     /* which window it is */
};

/** An empty window. 0, or -ENOSPC if there are too many. Any thread. */
int window_open(struct window *window);
/** Adds a block at the end, the smallest that has `wanted` bytes, but WINDOW_BLOCK at most. After a
 * smaller one no other can follow. The memory is not cleared. 0, -ENOMEM, or -ENOSPC (the window is
 * as large as one can be). */
int window_grow(struct window *window, uint64_t wanted);
/** Gives it all back. By a thread, without a spinlock. */
void window_close(struct window *window);

#endif
