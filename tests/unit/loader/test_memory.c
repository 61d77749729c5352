/* guest/memory.c: ranges, lazy clearing, copies across blocks, the hole under 4 GiB. */
#include "guest/memory.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "tests/unit/loader/block_source.h"
#include "tests/unit/support/cmocka.h"

#define MIB UINT64_C(0x100000)
#define GIB UINT64_C(0x40000000)

static struct guest_memory memory;

static int setup(void **state)
{
    (void)state;
    test_blocks_left = UINT_MAX;
    return guest_memory_create(&memory, 6 * MIB, &test_blocks);
}

static int teardown(void **state)
{
    (void)state;
    guest_memory_destroy(&memory);
    return test_blocks_used == 0 ? 0 : -1;
}

static void test_sizes(void **state)
{
    struct guest_memory other;

    (void)state;
    assert_int_equal(memory.size, 6 * MIB);
    assert_int_equal(memory.block_count, 3);
    assert_int_equal(guest_memory_create(&other, 0, &test_blocks), -EINVAL);
    assert_int_equal(guest_memory_create(&other, GUEST_MEMORY_LIMIT + 1, &test_blocks), -EINVAL);
    assert_int_equal(guest_memory_create(&other, 1, &test_blocks), 0);
    assert_int_equal(other.size, 2 * MIB);
    guest_memory_destroy(&other);
    assert_int_equal(guest_memory_create(&other, 2 * MIB + 1, &test_blocks), 0);
    assert_int_equal(other.size, 4 * MIB);
    guest_memory_destroy(&other);
}

static void test_shortage_keeps_nothing(void **state)
{
    struct guest_memory other;

    (void)state;
    test_blocks_left = 4;
    assert_int_equal(guest_memory_create(&other, 10 * MIB, &test_blocks), -ENOMEM);
    assert_int_equal(test_blocks_used, 3); /* those of setup */
    assert_null(other.blocks);
    guest_memory_destroy(&other); /* harmless */
    assert_int_equal(test_blocks_used, 3);
}

static void test_cleared_on_first_touch(void **state)
{
    (void)state;
    uint8_t *first = guest_memory_pointer(&memory, 0, 1);
    assert_non_null(first);
    assert_int_equal(first[0], 0);
    assert_int_equal(first[GUEST_BLOCK_SIZE - 1], 0);
    assert_true(memory.blocks[0].cleared);
    assert_false(memory.blocks[1].cleared);
    first[7] = 1;
    assert_int_equal(((uint8_t *)guest_memory_pointer(&memory, 0, 8))[7], 1);
    guest_memory_forget(&memory);
    assert_int_equal(((uint8_t *)guest_memory_pointer(&memory, 0, 8))[7], 0);
}

static void test_pointer_stays_in_its_block(void **state)
{
    (void)state;
    assert_non_null(guest_memory_pointer(&memory, 0, 2 * MIB));
    assert_null(guest_memory_pointer(&memory, 0, 2 * MIB + 1));
    assert_null(guest_memory_pointer(&memory, 2 * MIB - 1, 2));
    assert_non_null(guest_memory_pointer(&memory, 2 * MIB - 1, 1));
    assert_non_null(guest_memory_pointer(&memory, 6 * MIB - 8, 8));
    assert_null(guest_memory_pointer(&memory, 6 * MIB - 8, 9));
    assert_null(guest_memory_pointer(&memory, 6 * MIB, 1));
    assert_null(guest_memory_pointer(&memory, 0, SIZE_MAX));
    assert_null(guest_memory_pointer(&memory, UINT64_MAX, 1));
    assert_null(guest_memory_pointer(&memory, GUEST_HIGH_RAM, 1));
    assert_ptr_equal(guest_memory_pointer(&memory, 2 * MIB + 5, 1), memory.blocks[1].host + 5);
}

static void test_block(void **state)
{
    uint64_t start;

    (void)state;
    assert_ptr_equal(guest_memory_block(&memory, 5 * MIB, &start), &memory.blocks[2]);
    assert_int_equal(start, 4 * MIB);
    assert_true(memory.blocks[2].cleared);
    assert_null(guest_memory_block(&memory, 6 * MIB, &start));
}

static void test_copies_across_blocks(void **state)
{
    static uint8_t out[3 * MIB];
    static uint8_t in[3 * MIB];

    (void)state;
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = (uint8_t)(i * 7 + i / 253);
    }
    assert_int_equal(guest_memory_write(&memory, 2 * MIB - 3, out, sizeof(out)), 0);
    assert_int_equal(guest_memory_read(&memory, 2 * MIB - 3, in, sizeof(in)), 0);
    assert_memory_equal(in, out, sizeof(in));
    uint8_t *before = guest_memory_pointer(&memory, 2 * MIB - 4, 1);
    assert_int_equal(*before, 0);
    uint8_t *after = guest_memory_pointer(&memory, 5 * MIB - 3, 1);
    assert_int_equal(*after, 0);
    /* A whole block in the middle was overwritten. */
    assert_int_equal(guest_memory_fill(&memory, MIB, 0x5a, 5 * MIB), 0);
    assert_int_equal(*(uint8_t *)guest_memory_pointer(&memory, 6 * MIB - 1, 1), 0x5a);
    assert_int_equal(*(uint8_t *)guest_memory_pointer(&memory, MIB - 1, 1), 0);
}

static void test_copies_are_all_or_nothing(void **state)
{
    uint8_t bytes[16] = {1, 2, 3};

    (void)state;
    assert_int_equal(guest_memory_write(&memory, 6 * MIB - 15, bytes, 16), -EFAULT);
    assert_int_equal(*(uint8_t *)guest_memory_pointer(&memory, 6 * MIB - 15, 1), 0);
    assert_int_equal(guest_memory_read(&memory, 6 * MIB - 15, bytes, 16), -EFAULT);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(guest_memory_fill(&memory, 6 * MIB - 15, 1, 16), -EFAULT);
    assert_int_equal(guest_memory_read(&memory, UINT64_MAX - 3, bytes, 8), -EFAULT);
    assert_int_equal(guest_memory_read(&memory, 8, bytes, SIZE_MAX), -EFAULT);
    assert_int_equal(guest_memory_read(&memory, 6 * MIB, bytes, 0), 0);
}

static void test_hole_below_4g(void **state)
{
    struct guest_memory large;
    uint64_t value = 0x1122334455667788;

    (void)state;
    assert_int_equal(guest_memory_create(&large, 3 * GIB + 4 * MIB, &test_blocks), 0);
    assert_int_equal(large.low_size, 3 * GIB);
    assert_int_equal(large.high_size, 4 * MIB);
    assert_true(guest_memory_contains(&large, 3 * GIB - 1, 1));
    assert_false(guest_memory_contains(&large, 3 * GIB - 1, 2));
    assert_false(guest_memory_contains(&large, 3 * GIB, 1));
    assert_false(guest_memory_contains(&large, 4 * GIB - 1, 1));
    assert_false(guest_memory_contains(&large, 4 * GIB - 1, 2));
    assert_true(guest_memory_contains(&large, 4 * GIB, 4 * MIB));
    assert_false(guest_memory_contains(&large, 4 * GIB, 4 * MIB + 1));
    assert_false(guest_memory_contains(&large, 4 * GIB + 1, UINT64_MAX));
    assert_null(guest_memory_pointer(&large, 3 * GIB, 1));
    assert_null(guest_memory_pointer(&large, 4 * GIB - 1, 1));
    assert_int_equal(guest_memory_write(&large, 4 * GIB + 2 * MIB - 4, &value, 8), 0);
    assert_int_equal(*(uint32_t *)guest_memory_pointer(&large, 4 * GIB + 2 * MIB, 4), 0x11223344);
    assert_ptr_equal(guest_memory_pointer(&large, 4 * GIB + 2 * MIB, 4),
                     large.blocks[large.block_count - 1].host);
    guest_memory_destroy(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shortage_keeps_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cleared_on_first_touch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pointer_stays_in_its_block, setup, teardown),
        cmocka_unit_test_setup_teardown(test_block, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies_across_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies_are_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hole_below_4g, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
