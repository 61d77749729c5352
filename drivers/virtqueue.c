#include "drivers/virtqueue.h"

#include <stdatomic.h>
#include <string.h>

#define DESCRIPTOR_SIZE 16u
#define USED_ALIGNMENT  4u

_Static_assert(sizeof(struct virtqueue_descriptor) == DESCRIPTOR_SIZE, "the device's");
_Static_assert(sizeof(struct virtqueue_used_element) == 8, "the device's");

size_t virtqueue_available_offset(uint16_t size)
{
    return (size_t)size * DESCRIPTOR_SIZE;
}

size_t virtqueue_used_offset(uint16_t size)
{
    /* There is a number more behind each ring, for a feature that is not used here. */
    size_t end = virtqueue_available_offset(size) + sizeof(struct virtqueue_available) +
                 (size + 1u) * sizeof(uint16_t);

    return (end + USED_ALIGNMENT - 1) / USED_ALIGNMENT * USED_ALIGNMENT;
}

size_t virtqueue_bytes(uint16_t size)
{
    return virtqueue_used_offset(size) + sizeof(struct virtqueue_used) +
           size * sizeof(struct virtqueue_used_element) + sizeof(uint16_t);
}

void virtqueue_init(struct virtqueue *queue, void *memory, uint16_t size)
{
    uint8_t *bytes = memory;

    memset(memory, 0, virtqueue_bytes(size));
    *queue = (struct virtqueue){
        .descriptors = memory,
        .available = (struct virtqueue_available *)(bytes + virtqueue_available_offset(size)),
        .used = (struct virtqueue_used *)(bytes + virtqueue_used_offset(size)),
        .size = size,
    };
}

void virtqueue_describe(struct virtqueue *queue, uint16_t descriptor, uint64_t address,
                        uint32_t length, uint16_t flags)
{
    queue->descriptors[descriptor] =
        (struct virtqueue_descriptor){.address = address, .length = length, .flags = flags};
}

bool virtqueue_give(struct virtqueue *queue, uint16_t descriptor)
{
    uint16_t index = atomic_load_explicit(&queue->available->index, memory_order_relaxed);

    queue->available->ring[index % queue->size] = descriptor;
    queue->with_it++;
    atomic_store_explicit(&queue->available->index, (uint16_t)(index + 1), memory_order_release);
    /* The device looks for more after it has asked to be notified: one of the two sees the other.
     */
    atomic_thread_fence(memory_order_seq_cst);
    return !(atomic_load_explicit(&queue->used->flags, memory_order_relaxed) & VIRTQUEUE_NO_NOTIFY);
}

bool virtqueue_take(struct virtqueue *queue, uint16_t *descriptor, uint32_t *length)
{
    /* What the device wrote before the index is read after it. */
    while (queue->seen != atomic_load_explicit(&queue->used->index, memory_order_acquire)) {
        const struct virtqueue_used_element *element =
            &queue->used->ring[queue->seen % queue->size];
        uint32_t id = element->id;

        queue->seen++;
        if (id < queue->size && queue->with_it > 0) {
            queue->with_it--;
            *descriptor = (uint16_t)id;
            *length = element->length;
            return true;
        }
        queue->nonsense++;
    }
    return false;
}

bool virtqueue_listen(struct virtqueue *queue, bool interrupts)
{
    uint16_t flags = (uint16_t)(interrupts ? 0 : VIRTQUEUE_NO_INTERRUPT);

    atomic_store_explicit(&queue->available->flags, flags, memory_order_relaxed);
    /* The device looks at the flags after it has told what it is done with: likewise. */
    atomic_thread_fence(memory_order_seq_cst);
    return queue->seen != atomic_load_explicit(&queue->used->index, memory_order_acquire);
}
