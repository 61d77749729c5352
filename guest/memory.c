#include "guest/memory.h"

#include <errno.h>
#include <string.h>

#include "kernel/memory/heap.h"

#define NO_BLOCK SIZE_MAX

static size_t block_index(const struct guest_memory *memory, uint64_t guest_phys)
{
    if (guest_phys < memory->low_size) {
        return guest_phys / GUEST_BLOCK_SIZE;
    }
    /* Below 4 GiB the difference wraps to a huge number, which is no offset into high RAM. */
    if (guest_phys - GUEST_HIGH_RAM < memory->high_size) {
        return (guest_phys - GUEST_HIGH_RAM + memory->low_size) / GUEST_BLOCK_SIZE;
    }
    return NO_BLOCK;
}

/* Out of line, so that the usual case stays a handful of instructions; but not "cold", or the
 * compiler clears by dwords to save bytes. Another vCPU may touch the block at the same time. */
static __attribute__((noinline)) void clear_block(struct guest_memory *memory,
                                                  struct guest_block *block)
{
    spin_lock(&memory->lock);
    if (!block->cleared) {
        memset(block->host, 0, GUEST_BLOCK_SIZE);
        __atomic_store_n(&block->cleared, true, __ATOMIC_RELEASE);
    }
    spin_unlock(&memory->lock);
}

static inline struct guest_block *find_block(struct guest_memory *memory, uint64_t guest_phys)
{
    size_t index = block_index(memory, guest_phys);

    if (__builtin_expect(index == NO_BLOCK, 0)) {
        return NULL;
    }
    struct guest_block *block = &memory->blocks[index];
    if (__builtin_expect(!__atomic_load_n(&block->cleared, __ATOMIC_ACQUIRE), 0)) {
        clear_block(memory, block);
    }
    return block;
}

int guest_memory_create(struct guest_memory *memory, uint64_t size,
                        const struct block_source *source)
{
    memset(memory, 0, sizeof(*memory));
    if (size == 0 || size > GUEST_MEMORY_LIMIT) {
        return -EINVAL;
    }
    size = (size + GUEST_BLOCK_SIZE - 1) & ~(GUEST_BLOCK_SIZE - 1);

    size_t count = size / GUEST_BLOCK_SIZE;
    memory->source = source;
    memory->blocks = kzalloc(count * sizeof(memory->blocks[0]));
    if (memory->blocks == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t host_phys = source->alloc();
        if (host_phys == 0) {
            guest_memory_destroy(memory);
            return -ENOMEM;
        }
        memory->blocks[i].host_phys = host_phys;
        memory->blocks[i].host = source->map(host_phys);
        memory->block_count = i + 1;
    }
    memory->size = size;
    memory->low_size = size < GUEST_LOW_RAM_END ? size : GUEST_LOW_RAM_END;
    memory->high_size = size - memory->low_size;
    return 0;
}

void guest_memory_destroy(struct guest_memory *memory)
{
    for (size_t i = 0; i < memory->block_count; i++) {
        memory->source->free(memory->blocks[i].host_phys);
    }
    kfree(memory->blocks);
    memset(memory, 0, sizeof(*memory));
}

void guest_memory_forget(struct guest_memory *memory)
{
    for (size_t i = 0; i < memory->block_count; i++) {
        memory->blocks[i].cleared = false;
    }
}

uint64_t guest_memory_touched(const struct guest_memory *memory)
{
    uint64_t touched = 0;

    for (size_t i = 0; i < memory->block_count; i++) {
        if (__atomic_load_n(&memory->blocks[i].cleared, __ATOMIC_RELAXED)) {
            touched += GUEST_BLOCK_SIZE;
        }
    }
    return touched;
}

struct guest_block *guest_memory_block(struct guest_memory *memory, uint64_t guest_phys,
                                       uint64_t *block_start)
{
    *block_start = guest_phys & ~(GUEST_BLOCK_SIZE - 1);
    return find_block(memory, guest_phys);
}

uint64_t guest_memory_address(const struct guest_memory *memory, size_t index)
{
    uint64_t offset = index * GUEST_BLOCK_SIZE;

    return offset < memory->low_size ? offset : GUEST_HIGH_RAM + (offset - memory->low_size);
}

void *guest_memory_pointer(struct guest_memory *memory, uint64_t guest_phys, size_t length)
{
    uint64_t offset = guest_phys & (GUEST_BLOCK_SIZE - 1);

    if (__builtin_expect(length > GUEST_BLOCK_SIZE - offset, 0)) {
        return NULL;
    }
    struct guest_block *block = find_block(memory, guest_phys);
    return block != NULL ? block->host + offset : NULL;
}

bool guest_memory_contains(const struct guest_memory *memory, uint64_t guest_phys, uint64_t length)
{
    uint64_t start = guest_phys;
    uint64_t size = memory->low_size;

    if (guest_phys >= GUEST_HIGH_RAM) {
        start -= GUEST_HIGH_RAM;
        size = memory->high_size;
    }
    return start <= size && length <= size - start;
}

/* Length of the part of [guest_phys, +length) that lies in the first of its blocks. */
static size_t in_block(uint64_t guest_phys, size_t length)
{
    size_t room = GUEST_BLOCK_SIZE - (guest_phys & (GUEST_BLOCK_SIZE - 1));

    return length < room ? length : room;
}

int guest_memory_read(struct guest_memory *memory, uint64_t guest_phys, void *to, size_t length)
{
    uint8_t *bytes = to;

    if (!guest_memory_contains(memory, guest_phys, length)) {
        return -EFAULT;
    }
    while (length > 0) {
        size_t part = in_block(guest_phys, length);
        memcpy(bytes, guest_memory_pointer(memory, guest_phys, part), part);
        bytes += part;
        guest_phys += part;
        length -= part;
    }
    return 0;
}

/* A block that is about to be written as a whole needs no clearing first. */
static uint8_t *pointer_to_overwrite(struct guest_memory *memory, uint64_t guest_phys, size_t part)
{
    if (part == GUEST_BLOCK_SIZE) {
        memory->blocks[block_index(memory, guest_phys)].cleared = true;
    }
    return guest_memory_pointer(memory, guest_phys, part);
}

int guest_memory_write(struct guest_memory *memory, uint64_t guest_phys, const void *from,
                       size_t length)
{
    const uint8_t *bytes = from;

    if (!guest_memory_contains(memory, guest_phys, length)) {
        return -EFAULT;
    }
    while (length > 0) {
        size_t part = in_block(guest_phys, length);
        memcpy(pointer_to_overwrite(memory, guest_phys, part), bytes, part);
        bytes += part;
        guest_phys += part;
        length -= part;
    }
    return 0;
}

int guest_memory_fill(struct guest_memory *memory, uint64_t guest_phys, uint8_t value,
                      size_t length)
{
    if (!guest_memory_contains(memory, guest_phys, length)) {
        return -EFAULT;
    }
    while (length > 0) {
        size_t part = in_block(guest_phys, length);
        memset(pointer_to_overwrite(memory, guest_phys, part), value, part);
        guest_phys += part;
        length -= part;
    }
    return 0;
}
