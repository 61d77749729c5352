#include "vmx/bitmaps.h"

#include <errno.h>

/* The four quarters of the MSR bitmap. */
#define READ_LOW   0u
#define READ_HIGH  1024u
#define WRITE_LOW  2048u
#define WRITE_HIGH 3072u

#define MSR_RANGE_COUNT 0x2000u
#define MSR_HIGH_FIRST  0xc0000000u

static void set_bit(uint8_t *bitmap, uint32_t bit, bool value)
{
    uint8_t mask = (uint8_t)(1u << (bit % 8));

    if (value) {
        bitmap[bit / 8] |= mask;
    } else {
        bitmap[bit / 8] &= (uint8_t)~mask;
    }
}

int io_bitmaps_set(uint8_t bitmaps[IO_BITMAPS_SIZE], uint16_t port, uint32_t count, bool exits)
{
    if (count > IO_BITMAPS_SIZE * 8 - port) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < count; i++) {
        set_bit(bitmaps, port + i, exits);
    }
    return 0;
}

int msr_bitmap_set(uint8_t bitmap[MSR_BITMAP_SIZE], uint32_t msr, bool read_exits, bool write_exits)
{
    if (msr < MSR_RANGE_COUNT) {
        set_bit(bitmap + READ_LOW, msr, read_exits);
        set_bit(bitmap + WRITE_LOW, msr, write_exits);
        return 0;
    }
    if (msr >= MSR_HIGH_FIRST && msr - MSR_HIGH_FIRST < MSR_RANGE_COUNT) {
        set_bit(bitmap + READ_HIGH, msr - MSR_HIGH_FIRST, read_exits);
        set_bit(bitmap + WRITE_HIGH, msr - MSR_HIGH_FIRST, write_exits);
        return 0;
    }
    return -EINVAL;
}
