/* Random numbers that are the same each time, and never the same twice. */
#include "kernel/random.h"

void random_bytes(void *memory, size_t size)
{
    static uint64_t state = 1;
    uint8_t *bytes = memory;

    for (size_t i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (uint8_t)(state >> 56);
    }
}

uint32_t random_u32(void)
{
    uint32_t value;

    random_bytes(&value, sizeof(value));
    return value;
}
