/*
 * The kernel heap: for structures smaller than a few pages. Larger blocks come from frames.h.
 */
#ifndef KERNEL_MEMORY_HEAP_H
#define KERNEL_MEMORY_HEAP_H

#include <stddef.h>

/** 16-byte aligned memory, not cleared; NULL when memory is short. Size 0 gives NULL. Any context
 * but NMI. */
void *kmalloc(size_t size);
/** As kmalloc, cleared. */
void *kzalloc(size_t size);
/** Frees what kmalloc or kzalloc gave; NULL is allowed. */
void kfree(void *memory);
/** Bytes handed out now, for accounts and leak checks. */
size_t heap_used(void);

#endif
