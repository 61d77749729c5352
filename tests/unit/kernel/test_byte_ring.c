/* The byte ring: wrap, full, empty. */
#include <string.h>

#include "kernel/byte_ring.h"
#include "tests/unit/support/cmocka.h"

static void test_wraps(void **state)
{
    uint8_t memory[8];
    uint8_t out[8];
    /* Just before the counters themselves wrap. */
    struct byte_ring ring = {
        .bytes = memory, .size = sizeof(memory), .write = UINT32_MAX - 4, .read = UINT32_MAX - 4};

    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        assert_int_equal(byte_ring_space(&ring), 8);
        assert_int_equal(byte_ring_write(&ring, "abcde", 5), 5);
        assert_int_equal(byte_ring_used(&ring), 5);
        assert_int_equal(byte_ring_read(&ring, out, 3), 3);
        assert_memory_equal(out, "abc", 3);
        assert_int_equal(byte_ring_write(&ring, "fghijklm", 8), 6);
        assert_int_equal(byte_ring_space(&ring), 0);
        assert_int_equal(byte_ring_write(&ring, "n", 1), 0);
        assert_int_equal(byte_ring_read(&ring, out, 8), 8);
        assert_memory_equal(out, "defghijk", 8);
        assert_int_equal(byte_ring_read(&ring, out, 8), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wraps)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
