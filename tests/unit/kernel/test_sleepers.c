/* Who wakes first, against a plain list. */
#include "kernel/sleepers.h"

#include <stdlib.h>

#include "tests/unit/support/cmocka.h"

#define COUNT 200u

static void check(const struct sleepers *sleepers, const struct sleeper *all)
{
    uint64_t first = UINT64_MAX;

    for (unsigned i = 0; i < COUNT; i++) {
        if (sleeper_waits(&all[i]) && all[i].deadline < first) {
            first = all[i].deadline;
        }
    }
    assert_int_equal(sleepers_next(sleepers), first);
    assert_true(!sleepers->first || sleeper_waits(sleepers->first));
}

static void test_random(void **state)
{
    static struct sleeper all[COUNT];
    struct sleepers sleepers;

    (void)state;
    sleepers_init(&sleepers);
    srandom(7);
    for (unsigned step = 0; step < 100000; step++) {
        struct sleeper *sleeper = &all[(unsigned)random() % COUNT];

        switch (random() % 3) {
        case 0:
            if (sleepers.first) {
                sleepers_remove(&sleepers, sleepers.first);
            }
            break;
        case 1:
            sleepers_remove(&sleepers, sleeper);
            assert_false(sleeper_waits(sleeper));
            break;
        default:
            if (!sleeper_waits(sleeper)) {
                sleepers_add(&sleepers, sleeper, (uint64_t)random() % 1000);
            }
            break;
        }
        check(&sleepers, all);
    }
}

static void test_order(void **state)
{
    static struct sleeper all[COUNT];
    struct sleepers sleepers;

    (void)state;
    sleepers_init(&sleepers);
    for (unsigned i = 0; i < COUNT; i++) {
        sleepers_add(&sleepers, &all[i], i * 7919 % COUNT);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(sleepers_next(&sleepers), i);
        sleepers_remove(&sleepers, sleepers.first);
    }
    assert_int_equal(sleepers_next(&sleepers), UINT64_MAX);
}

static void test_remove_of_none(void **state)
{
    struct sleepers sleepers;
    struct sleeper sleeper = {0};

    (void)state;
    sleepers_init(&sleepers);
    sleepers_remove(&sleepers, &sleeper);
    assert_null(sleepers.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_remove_of_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
