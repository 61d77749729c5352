/* What a comparison of two TSCs concludes. */
#include "kernel/tsc_compare.h"
#include "tests/unit/support/cmocka.h"

static void test_shortest_counts(void **state)
{
    struct tsc_difference difference = {.uncertainty = UINT64_MAX};

    (void)state;
    tsc_difference_add(&difference, 1000, 5000, 1400);
    assert_int_equal(difference.ahead, 3800);
    assert_int_equal(difference.uncertainty, 200);
    tsc_difference_add(&difference, 2000, 2055, 2100);
    assert_int_equal(difference.ahead, 5);
    assert_int_equal(difference.uncertainty, 50);
    tsc_difference_add(&difference, 3000, 9000, 3101);
    assert_int_equal(difference.ahead, 5);
    assert_int_equal(difference.uncertainty, 50);
}

static void test_in_step(void **state)
{
    (void)state;
    assert_true(tsc_in_step(&(struct tsc_difference){.ahead = 50, .uncertainty = 50}));
    assert_true(tsc_in_step(&(struct tsc_difference){.ahead = -50, .uncertainty = 50}));
    assert_false(tsc_in_step(&(struct tsc_difference){.ahead = 51, .uncertainty = 50}));
    assert_false(tsc_in_step(&(struct tsc_difference){.ahead = -51, .uncertainty = 50}));
}

static void test_behind(void **state)
{
    struct tsc_difference difference = {.uncertainty = UINT64_MAX};

    (void)state;
    tsc_difference_add(&difference, 100000, 40, 100010);
    assert_int_equal(difference.ahead, -99965);
    assert_int_equal(difference.uncertainty, 5);
    assert_false(tsc_in_step(&difference));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shortest_counts),
        cmocka_unit_test(test_in_step),
        cmocka_unit_test(test_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
