#include "kernel/memory/slab.h"

#include <stdbool.h>

#include "kernel/memory/frames.h"
#include "kernel/panic.h"

#define ALIGNMENT   16u
#define HEADER_SIZE 64u
#define SLAB_MAGIC  0x534c4142u

/* As many of each as fit into a page behind the header. */
static const uint16_t class_sizes[SLAB_CLASSES] = {16,  32,  48,  64,  96,  128,  192,  256, 336,
                                                   400, 496, 576, 672, 800, 1008, 1344, 2016};

struct free_object {
    struct free_object *next;
};

struct slab {
    uint32_t magic;
    uint16_t size_class;
    uint16_t in_use; /* objects */
    uint32_t fresh;  /* offset of the first object that was never handed out */
    struct free_object *free;
    struct slab *next;
    struct slab *previous;
};

_Static_assert(sizeof(struct slab) <= HEADER_SIZE, "the header has room before the first object");

static bool is_full(const struct slab *slab)
{
    return slab->free == NULL && slab->fresh + class_sizes[slab->size_class] > FRAME_SIZE;
}

static void list_push(struct slab_heap *heap, struct slab *slab)
{
    slab->previous = NULL;
    slab->next = heap->partial[slab->size_class];
    if (slab->next != NULL) {
        slab->next->previous = slab;
    }
    heap->partial[slab->size_class] = slab;
}

static void list_remove(struct slab_heap *heap, struct slab *slab)
{
    if (slab->next != NULL) {
        slab->next->previous = slab->previous;
    }
    if (slab->previous != NULL) {
        slab->previous->next = slab->next;
    } else {
        heap->partial[slab->size_class] = slab->next;
    }
}

static void *alloc_pages(struct slab_heap *heap, size_t size)
{
    unsigned order = 0;
    void *block;

    while (order <= FRAME_MAX_ORDER && (size_t)FRAME_SIZE << order < size) {
        order++;
    }
    block = order > FRAME_MAX_ORDER ? NULL : heap->source->alloc(order);
    if (block != NULL) {
        heap->used += (size_t)FRAME_SIZE << order;
    }
    return block;
}

static struct slab *new_slab(struct slab_heap *heap, uint16_t size_class)
{
    struct slab *slab = heap->source->alloc(0);

    if (slab != NULL) {
        *slab = (struct slab){.magic = SLAB_MAGIC, .size_class = size_class, .fresh = HEADER_SIZE};
        list_push(heap, slab);
    }
    return slab;
}

void *slab_alloc(struct slab_heap *heap, size_t size)
{
    uint16_t size_class = 0;
    struct slab *slab;
    void *object;

    if (size == 0) {
        return NULL;
    }
    while (size_class < SLAB_CLASSES && class_sizes[size_class] < size) {
        size_class++;
    }
    if (size_class == SLAB_CLASSES) {
        return alloc_pages(heap, size);
    }
    slab = heap->partial[size_class];
    if (slab == NULL) {
        slab = new_slab(heap, size_class);
        if (slab == NULL) {
            return NULL;
        }
    }
    if (slab->free != NULL) {
        object = slab->free;
        slab->free = slab->free->next;
    } else {
        object = (char *)slab + slab->fresh;
        slab->fresh += class_sizes[size_class];
    }
    slab->in_use++;
    if (is_full(slab)) {
        list_remove(heap, slab);
    }
    heap->used += class_sizes[size_class];
    return object;
}

void slab_free(struct slab_heap *heap, void *memory)
{
    uintptr_t offset = (uintptr_t)memory % FRAME_SIZE;
    struct slab *slab = (struct slab *)((uintptr_t)memory - offset);
    struct free_object *object = memory;

    if (memory == NULL) {
        return;
    }
    if (offset == 0) {
        unsigned order = heap->source->order(memory);

        heap->used -= (size_t)FRAME_SIZE << order;
        heap->source->free(memory, order);
        return;
    }
    ASSERT(slab->magic == SLAB_MAGIC && slab->size_class < SLAB_CLASSES && slab->in_use > 0 &&
               offset >= HEADER_SIZE &&
               (offset - HEADER_SIZE) % class_sizes[slab->size_class] == 0 && offset < slab->fresh,
           "what is freed was allocated from the heap");
    heap->used -= class_sizes[slab->size_class];
    if (is_full(slab)) {
        list_push(heap, slab);
    }
    object->next = slab->free;
    slab->free = object;
    slab->in_use--;
    if (slab->in_use == 0) {
        list_remove(heap, slab);
        slab->magic = 0;
        heap->source->free(slab, 0);
    }
}
