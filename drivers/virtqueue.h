/*
 * A split virtqueue as its driver has it (Virtual I/O Device specification 1.1, section 2.6), in
 * which each descriptor is a buffer by itself. Memory only: who calls tells the device of it.
 *
 * What the device says is looked at before it is used.
 */
#ifndef DRIVERS_VIRTQUEUE_H
#define DRIVERS_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTQUEUE_SIZE_MAX 256u

#define VIRTQUEUE_DEVICE_WRITES (1u << 1) /* a descriptor's buffer is for the device to fill */
#define VIRTQUEUE_NO_INTERRUPT                                                                \
    (1u << 0)                         /* flags of what is available: the driver asks for none \
                                       */
#define VIRTQUEUE_NO_NOTIFY (1u << 0) /* flags of what is used: the device asks for none */

struct virtqueue_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

struct virtqueue_available {
    _Atomic uint16_t flags;
    _Atomic uint16_t index;
    uint16_t ring[];
};

struct virtqueue_used_element {
    uint32_t id;
    uint32_t length;
};

struct virtqueue_used {
    _Atomic uint16_t flags;
    _Atomic uint16_t index;
    struct virtqueue_used_element ring[];
};

struct virtqueue {
    struct virtqueue_descriptor *descriptors;
    struct virtqueue_available *available;
    struct virtqueue_used *used;
    uint16_t size;     /* a power of two */
    uint16_t seen;     /* of what is used */
    uint16_t with_it;  /* descriptors that the device has */
    uint64_t nonsense; /* that the device has said */
};

/* Where the parts lie in the queue's memory, which begins with the descriptors. */
size_t virtqueue_available_offset(uint16_t size);
size_t virtqueue_used_offset(uint16_t size);
/** Bytes of all three. */
size_t virtqueue_bytes(uint16_t size);

/** An empty queue in `memory` (virtqueue_bytes, aligned to 16, cleared here). */
void virtqueue_init(struct virtqueue *queue, void *memory, uint16_t size);

/** Says what a descriptor's buffer is, for good. */
void virtqueue_describe(struct virtqueue *queue, uint16_t descriptor, uint64_t address,
                        uint32_t length, uint16_t flags);

/** Gives the device a descriptor. True if the device wants to be notified. */
bool virtqueue_give(struct virtqueue *queue, uint16_t descriptor);

/** Takes back the next descriptor that the device is done with, into which it has written `length`
 * bytes; false if there is none. */
bool virtqueue_take(struct virtqueue *queue, uint16_t *descriptor, uint32_t *length);

/** Asks the device to interrupt when it is done with a descriptor, or not to. True if there is one
 * to be taken, for which it need not have interrupted. */
bool virtqueue_listen(struct virtqueue *queue, bool interrupts);

#endif
