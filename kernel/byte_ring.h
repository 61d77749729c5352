/*
 * A ring of bytes over memory of the caller, with no locking of its own.
 */
#ifndef KERNEL_BYTE_RING_H
#define KERNEL_BYTE_RING_H

#include <stddef.h>
#include <stdint.h>

struct byte_ring {
    uint8_t *bytes;
    uint32_t size;  /* power of two */
    uint32_t write; /* count of bytes ever written, modulo 2^32; less `read`: how many wait */
    uint32_t read;
};

/** Bytes that wait to be read. */
static inline size_t byte_ring_used(const struct byte_ring *ring)
{
    return (uint32_t)(ring->write - ring->read);
}

/** Bytes that can be written. */
static inline size_t byte_ring_space(const struct byte_ring *ring)
{
    return ring->size - byte_ring_used(ring);
}

/** Writes as many of `length` bytes as there is space for; returns how many. */
size_t byte_ring_write(struct byte_ring *ring, const void *bytes, size_t length);

/** Takes up to `length` bytes out; returns how many. */
size_t byte_ring_read(struct byte_ring *ring, void *bytes, size_t length);

#endif
