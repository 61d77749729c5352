/* I/O and MSR bitmaps: the intended bits change, and no others. The expected places come from the
 * layout in the SDM (vol. 3, 25.6.4 and 25.6.9), worked out here bit by bit. */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <string.h>

#include "vmx/bitmaps.h"

static bool bit(const uint8_t *bitmap, uint32_t number)
{
    return bitmap[number / 8] >> (number % 8) & 1;
}

static void check_ports(bool before, uint16_t port, uint32_t count, bool exits)
{
    static uint8_t bitmaps[IO_BITMAPS_SIZE];

    memset(bitmaps, before ? 0xff : 0, sizeof(bitmaps));
    assert_int_equal(io_bitmaps_set(bitmaps, port, count, exits), 0);
    for (uint32_t i = 0; i < 0x10000; i++) {
        bool inside = i >= port && i < port + count;

        assert_int_equal(bit(bitmaps, i), inside ? exits : before);
    }
}

static void only_named_ports_change(void **state)
{
    (void)state;
    for (unsigned exits = 0; exits < 2; exits++) {
        check_ports(!exits, 0, 1, exits);
        check_ports(!exits, 0x3f8, 8, exits);
        check_ports(!exits, 0x3fb, 3, exits);
        check_ports(!exits, 0x7ffe, 4, exits); /* across bitmaps A and B */
        check_ports(!exits, 0xffff, 1, exits);
        check_ports(!exits, 0, 0x10000, exits);
        check_ports(!exits, 0x80, 0, exits);
    }
}

static void ports_end_at_64k(void **state)
{
    static uint8_t bitmaps[IO_BITMAPS_SIZE];
    static const uint8_t clear[IO_BITMAPS_SIZE];

    (void)state;
    assert_int_equal(io_bitmaps_set(bitmaps, 0xffff, 2, true), -EINVAL);
    assert_int_equal(io_bitmaps_set(bitmaps, 0, 0x10001, true), -EINVAL);
    assert_int_equal(io_bitmaps_set(bitmaps, 1, UINT32_MAX, true), -EINVAL);
    assert_memory_equal(bitmaps, clear, sizeof(bitmaps));
}

static void check_msr(uint32_t msr, uint32_t read_bit, uint32_t write_bit)
{
    static uint8_t bitmap[MSR_BITMAP_SIZE];

    for (unsigned access = 0; access < 4; access++) {
        bool read_exits = access & 1;
        bool write_exits = access & 2;

        for (unsigned before = 0; before < 2; before++) {
            memset(bitmap, before ? 0xff : 0, sizeof(bitmap));
            assert_int_equal(msr_bitmap_set(bitmap, msr, read_exits, write_exits), 0);
            for (uint32_t i = 0; i < MSR_BITMAP_SIZE * 8; i++) {
                bool expected = i == read_bit    ? read_exits
                                : i == write_bit ? write_exits
                                                 : (bool)before;

                assert_int_equal(bit(bitmap, i), expected);
            }
        }
    }
}

static void only_named_msr_changes(void **state)
{
    (void)state;
    check_msr(0, 0, 2048 * 8);
    check_msr(0x10, 0x10, 2048 * 8 + 0x10);
    check_msr(0x1fff, 0x1fff, 2048 * 8 + 0x1fff);
    check_msr(0xc0000000, 1024 * 8, 3072 * 8);
    check_msr(0xc0000080, 1024 * 8 + 0x80, 3072 * 8 + 0x80);
    check_msr(0xc0001fff, 1024 * 8 + 0x1fff, 3072 * 8 + 0x1fff);
}

static void other_msrs_are_refused(void **state)
{
    static const uint32_t outside[] = {0x2000, 0x40000000, 0xbfffffff, 0xc0002000, UINT32_MAX};
    static uint8_t bitmap[MSR_BITMAP_SIZE];
    static const uint8_t clear[MSR_BITMAP_SIZE];

    (void)state;
    for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        assert_int_equal(msr_bitmap_set(bitmap, outside[i], true, true), -EINVAL);
    }
    assert_memory_equal(bitmap, clear, sizeof(bitmap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_named_ports_change),
        cmocka_unit_test(ports_end_at_64k),
        cmocka_unit_test(only_named_msr_changes),
        cmocka_unit_test(other_msrs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
