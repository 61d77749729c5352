/* Range lists against a plain bitmap of the same addresses. */
#include <stdlib.h>
#include <string.h>

#include "kernel/memory/ranges.h"
#include "tests/unit/support/cmocka.h"

#define SPACE 200u

static struct range_list list;

static void check_against(const bool *model)
{
    bool seen[SPACE] = {false};

    for (unsigned i = 0; i < list.count; i++) {
        assert_true(list.ranges[i].base < list.ranges[i].end);
        /* Sorted, and never touching: else they would be one. */
        assert_true(i == 0 || list.ranges[i - 1].end < list.ranges[i].base);
        for (uint64_t at = list.ranges[i].base; at < list.ranges[i].end; at++) {
            seen[at] = true;
        }
    }
    assert_memory_equal(seen, model, sizeof(seen));
}

static void test_random(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 200; round++) {
        bool model[SPACE] = {false};

        list.count = 0;
        for (unsigned step = 0; step < 60; step++) {
            unsigned base = (unsigned)rand() % SPACE;
            unsigned end = base + (unsigned)rand() % (SPACE - base + 1);
            bool add = rand() % 2 != 0;

            if (add) {
                assert_true(range_list_add(&list, base, end));
            } else {
                assert_true(range_list_remove(&list, base, end));
            }
            for (unsigned at = base; at < end; at++) {
                model[at] = add;
            }
            check_against(model);
        }
    }
}

static void test_neighbours_join(void **state)
{
    (void)state;
    list.count = 0;
    range_list_add(&list, 0, 10);
    range_list_add(&list, 20, 30);
    range_list_add(&list, 10, 20);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.ranges[0].end, 30);
}

static void test_extremes(void **state)
{
    (void)state;
    list.count = 0;
    assert_true(range_list_add(&list, 0, UINT64_MAX));
    assert_true(range_list_remove(&list, 5, 5));
    assert_int_equal(list.count, 1);
    assert_true(range_list_remove(&list, 0x1000, UINT64_MAX));
    assert_int_equal(list.ranges[0].end, 0x1000);
    assert_true(range_list_remove(&list, 0, UINT64_MAX));
    assert_int_equal(list.count, 0);
}

static void test_full(void **state)
{
    (void)state;
    list.count = 0;
    for (unsigned i = 0; i < RANGES_MAX; i++) {
        assert_true(range_list_add(&list, i * 100, i * 100 + 50));
    }
    assert_false(range_list_add(&list, 60, 70));
    assert_int_equal(list.count, RANGES_MAX);
    /* What would split a range loses the upper part, never keeps what was to go. */
    assert_false(range_list_remove(&list, 10, 20));
    assert_int_equal(list.ranges[0].end, 10);
    /* Joining needs no room. */
    assert_true(range_list_add(&list, 10, 100));
    assert_int_equal(list.count, RANGES_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_neighbours_join),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
