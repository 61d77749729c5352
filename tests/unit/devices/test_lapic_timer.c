#include "tests/unit/devices/lapic_fixture.h"

#define LVT_TIMER     0x320u
#define INITIAL_COUNT 0x380u
#define CURRENT_COUNT 0x390u
#define DIVIDE        0x3e0u
#define EOI           0xb0u

#define DIVIDE_BY_1 0xbu
#define PERIODIC    0x20000u
#define DEADLINE    0x40000u
#define MASKED      0x10000u
#define VECTOR      0xecu

#define TICK (1000000000u / LAPIC_TIMER_HZ)

static struct lapic *const lapic = &test_cpus[0].lapic;

static int setup(void **state)
{
    lapic_fixture_setup(state);
    lapic_fixture_enable(0);
    lapic_fixture_write(0, DIVIDE, DIVIDE_BY_1);
    return 0;
}

/* Interrupts so far, each taken and ended. */
static unsigned taken(void)
{
    unsigned count = 0;

    while (lapic_fixture_take(0) == VECTOR) {
        lapic_fixture_write(0, EOI, 0);
        count++;
    }
    return count;
}

static void one_shot_fires_once_at_its_time(void **state)
{
    (void)state;
    test_time.now = 12345;
    lapic_fixture_write(0, LVT_TIMER, VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 1000);
    assert_int_equal(timer_next_deadline(&test_time.timers), 12345 + 1000 * TICK);
    test_clock_run_until(&test_time, 12345 + 1000 * TICK - 1);
    assert_int_equal(taken(), 0);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 1);
    test_clock_run_until(&test_time, 12345 + 1000 * TICK);
    assert_int_equal(taken(), 1);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 0);
    test_clock_run_until(&test_time, 10000000);
    assert_int_equal(taken(), 0);
    assert_int_equal(lapic_fixture_read(0, INITIAL_COUNT), 1000);
    lapic_fixture_write(0, DIVIDE, 0); /* nothing runs that it could slow down */
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
}

static void the_count_goes_down_with_time(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, MASKED | VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 0xffffffff);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 0xffffffff);
    test_time.now = TICK - 1;
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 0xffffffff);
    test_time.now = TICK;
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 0xfffffffe);
    test_time.now = 1000000000;
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 0xffffffffu - LAPIC_TIMER_HZ);
    test_clock_run_until(&test_time, 0xffffffffull * TICK);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 0);
    assert_int_equal(taken(), 0); /* masked, yet it ran */
}

static void the_divisor_counts(void **state)
{
    static const struct {
        uint32_t code;
        uint32_t divisor;
    } codes[] = {{0x0, 2},  {0x1, 4},  {0x2, 8},   {0x3, 16},
                 {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        setup(NULL);
        lapic_fixture_write(0, DIVIDE, codes[i].code);
        lapic_fixture_write(0, LVT_TIMER, VECTOR);
        lapic_fixture_write(0, INITIAL_COUNT, 77);
        assert_int_equal(timer_next_deadline(&test_time.timers), 77 * TICK * codes[i].divisor);
    }
}

static void a_new_divisor_goes_on_from_the_count(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 1000);
    test_time.now = 400 * TICK;
    lapic_fixture_write(0, DIVIDE, 0x1); /* by 4 */
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 600);
    assert_int_equal(timer_next_deadline(&test_time.timers), (400 + 600 * 4) * TICK);
}

static void periodic_does_not_drift(void **state)
{
    uint64_t period = 3333ull * TICK * 8;
    unsigned count = 0;

    (void)state;
    test_time.now = 17;
    lapic_fixture_write(0, DIVIDE, 0x2); /* by 8 */
    lapic_fixture_write(0, LVT_TIMER, PERIODIC | VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 3333);
    /* The host notices each expiry late by a different amount. */
    for (unsigned i = 1; i <= 100000; i++) {
        test_time.now = 17 + i * period + (i * 7919) % 30000;
        timer_run(&test_time.timers, test_time.now);
        count += taken();
        assert_int_equal(timer_next_deadline(&test_time.timers), 17 + (i + 1) * period);
    }
    assert_int_equal(count, 100000);
}

static void periodic_merges_what_was_missed(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, PERIODIC | VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 1000);
    test_time.now = 7 * 1000 * TICK + 500 * TICK;
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 500); /* seen even before it is served */
    timer_run(&test_time.timers, test_time.now);
    assert_int_equal(taken(), 1);
    assert_int_equal(timer_next_deadline(&test_time.timers), 8 * 1000 * TICK);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 500);
    /* Exactly on the grid. */
    test_time.now = 10 * 1000 * TICK;
    timer_run(&test_time.timers, test_time.now);
    assert_int_equal(timer_next_deadline(&test_time.timers), 11 * 1000 * TICK);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 1000);
    /* A nanosecond before it. */
    test_time.now = 13 * 1000 * TICK - 1;
    timer_run(&test_time.timers, test_time.now);
    assert_int_equal(timer_next_deadline(&test_time.timers), 13 * 1000 * TICK);
}

static void a_period_too_short_to_serve_leaves_time_to_run(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, PERIODIC | VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 3);
    test_time.now = 3 * TICK;
    timer_run(&test_time.timers, test_time.now);

    uint64_t next = timer_next_deadline(&test_time.timers);

    assert_true(next >= test_time.now + 10000);
    assert_int_equal(next % (3 * TICK), 0);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 3);
    test_time.now += TICK;
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 2);
}

static void zero_stops(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, PERIODIC | VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 1000);
    lapic_fixture_write(0, INITIAL_COUNT, 0);
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 0);
}

static void one_shot_to_periodic_keeps_counting(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 1000);
    test_time.now = 300 * TICK;
    lapic_fixture_write(0, LVT_TIMER, PERIODIC | VECTOR);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 700);
    test_clock_run_until(&test_time, 2500 * TICK);
    assert_int_equal(timer_next_deadline(&test_time.timers), 3000 * TICK);
}

static void tsc_deadline_fires_when_the_tsc_is_there(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, DEADLINE | VECTOR);
    lapic_tsc_deadline_write(lapic, TEST_TSC_START + 3001);
    assert_int_equal(lapic_tsc_deadline_read(lapic), TEST_TSC_START + 3001);
    assert_int_equal(timer_next_deadline(&test_time.timers), 1001); /* not a tick early */
    test_clock_run_until(&test_time, 1000);
    assert_int_equal(taken(), 0);
    test_clock_run_until(&test_time, 1001);
    assert_int_equal(taken(), 1);
    assert_int_equal(lapic_tsc_deadline_read(lapic), 0);
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
}

static void a_tsc_deadline_in_the_past_fires_at_once(void **state)
{
    (void)state;
    test_time.now = 5000;
    lapic_fixture_write(0, LVT_TIMER, DEADLINE | VECTOR);
    lapic_tsc_deadline_write(lapic, 1);
    assert_int_equal(taken(), 1);
    assert_int_equal(lapic_tsc_deadline_read(lapic), 0);
    lapic_tsc_deadline_write(lapic, 1 + TEST_TSC_START + 5000 * TEST_TSC_PER_NS);
    assert_int_equal(taken(), 0);
    lapic_tsc_deadline_write(lapic, 0); /* disarms */
    test_clock_run_until(&test_time, 1000000);
    assert_int_equal(taken(), 0);
    lapic_tsc_deadline_write(lapic, TEST_TSC_START + test_time.now * TEST_TSC_PER_NS); /* now */
    assert_int_equal(taken(), 1);
    /* Earlier deadline over an armed one. */
    lapic_tsc_deadline_write(lapic, 1ull << 60);
    lapic_tsc_deadline_write(lapic, 2);
    assert_int_equal(taken(), 1);
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
}

static void modes_do_not_mix(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, VECTOR);
    lapic_tsc_deadline_write(lapic, 1ull << 40); /* ignored: not in that mode */
    assert_int_equal(lapic_tsc_deadline_read(lapic), 0);
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
    lapic_fixture_write(0, INITIAL_COUNT, 1000);
    lapic_fixture_write(0, LVT_TIMER, DEADLINE | VECTOR); /* disarms */
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
    assert_int_equal(lapic_fixture_read(0, CURRENT_COUNT), 0);
    lapic_fixture_write(0, INITIAL_COUNT, 1000); /* ignored */
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
    lapic_tsc_deadline_write(lapic, 1ull << 40);
    assert_int_not_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
    lapic_fixture_write(0, LVT_TIMER, PERIODIC | VECTOR);
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
    assert_int_equal(lapic_tsc_deadline_read(lapic), 0);
}

static void a_jump_of_the_tsc_moves_its_deadline(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, DEADLINE | VECTOR);
    lapic_tsc_deadline_write(lapic, TEST_TSC_START + 30000);
    test_tsc_jump = 20000;
    lapic_tsc_changed(lapic);
    assert_int_equal(timer_next_deadline(&test_time.timers), 10000 / TEST_TSC_PER_NS + 1);
    test_tsc_jump = 40000;
    lapic_tsc_changed(lapic);
    assert_int_equal(taken(), 1);
    lapic_tsc_changed(lapic);
    assert_int_equal(taken(), 0);
}

static void reset_stops_it(void **state)
{
    (void)state;
    lapic_fixture_write(0, LVT_TIMER, PERIODIC | VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 1000);
    lapic_init_signal(lapic);
    assert_int_equal(timer_next_deadline(&test_time.timers), TIMER_NEVER);
    lapic_fixture_enable(0);
    lapic_fixture_write(0, LVT_TIMER, VECTOR);
    lapic_fixture_write(0, INITIAL_COUNT, 10);
    assert_int_equal(timer_next_deadline(&test_time.timers), 20 * TICK); /* divided by 2 again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_shot_fires_once_at_its_time, setup),
        cmocka_unit_test_setup(the_count_goes_down_with_time, setup),
        cmocka_unit_test_setup(the_divisor_counts, setup),
        cmocka_unit_test_setup(a_new_divisor_goes_on_from_the_count, setup),
        cmocka_unit_test_setup(periodic_does_not_drift, setup),
        cmocka_unit_test_setup(periodic_merges_what_was_missed, setup),
        cmocka_unit_test_setup(a_period_too_short_to_serve_leaves_time_to_run, setup),
        cmocka_unit_test_setup(zero_stops, setup),
        cmocka_unit_test_setup(one_shot_to_periodic_keeps_counting, setup),
        cmocka_unit_test_setup(tsc_deadline_fires_when_the_tsc_is_there, setup),
        cmocka_unit_test_setup(a_tsc_deadline_in_the_past_fires_at_once, setup),
        cmocka_unit_test_setup(modes_do_not_mix, setup),
        cmocka_unit_test_setup(a_jump_of_the_tsc_moves_its_deadline, setup),
        cmocka_unit_test_setup(reset_stops_it, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
