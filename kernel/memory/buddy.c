#include "kernel/memory/buddy.h"

#include <stdbool.h>
#include <stddef.h>

#include "kernel/panic.h"

/* State of a frame: 0 if no block starts there, else one of these with the order. */
#define STATE_FREE      0x40u
#define STATE_ALLOCATED 0x80u

static struct buddy_block *block_at(const struct buddy *buddy, uint64_t frame)
{
    return (struct buddy_block *)(buddy->map + frame * FRAME_SIZE);
}

static uint64_t frame_of(const struct buddy *buddy, const struct buddy_block *block)
{
    return ((uintptr_t)block - buddy->map) / FRAME_SIZE;
}

static void list_push(struct buddy *buddy, uint64_t frame, unsigned order)
{
    struct buddy_block *block = block_at(buddy, frame);

    block->previous = NULL;
    block->next = buddy->lists[order];
    if (block->next != NULL) {
        block->next->previous = block;
    }
    buddy->lists[order] = block;
    buddy->available |= 1u << order;
    buddy->state[frame] = (uint8_t)(STATE_FREE | order);
}

static void list_remove(struct buddy *buddy, uint64_t frame, unsigned order)
{
    const struct buddy_block *block = block_at(buddy, frame);

    if (block->next != NULL) {
        block->next->previous = block->previous;
    }
    if (block->previous != NULL) {
        block->previous->next = block->next;
    } else {
        buddy->lists[order] = block->next;
        if (block->next == NULL) {
            buddy->available &= ~(1u << order);
        }
    }
    buddy->state[frame] = 0;
}

/* Puts a block into its list, joined with its buddy as long as that is free too. */
static void release(struct buddy *buddy, uint64_t frame, unsigned order)
{
    buddy->free += UINT64_C(1) << order;
    for (; order < FRAME_MAX_ORDER; order++) {
        uint64_t other = frame ^ UINT64_C(1) << order;

        if (other >= buddy->frame_count || buddy->state[other] != (STATE_FREE | order)) {
            break;
        }
        list_remove(buddy, other, order);
        frame &= ~(UINT64_C(1) << order);
    }
    list_push(buddy, frame, order);
}

void buddy_init(struct buddy *buddy, uint8_t *state, uint64_t frame_count, void *map)
{
    *buddy = (struct buddy){.map = (uintptr_t)map, .state = state, .frame_count = frame_count};
}

void buddy_add(struct buddy *buddy, uint64_t base, uint64_t end)
{
    uint64_t frame = (base + FRAME_SIZE - 1) / FRAME_SIZE;
    uint64_t last = end / FRAME_SIZE;

    if (last > buddy->frame_count) {
        last = buddy->frame_count;
    }
    while (frame < last) {
        unsigned order = FRAME_MAX_ORDER;

        /* The largest block that starts here and fits. */
        while ((frame & ((UINT64_C(1) << order) - 1)) != 0 || last - frame < UINT64_C(1) << order) {
            order--;
        }
        release(buddy, frame, order);
        buddy->total += UINT64_C(1) << order;
        frame += UINT64_C(1) << order;
    }
}

uint64_t buddy_alloc(struct buddy *buddy, unsigned order)
{
    uint32_t fitting;
    uint64_t frame;
    unsigned from;

    if (order > FRAME_MAX_ORDER) {
        return UINT64_MAX;
    }
    fitting = buddy->available >> order << order;
    if (fitting == 0) {
        return UINT64_MAX;
    }
    from = (unsigned)__builtin_ctz(fitting);
    frame = frame_of(buddy, buddy->lists[from]);
    list_remove(buddy, frame, from);
    /* The upper halves of what is too large go back. */
    while (from > order) {
        from--;
        list_push(buddy, frame + (UINT64_C(1) << from), from);
    }
    buddy->state[frame] = (uint8_t)(STATE_ALLOCATED | order);
    buddy->free -= UINT64_C(1) << order;
    return frame * FRAME_SIZE;
}

static bool is_allocated(const struct buddy *buddy, uint64_t address)
{
    return address % FRAME_SIZE == 0 && address / FRAME_SIZE < buddy->frame_count &&
           (buddy->state[address / FRAME_SIZE] & STATE_ALLOCATED) != 0;
}

unsigned buddy_order(const struct buddy *buddy, uint64_t address)
{
    ASSERT(is_allocated(buddy, address), "an allocated block starts at this address");
    return buddy->state[address / FRAME_SIZE] & ~STATE_ALLOCATED;
}

void buddy_free(struct buddy *buddy, uint64_t address, unsigned order)
{
    ASSERT(buddy_order(buddy, address) == order, "a block is freed with the order it was made of");
    buddy->state[address / FRAME_SIZE] = 0;
    release(buddy, address / FRAME_SIZE, order);
}
