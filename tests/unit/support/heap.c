/* The kernel heap over the host's, so that AddressSanitizer sees every allocation. */
#include "kernel/memory/heap.h"

#include <stdlib.h>

void *kmalloc(size_t size)
{
    return size ? malloc(size) : NULL;
}

void *kzalloc(size_t size)
{
    return size ? calloc(1, size) : NULL;
}

void kfree(void *memory)
{
    free(memory);
}
