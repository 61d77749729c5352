/*
 * Physical memory: a buddy allocator of 4 KiB frames, in blocks of 2^order frames, over the RAM the
 * boot loader reports less what is in use (kernel, modules, firmware tables, framebuffer). Blocks
 * are naturally aligned. Memory is not cleared.
 */
#ifndef KERNEL_MEMORY_FRAMES_H
#define KERNEL_MEMORY_FRAMES_H

#include <stdint.h>

#define FRAME_SIZE      4096u
#define FRAME_MAX_ORDER 18u /* 1 GiB */
#define FRAME_ORDER_2M  9u
#define FRAME_ORDER_1G  18u

/** Works out the free memory from the boot information and makes what lies below 4 GiB available;
 * once. frames_add_high adds the rest when the direct map reaches it. */
void frames_init(void);
void frames_add_high(void);

/** Physical address of a free block of 2^order frames, or 0 when there is none. Any context but
 * NMI. */
uint64_t frame_alloc(unsigned order);
/** Gives a block back whole; it must have come from frame_alloc with this order. Any context
 * but NMI. */
void frame_free(uint64_t phys, unsigned order);
/** The one frame below 1 MiB that is kept, for the code by which other CPUs start; 0: there is
 * none. It is nobody else's, for good. */
uint64_t frame_low(void);
/** Order of the allocated block that starts at `phys`. */
unsigned frame_order(uint64_t phys);
/** Number of free frames, for accounts and leak checks. */
uint64_t frames_free(void);
/** Number of frames that were ever free (RAM that the kernel manages). */
uint64_t frames_total(void);

#endif
