#include "guest/timer.h"

#include "tests/unit/devices/clock.h"
#include "tests/unit/support/cmocka.h"

#define TIMERS 40u

static struct test_clock test_time;
static struct timer timers[TIMERS];
static unsigned fired[256];
static uint64_t fired_deadline[256];
static unsigned fired_count;
static uint64_t rearm_after;
static struct timer *cancel_on_fire;

static void expire(void *context, uint64_t deadline)
{
    struct timer *timer = context;

    fired[fired_count] = (unsigned)(timer - timers);
    fired_deadline[fired_count++] = deadline;
    if (rearm_after) {
        timer_arm(timer, deadline + rearm_after);
    }
    if (cancel_on_fire) {
        timer_cancel(cancel_on_fire);
        cancel_on_fire = NULL;
    }
}

static int setup(void **state)
{
    (void)state;
    test_clock_init(&test_time);
    for (unsigned i = 0; i < TIMERS; i++) {
        timer_init(&timers[i], &test_time.timers, expire, &timers[i]);
    }
    fired_count = 0;
    rearm_after = 0;
    cancel_on_fire = NULL;
    return 0;
}

static void fires_in_order_of_deadline(void **state)
{
    (void)state;
    timer_arm(&timers[0], 30);
    timer_arm(&timers[1], 10);
    timer_arm(&timers[2], 20);
    timer_arm(&timers[3], 10);
    assert_int_equal(timer_next_deadline(&test_time.timers), 10);
    timer_run(&test_time.timers, 9);
    assert_int_equal(fired_count, 0);
    timer_run(&test_time.timers, 20);
    assert_int_equal(fired_count, 3);
    assert_int_equal(fired[0], 1);
    assert_int_equal(fired[1], 3); /* equal deadlines: as armed */
    assert_int_equal(fired[2], 2);
    assert_int_equal(fired_deadline[2], 20);
    assert_true(timer_armed(&timers[0]));
    assert_false(timer_armed(&timers[1]));
    assert_int_equal(timer_next_deadline(&test_time.timers), 30);
}

static void arming_again_moves(void **state)
{
    (void)state;
    timer_arm(&timers[0], 10);
    timer_arm(&timers[0], 50);
    timer_run(&test_time.timers, 49);
    assert_int_equal(fired_count, 0);
    timer_run(&test_time.timers, 50);
    assert_int_equal(fired_count, 1);
    timer_cancel(&timers[0]); /* not armed: nothing happens */
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
}

static void one_that_is_due_again_waits_for_the_next_run(void **state)
{
    (void)state;
    rearm_after = 1;
    timer_arm(&timers[0], 10);
    timer_run(&test_time.timers, 100);
    assert_int_equal(fired_count, 1);
    assert_int_equal(timer_next_deadline(&test_time.timers), 11);
    timer_run(&test_time.timers, 100);
    assert_int_equal(fired_count, 2);
    assert_int_equal(fired_deadline[1], 11);
}

static void a_due_timer_can_be_cancelled_by_another(void **state)
{
    (void)state;
    timer_arm(&timers[0], 10);
    timer_arm(&timers[1], 11);
    timer_arm(&timers[2], 12);
    timer_arm(&timers[3], 90);
    cancel_on_fire = &timers[1];
    timer_run(&test_time.timers, 20);
    assert_int_equal(fired_count, 2);
    assert_int_equal(fired[1], 2);
    assert_int_equal(timer_next_deadline(&test_time.timers), 90);
}

/* Against a list that is searched from end to end. */
static void random_operations_match_a_plain_list(void **state)
{
    uint64_t deadline[TIMERS];
    uint64_t seed = 88172645463325252ull;
    uint64_t now = 0;
    uint64_t told = TIMER_NEVER;

    (void)state;
    for (unsigned i = 0; i < TIMERS; i++) {
        deadline[i] = TIMER_NEVER;
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)(test_random(&seed) % TIMERS);

        switch (test_random(&seed) % 4) {
        case 0:
        case 1:
            deadline[i] = now + test_random(&seed) % 1000;
            timer_arm(&timers[i], deadline[i]);
            break;
        case 2:
            deadline[i] = TIMER_NEVER;
            timer_cancel(&timers[i]);
            break;
        default:
            now += test_random(&seed) % 100;
            fired_count = 0;
            timer_run(&test_time.timers, now);
            for (unsigned k = 0; k < fired_count; k++) {
                assert_true(fired_deadline[k] <= now);
                assert_int_equal(fired_deadline[k], deadline[fired[k]]);
                assert_true(k == 0 || fired_deadline[k - 1] <= fired_deadline[k]);
                deadline[fired[k]] = TIMER_NEVER;
            }
            break;
        }
        uint64_t first = TIMER_NEVER;

        for (unsigned k = 0; k < TIMERS; k++) {
            assert_int_equal(timer_armed(&timers[k]), deadline[k] != TIMER_NEVER);
            first = deadline[k] < first ? deadline[k] : first;
        }
        assert_int_equal(timer_next_deadline(&test_time.timers), first);
        assert_true(test_time.timers.changed || first == told);
        told = first;
        test_time.timers.changed = false;
    }
}

static void says_when_the_first_is_new(void **state)
{
    (void)state;
    assert_false(test_time.timers.new_first);
    timer_arm(&timers[0], 30);
    assert_true(test_time.timers.new_first);

    test_time.timers.new_first = false;
    timer_arm(&timers[1], 30);
    timer_arm(&timers[2], 40);
    timer_cancel(&timers[2]);
    assert_false(test_time.timers.new_first);
    timer_arm(&timers[2], 29);
    assert_true(test_time.timers.new_first);

    test_time.timers.new_first = false;
    timer_arm(&timers[2], 20); /* it was the first already: its deadline counts */
    assert_true(test_time.timers.new_first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fires_in_order_of_deadline, setup),
        cmocka_unit_test_setup(arming_again_moves, setup),
        cmocka_unit_test_setup(one_that_is_due_again_waits_for_the_next_run, setup),
        cmocka_unit_test_setup(a_due_timer_can_be_cancelled_by_another, setup),
        cmocka_unit_test_setup(says_when_the_first_is_new, setup),
        cmocka_unit_test_setup(random_operations_match_a_plain_list, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
