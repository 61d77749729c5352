/*
 * The bitmaps that say which ports and MSRs a guest reaches without a VM exit (SDM vol. 3, 25.6.4
 * and 25.6.9). Pure. A set bit exits.
 */
#ifndef VMX_BITMAPS_H
#define VMX_BITMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bitmap A (ports 0 to 0x7fff), then bitmap B. */
#define IO_BITMAPS_SIZE 8192u
#define MSR_BITMAP_SIZE 4096u

/** Ports [port, +count) exit or do not. 0, or -EINVAL if the range leaves the 64 Ki ports. */
int io_bitmaps_set(uint8_t bitmaps[IO_BITMAPS_SIZE], uint16_t port, uint32_t count, bool exits);

/** Whether reads and writes of an MSR exit. 0, or -EINVAL for an MSR outside the two ranges that
 *  the bitmap covers (0-0x1fff and 0xc0000000-0xc0001fff); such MSRs always exit. */
int msr_bitmap_set(uint8_t bitmap[MSR_BITMAP_SIZE], uint32_t msr, bool read_exits,
                   bool write_exits);

#endif
