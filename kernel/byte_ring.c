#include "kernel/byte_ring.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t byte_ring_write(struct byte_ring *ring, const void *bytes, size_t length)
{
    size_t offset = ring->write & (ring->size - 1);
    size_t count = least(length, byte_ring_space(ring));
    size_t to_end = least(count, ring->size - offset);

    memcpy(ring->bytes + offset, bytes, to_end);
    memcpy(ring->bytes, (const uint8_t *)bytes + to_end, count - to_end);
    ring->write += (uint32_t)count;
    return count;
}

size_t byte_ring_read(struct byte_ring *ring, void *bytes, size_t length)
{
    size_t offset = ring->read & (ring->size - 1);
    size_t count = least(length, byte_ring_used(ring));
    size_t to_end = least(count, ring->size - offset);

    memcpy(bytes, ring->bytes + offset, to_end);
    memcpy((uint8_t *)bytes + to_end, ring->bytes, count - to_end);
    ring->read += (uint32_t)count;
    return count;
}
