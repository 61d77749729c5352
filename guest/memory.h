/*
 * A guest's RAM, and the only way the host reaches it. Addresses are guest-physical; every access
 * is checked for range and length, and what a guest may change while it is read is copied once.
 *
 * RAM lies in [0, low_size) and, what does not fit under 3 GiB, in [4 GiB, +high_size). It is
 * backed by 2 MiB blocks of host memory which are taken when the VM is made (so a running guest
 * never meets a shortage) and cleared when first touched.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/cpu/spinlock.h"

#define GUEST_LOW_RAM_END  UINT64_C(0xc0000000)
#define GUEST_HIGH_RAM     UINT64_C(0x100000000)
#define GUEST_BLOCK_SIZE   UINT64_C(0x200000)
#define GUEST_MEMORY_LIMIT UINT64_C(0x10000000000) /* 1 TiB per VM */

/* Where blocks of host memory come from: the kernel's frames, or a test's heap. */
struct block_source {
    /** Host-physical address of a 2 MiB aligned block, 0 when there is none. */
    uint64_t (*alloc)(void);
    void (*free)(uint64_t host_phys);
    /** Address by which the host reaches it. */
    void *(*map)(uint64_t host_phys);
};

struct guest_block {
    uint64_t host_phys;
    uint8_t *host; /* its address */
    bool cleared;
};

struct guest_memory {
    const struct block_source *source;
    uint64_t size; /* bytes of RAM, multiple of 2 MiB */
    uint64_t low_size;
    uint64_t high_size;
    size_t block_count;
    struct guest_block *blocks;
    struct spinlock lock; /* while a block is cleared */
};

/** Takes `size` bytes (rounded up to 2 MiB). 0, -EINVAL (0 or over GUEST_MEMORY_LIMIT), -ENOMEM
 * (nothing is kept). */
int guest_memory_create(struct guest_memory *memory, uint64_t size,
                        const struct block_source *source);
void guest_memory_destroy(struct guest_memory *memory);
/** Marks all blocks as to be cleared again before their next use (VM reset). */
void guest_memory_forget(struct guest_memory *memory);

/** Bytes of RAM that were ever used since the VM was made or reset. Any CPU, as of a moment ago. */
uint64_t guest_memory_touched(const struct guest_memory *memory);

/** The block behind `guest_phys`, cleared if it was not yet; NULL if there is no RAM.
 * `*block_start` is the guest-physical address of its first byte. */
struct guest_block *guest_memory_block(struct guest_memory *memory, uint64_t guest_phys,
                                       uint64_t *block_start);

/** Guest-physical address of the first byte of blocks[index]. */
uint64_t guest_memory_address(const struct guest_memory *memory, size_t index);

/** Host address of [guest_phys, +length) if that lies inside one block of RAM, else NULL. The guest
 * may change the contents at any time: copy before checking. */
void *guest_memory_pointer(struct guest_memory *memory, uint64_t guest_phys, size_t length);

/** Copies; 0, or -EFAULT when any byte of the range is not RAM (then nothing was copied). */
int guest_memory_read(struct guest_memory *memory, uint64_t guest_phys, void *to, size_t length);
int guest_memory_write(struct guest_memory *memory, uint64_t guest_phys, const void *from,
                       size_t length);
int guest_memory_fill(struct guest_memory *memory, uint64_t guest_phys, uint8_t value,
                      size_t length);
/** True if every byte of the range is RAM (overflow is handled). */
bool guest_memory_contains(const struct guest_memory *memory, uint64_t guest_phys, uint64_t length);

#endif
