/* Page tables in a made-up memory: what is mapped is found again, page for page. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/memory/page_table.h"
#include "tests/unit/support/cmocka.h"

#define PAGES 64u
#define KIB4  UINT64_C(0x1000)
#define MIB2  UINT64_C(0x200000)
#define GIB1  UINT64_C(0x40000000)

static uint8_t *memory;
static unsigned next_page;
static unsigned page_limit;
static struct page_table table;

static uint64_t alloc_page(void)
{
    return next_page < page_limit ? next_page++ * KIB4 : 0;
}

static int set_up(void **state)
{
    (void)state;
    memory = aligned_alloc(KIB4, PAGES * KIB4);
    assert_non_null(memory);
    /* Table pages come dirty. */
    memset(memory, 0xff, PAGES * KIB4);
    next_page = 1;
    page_limit = PAGES;
    table = (struct page_table){
        .alloc = alloc_page, .map = (uintptr_t)memory, .largest = PAGE_LEVEL_1G};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void assert_maps(uint64_t virt, uint64_t phys, uint64_t flags, enum page_level level)
{
    enum page_level found;
    uint64_t entry = page_table_lookup(&table, virt, &found);

    assert_int_equal(found, level);
    assert_int_equal(entry, phys | flags | PAGE_PRESENT | (level > PAGE_LEVEL_4K ? PAGE_LARGE : 0));
}

static void assert_unmapped(uint64_t virt)
{
    enum page_level level;

    assert_int_equal(page_table_lookup(&table, virt, &level), 0);
}

static void test_empty(void **state)
{
    (void)state;
    assert_unmapped(0);
    assert_unmapped(UINT64_C(0xffffffff80000000));
}

static void test_one_page(void **state)
{
    const uint64_t virt = UINT64_C(0xffffffff80003000);

    (void)state;
    assert_int_equal(page_table_map(&table, virt, 0x5000, KIB4, PAGE_NO_EXECUTE), 0);
    assert_maps(virt, 0x5000, PAGE_NO_EXECUTE, PAGE_LEVEL_4K);
    assert_unmapped(virt - KIB4);
    assert_unmapped(virt + KIB4);
    assert_unmapped(0x3000);
}

/* A range that begins and ends in the middle of large pages. */
static void test_largest_pages(void **state)
{
    const uint64_t virt = UINT64_C(0xffff800000000000);
    const uint64_t first = MIB2 - KIB4;
    const uint64_t end = 2 * GIB1 + MIB2 + KIB4;

    (void)state;
    assert_int_equal(page_table_map(&table, virt + first, first, end - first, PAGE_WRITABLE), 0);
    assert_unmapped(virt + first - KIB4);
    assert_maps(virt + first, first, PAGE_WRITABLE, PAGE_LEVEL_4K);
    assert_maps(virt + MIB2, MIB2, PAGE_WRITABLE, PAGE_LEVEL_2M);
    assert_maps(virt + GIB1 - 1, GIB1 - MIB2, PAGE_WRITABLE, PAGE_LEVEL_2M);
    assert_maps(virt + GIB1, GIB1, PAGE_WRITABLE, PAGE_LEVEL_1G);
    assert_maps(virt + 2 * GIB1, 2 * GIB1, PAGE_WRITABLE, PAGE_LEVEL_2M);
    assert_maps(virt + 2 * GIB1 + MIB2, 2 * GIB1 + MIB2, PAGE_WRITABLE, PAGE_LEVEL_4K);
    assert_unmapped(virt + end);
}

static void test_without_1g_pages(void **state)
{
    (void)state;
    table.largest = PAGE_LEVEL_2M;
    assert_int_equal(page_table_map(&table, GIB1, GIB1, GIB1, 0), 0);
    assert_maps(GIB1, GIB1, 0, PAGE_LEVEL_2M);
    assert_maps(2 * GIB1 - 1, 2 * GIB1 - MIB2, 0, PAGE_LEVEL_2M);
}

/* Physical and virtual address differ in their offset inside a large page. */
static void test_skewed(void **state)
{
    (void)state;
    assert_int_equal(page_table_map(&table, MIB2, KIB4, 2 * MIB2, 0), 0);
    assert_maps(MIB2, KIB4, 0, PAGE_LEVEL_4K);
    assert_maps(3 * MIB2 - 1, 2 * MIB2, 0, PAGE_LEVEL_4K);
}

static void test_splitting(void **state)
{
    const uint64_t flags = PAGE_WRITABLE | PAGE_NO_EXECUTE | PAGE_GLOBAL;
    const uint64_t hole = GIB1 + 5 * MIB2 + 7 * KIB4;

    (void)state;
    page_table_map(&table, GIB1, GIB1, GIB1, flags);
    assert_maps(hole, GIB1, flags, PAGE_LEVEL_1G);
    assert_int_equal(page_table_map(&table, hole, hole, KIB4, PAGE_NO_EXECUTE), 0);
    assert_maps(hole, hole, PAGE_NO_EXECUTE, PAGE_LEVEL_4K);
    assert_maps(hole - KIB4, hole - KIB4, flags, PAGE_LEVEL_4K);
    assert_maps(hole + KIB4, hole + KIB4, flags, PAGE_LEVEL_4K);
    assert_maps(GIB1 + 4 * MIB2, GIB1 + 4 * MIB2, flags, PAGE_LEVEL_2M);
    assert_maps(GIB1 + 6 * MIB2, GIB1 + 6 * MIB2, flags, PAGE_LEVEL_2M);
    assert_maps(2 * GIB1 - 1, 2 * GIB1 - MIB2, flags, PAGE_LEVEL_2M);
}

/* A large range over existing small pages: all of it takes the new mapping. */
static void test_over_small_pages(void **state)
{
    (void)state;
    page_table_map(&table, MIB2 + KIB4, 0x7000, KIB4, PAGE_WRITABLE);
    assert_int_equal(page_table_map(&table, MIB2, MIB2, MIB2, 0), 0);
    assert_maps(MIB2, MIB2, 0, PAGE_LEVEL_4K);
    assert_maps(MIB2 + KIB4, MIB2 + KIB4, 0, PAGE_LEVEL_4K);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    page_limit = 1;
    assert_int_equal(page_table_map(&table, 0, 0, KIB4, 0), -ENOMEM);
    assert_unmapped(0);
    page_limit = 3;
    assert_int_equal(page_table_map(&table, 0, 0, KIB4, 0), -ENOMEM);
    assert_unmapped(0);
    page_limit = PAGES;
    assert_int_equal(page_table_map(&table, 0, 0, KIB4, 0), 0);
    assert_maps(0, 0, 0, PAGE_LEVEL_4K);
}

static void test_unmapping(void **state)
{
    const uint64_t virt = UINT64_C(0xffffe00000000000);
    unsigned pages;

    (void)state;
    page_table_unmap(&table, virt, GIB1); /* nothing is there */
    assert_int_equal(page_table_map(&table, virt, GIB1, 2 * MIB2 + 3 * KIB4, 0), 0);
    pages = next_page;
    page_table_unmap(&table, virt + MIB2, MIB2 + 2 * KIB4);
    assert_maps(virt, GIB1, 0, PAGE_LEVEL_2M);
    assert_unmapped(virt + MIB2);
    assert_unmapped(virt + 2 * MIB2 + KIB4);
    assert_maps(virt + 2 * MIB2 + 2 * KIB4, GIB1 + 2 * MIB2 + 2 * KIB4, 0, PAGE_LEVEL_4K);
    page_table_unmap(&table, virt, 2 * MIB2 + 3 * KIB4);
    assert_unmapped(virt);
    assert_unmapped(virt + 2 * MIB2 + 2 * KIB4);
    /* The tables were kept, and serve again. */
    assert_int_equal(page_table_map(&table, virt, 0, 2 * MIB2 + 3 * KIB4, 0), 0);
    assert_int_equal(next_page, pages);
    assert_maps(virt + MIB2, MIB2, 0, PAGE_LEVEL_2M);
}

static void test_part_of_a_large_page_is_not_unmapped(void **state)
{
    (void)state;
    assert_int_equal(page_table_map(&table, 0, 0, 2 * MIB2, 0), 0);
    page_table_unmap(&table, MIB2 / 2, MIB2);
    assert_maps(0, 0, 0, PAGE_LEVEL_2M);
    assert_maps(MIB2, MIB2, 0, PAGE_LEVEL_2M);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_largest_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_1g_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_skewed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_splitting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_over_small_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unmapping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_part_of_a_large_page_is_not_unmapped, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
