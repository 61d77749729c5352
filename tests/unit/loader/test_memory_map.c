/* guest/loader/memory_map.c: what each size of VM is told of its memory. */
#include "guest/loader/memory_map.h"

#include "tests/unit/support/cmocka.h"

static void assert_entry(const struct memory_map *map, unsigned index, uint64_t base, uint64_t size,
                         uint32_t type)
{
    assert_true(index < map->count);
    assert_int_equal(map->entries[index].base, base);
    assert_int_equal(map->entries[index].size, size);
    assert_int_equal(map->entries[index].type, type);
}

static void assert_map(uint64_t low_size, uint64_t high_size)
{
    const struct guest_memory memory = {.low_size = low_size, .high_size = high_size};
    struct memory_map map;

    memory_map_build(&memory, &map);
    assert_int_equal(map.count, high_size > 0 ? 7 : 6);
    assert_entry(&map, 0, 0, 0x9fc00, MEMORY_MAP_RAM);
    assert_entry(&map, 1, 0x9fc00, 0x400, MEMORY_MAP_RESERVED);
    assert_entry(&map, 2, 0xe0000, 0x20000, MEMORY_MAP_RESERVED);
    assert_entry(&map, 3, 0x100000, low_size - 0x100000, MEMORY_MAP_RAM);
    assert_entry(&map, 4, 0xfec00000, 0x1000, MEMORY_MAP_RESERVED);
    assert_entry(&map, 5, 0xfee00000, 0x1000, MEMORY_MAP_RESERVED);
    if (high_size > 0) {
        assert_entry(&map, 6, 0x100000000, high_size, MEMORY_MAP_RAM);
    }
}

static void test_small(void **state)
{
    (void)state;
    assert_map(0x200000, 0);
    assert_map(0x10000000, 0);
    assert_map(GUEST_LOW_RAM_END, 0);
}

static void test_large(void **state)
{
    (void)state;
    assert_map(GUEST_LOW_RAM_END, 0x200000);
    assert_map(GUEST_LOW_RAM_END, GUEST_MEMORY_LIMIT - GUEST_LOW_RAM_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
