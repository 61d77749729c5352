#include "kernel/memory/heap.h"

#include <string.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/paging.h"
#include "kernel/memory/slab.h"

static void *alloc_block(unsigned order)
{
    uint64_t phys = frame_alloc(order);

    return phys == 0 ? NULL : phys_to_virt(phys);
}

static void free_block(void *block, unsigned order)
{
    frame_free(virt_to_phys(block), order);
}

static unsigned order_of_block(const void *block)
{
    return frame_order(virt_to_phys(block));
}

static const struct page_source frames = {
    .alloc = alloc_block, .free = free_block, .order = order_of_block};
static struct slab_heap heap = {.source = &frames};
static struct spinlock lock;

void *kmalloc(size_t size)
{
    bool were_on = interrupts_save();
    void *memory;

    spin_lock(&lock);
    memory = slab_alloc(&heap, size);
    spin_unlock(&lock);
    interrupts_restore(were_on);
    return memory;
}

void *kzalloc(size_t size)
{
    void *memory = kmalloc(size);

    if (memory != NULL) {
        memset(memory, 0, size);
    }
    return memory;
}

void kfree(void *memory)
{
    bool were_on = interrupts_save();

    spin_lock(&lock);
    slab_free(&heap, memory);
    spin_unlock(&lock);
    interrupts_restore(were_on);
}

size_t heap_used(void)
{
    return heap.used;
}
