#include "tests/unit/loader/block_source.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

unsigned test_blocks_used;
unsigned test_blocks_left = UINT_MAX;

static uint64_t block_alloc(void)
{
    if (test_blocks_left == 0) {
        return 0;
    }
    uint8_t *block = aligned_alloc(GUEST_BLOCK_SIZE, GUEST_BLOCK_SIZE);
    if (block == NULL) {
        abort();
    }
    /* Dirt at both ends, so that a block that is not cleared shows. */
    memset(block, 0xa5, 64);
    memset(block + GUEST_BLOCK_SIZE - 64, 0xa5, 64);
    test_blocks_left--;
    test_blocks_used++;
    return (uint64_t)(uintptr_t)block;
}

static void block_free(uint64_t host_phys)
{
    free((void *)(uintptr_t)host_phys);
    test_blocks_used--;
}

static void *block_map(uint64_t host_phys)
{
    return (void *)(uintptr_t)host_phys;
}

const struct block_source test_blocks = {
    .alloc = block_alloc,
    .free = block_free,
    .map = block_map,
};
