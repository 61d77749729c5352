#include "kernel/memory/window.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"

#define FIRST_ROOM 16u

_Static_assert(WINDOWS_MAX *WINDOW_SIZE == WINDOW_AREA_END - WINDOW_AREA_BASE,
               "the windows fill their area");

static bool taken[WINDOWS_MAX];

int window_open(struct window *window)
{
    for (unsigned i = 0; i < WINDOWS_MAX; i++) {
        if (!__atomic_exchange_n(&taken[i], true, __ATOMIC_ACQUIRE)) {
            *window = (struct window){.base = (uint8_t *)(WINDOW_AREA_BASE + i * WINDOW_SIZE),
                                      .number = i};
            return 0;
        }
    }
    return -ENOSPC;
}

/* Room in the list for one more block. */
static int make_room(struct window *window)
{
    unsigned room = window->room > 0 ? window->room * 2 : FIRST_ROOM;
    uint64_t *blocks;

    if (window->count < window->room) {
        return 0;
    }
    blocks = kmalloc(room * sizeof(*blocks));
    if (!blocks) {
        return -ENOMEM;
    }
    if (window->count > 0) {
        memcpy(blocks, window->blocks, window->count * sizeof(*blocks));
    }
    kfree(window->blocks);
    window->blocks = blocks;
    window->room = room;
    return 0;
}

static unsigned order_for(uint64_t bytes)
{
    unsigned order = 0;

    while (order < FRAME_ORDER_2M && (uint64_t)FRAME_SIZE << order < bytes) {
        order++;
    }
    return order;
}

int window_grow(struct window *window, uint64_t wanted)
{
    unsigned order = order_for(wanted);
    uint64_t size = (uint64_t)FRAME_SIZE << order;
    uint64_t phys;

    ASSERT(window->size % WINDOW_BLOCK == 0, "only the last block of a window is small");
    if (window->size == WINDOW_SIZE) {
        return -ENOSPC;
    }
    phys = make_room(window) == 0 ? frame_alloc(order) : 0;
    if (phys == 0) {
        return -ENOMEM;
    }
    if (paging_map(window->base + window->size, phys, size) != 0) {
        paging_unmap(window->base + window->size, size);
        frame_free(phys, order);
        return -ENOMEM;
    }
    window->blocks[window->count++] = phys;
    window->last_order = order;
    window->size += size;
    return 0;
}

void window_close(struct window *window)
{
    if (window->size > 0) {
        paging_unmap(window->base, window->size);
    }
    for (unsigned i = 0; i < window->count; i++) {
        frame_free(window->blocks[i], i + 1 < window->count ? FRAME_ORDER_2M : window->last_order);
    }
    kfree(window->blocks);
    __atomic_store_n(&taken[window->number], false, __ATOMIC_RELEASE);
}
