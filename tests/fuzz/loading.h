/* What the fuzz targets of the loaders share: one small VM whose memory is fresh for each input. */
#ifndef TESTS_FUZZ_LOADING_H
#define TESTS_FUZZ_LOADING_H

#include <stdlib.h>

#include "guest/loader/loader.h"
#include "guest/memory.h"

#define FUZZ_MEMORY (UINT64_C(8) << 20)

static uint64_t fuzz_block_alloc(void)
{
    return (uint64_t)(uintptr_t)aligned_alloc(GUEST_BLOCK_SIZE, GUEST_BLOCK_SIZE);
}

static void fuzz_block_free(uint64_t host_phys)
{
    free((void *)(uintptr_t)host_phys);
}

static void *fuzz_block_map(uint64_t host_phys)
{
    return (void *)(uintptr_t)host_phys;
}

static struct guest_memory *fuzz_memory(void)
{
    static const struct block_source source = {fuzz_block_alloc, fuzz_block_free, fuzz_block_map};
    static struct guest_memory memory;

    if (memory.size == 0 && guest_memory_create(&memory, FUZZ_MEMORY, &source) != 0) {
        abort();
    }
    guest_memory_forget(&memory);
    return &memory;
}

/* A refusal has a reason; a start is in RAM. */
static void fuzz_check(int result, const struct boot_state *state, const char *reason)
{
    if (result != 0 ? reason[0] == '\0' : state->rip >= FUZZ_MEMORY) {
        abort();
    }
}

#endif
