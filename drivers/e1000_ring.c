#include "drivers/e1000_ring.h"

#include <stdatomic.h>

#define RECEIVE_DONE          (1u << 0)
#define RECEIVE_END_OF_PACKET (1u << 1)

#define SEND_END_OF_PACKET (1u << 0)
#define SEND_INSERT_FCS    (1u << 1) /* the check sum at a frame's end */
#define SEND_REPORT        (1u << 3) /* tell in the status when it is done */
#define SEND_DONE          (1u << 0)

_Static_assert(sizeof(struct e1000_receive_descriptor) == E1000_DESCRIPTOR_SIZE, "the chip's");
_Static_assert(sizeof(struct e1000_send_descriptor) == E1000_DESCRIPTOR_SIZE, "the chip's");

void e1000_receive_ring_init(struct e1000_receive_ring *ring, uint64_t physical)
{
    ring->next = 0;
    ring->damaged = 0;
    for (uint32_t i = 0; i < ring->count; i++) {
        ring->descriptors[i] =
            (struct e1000_receive_descriptor){.address = physical + i * E1000_BUFFER_SIZE};
    }
}

const void *e1000_ring_receive(struct e1000_receive_ring *ring, size_t *length)
{
    for (;;) {
        struct e1000_receive_descriptor *descriptor = &ring->descriptors[ring->next];
        /* What the chip wrote before the status is read after it. */
        uint8_t status = atomic_load_explicit(&descriptor->status, memory_order_acquire);

        if (!(status & RECEIVE_DONE)) {
            return NULL;
        }
        if (status & RECEIVE_END_OF_PACKET && !descriptor->errors &&
            descriptor->length <= E1000_BUFFER_SIZE) {
            *length = descriptor->length;
            return ring->buffers + ring->next * E1000_BUFFER_SIZE;
        }
        ring->damaged++;
        e1000_ring_receive_done(ring);
    }
}

void e1000_ring_receive_done(struct e1000_receive_ring *ring)
{
    struct e1000_receive_descriptor *descriptor = &ring->descriptors[ring->next];

    descriptor->errors = 0;
    descriptor->length = 0;
    atomic_store_explicit(&descriptor->status, 0, memory_order_release);
    ring->next = (ring->next + 1) % ring->count;
}

uint32_t e1000_receive_tail(const struct e1000_receive_ring *ring)
{
    return (ring->next + ring->count - 1) % ring->count;
}

void e1000_send_ring_init(struct e1000_send_ring *ring, uint64_t physical)
{
    ring->tail = 0;
    ring->oldest = 0;
    for (uint32_t i = 0; i < ring->count; i++) {
        ring->descriptors[i] =
            (struct e1000_send_descriptor){.address = physical + i * E1000_BUFFER_SIZE};
    }
}

/* Takes back what the chip is done with. */
static void reclaim(struct e1000_send_ring *ring)
{
    while (ring->oldest != ring->tail &&
           atomic_load_explicit(&ring->descriptors[ring->oldest].status, memory_order_acquire) &
               SEND_DONE) {
        ring->oldest = (ring->oldest + 1) % ring->count;
    }
}

void *e1000_ring_send_buffer(struct e1000_send_ring *ring)
{
    if ((ring->tail + 1) % ring->count == ring->oldest) {
        reclaim(ring);
        if ((ring->tail + 1) % ring->count == ring->oldest) {
            return NULL;
        }
    }
    return ring->buffers + ring->tail * E1000_BUFFER_SIZE;
}

void e1000_ring_send(struct e1000_send_ring *ring, size_t length)
{
    struct e1000_send_descriptor *descriptor = &ring->descriptors[ring->tail];

    descriptor->length = (uint16_t)length;
    descriptor->command = SEND_END_OF_PACKET | SEND_INSERT_FCS | SEND_REPORT;
    atomic_store_explicit(&descriptor->status, 0, memory_order_release);
    ring->tail = (ring->tail + 1) % ring->count;
}
