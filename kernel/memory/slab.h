/*
 * The allocator behind heap.h, over any source of page blocks.
 *
 * Small sizes are cut from one-page slabs, each of one size class and with its own free list; what
 * does not fit a class gets a block of pages for itself. A slab begins with its header, so an
 * object never starts on a page boundary, and a block of pages always does: that tells them apart.
 */
#ifndef KERNEL_MEMORY_SLAB_H
#define KERNEL_MEMORY_SLAB_H

#include <stddef.h>
#include <stdint.h>

#define SLAB_CLASSES 17u

/* Where pages come from: blocks of 2^order pages, aligned to 4 KiB. */
struct page_source {
    void *(*alloc)(unsigned order); /* NULL: none left */
    void (*free)(void *block, unsigned order);
    unsigned (*order)(const void *block); /* of an allocated block */
};

struct slab;

struct slab_heap {
    const struct page_source *source;
    struct slab *partial[SLAB_CLASSES]; /* slabs with at least one free object, per class */
    size_t used;                        /* bytes handed out */
};

/** Memory of at least `size` bytes, 16-byte aligned; NULL if there is none or `size` is 0. */
void *slab_alloc(struct slab_heap *heap, size_t size);

/** Gives it back; NULL is allowed. Panics when it is not an object of this heap. */
void slab_free(struct slab_heap *heap, void *memory);

#endif
