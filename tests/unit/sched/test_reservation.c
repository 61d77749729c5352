/* Reserved time and the I/O class on one CPU: admission, deadlines, and those who want more. */
#include <errno.h>

#include "tests/unit/sched/simulator.h"
#include "tests/unit/support/cmocka.h"

#define PERIOD (20 * MILLISECOND)

static struct sched_config config;
static struct simulator *simulator;

static int set_up(void **state)
{
    (void)state;
    simulator = simulator_new(1, 32, &config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    simulator_free(simulator);
    return 0;
}

static struct simulated_vcpu *add(uint32_t weight, bool io)
{
    return simulator_add(simulator, weight, io);
}

static struct simulated_vcpu *add_spinning(uint32_t weight, bool io)
{
    struct simulated_vcpu *vcpu = add(weight, io);

    simulator_wake(simulator, vcpu);
    return vcpu;
}

static int reserve(struct simulated_vcpu *vcpu, uint64_t budget, uint64_t period)
{
    return sched_reserve(&simulator->machine, &vcpu->entity, budget, period);
}

static void run_for(uint64_t ns)
{
    simulator_run(simulator, simulator->now + ns);
}

static double part(const struct simulated_vcpu *vcpu, uint64_t of)
{
    return (double)simulator_run_time(simulator, vcpu) / (double)of;
}

static void test_admission(void **state)
{
    struct simulated_vcpu *first = add(100, false);
    struct simulated_vcpu *second = add(100, false);
    struct sched_cap cap;

    (void)state;
    assert_int_equal(reserve(first, 1, RESERVATION_PERIOD_MIN - 1), -EINVAL);
    assert_int_equal(reserve(first, 1, RESERVATION_PERIOD_MAX + 1), -EINVAL);
    assert_int_equal(reserve(first, PERIOD + 1, PERIOD), -EINVAL);
    assert_int_equal(reserve(add(100, true), 1000, PERIOD), -EINVAL);

    /* The I/O server has a fifth, and a tenth is for nobody. */
    assert_int_equal(reserve(first, PERIOD / 2, PERIOD), 0);
    assert_int_equal(reserve(second, PERIOD / 4, PERIOD), -ENOSPC);
    assert_int_equal(reserve(second, PERIOD / 6, PERIOD), 0);
    assert_int_equal(reserve(second, PERIOD / 4, PERIOD), -ENOSPC);
    assert_int_equal(reserve(first, PERIOD / 4, PERIOD), 0);
    assert_int_equal(reserve(second, PERIOD / 4, PERIOD), 0);
    assert_int_equal(reserve(second, 0, 0), 0);
    assert_int_equal(reserve(first, PERIOD / 2, PERIOD), 0);

    /* A cap is never below what its members have reserved. */
    assert_int_equal(cap_init(&cap, 40), 0);
    assert_int_equal(sched_set_cap(&simulator->machine, &first->entity, &cap), -EBUSY);
    assert_int_equal(reserve(first, PERIOD / 4, PERIOD), 0);
    assert_int_equal(sched_set_cap(&simulator->machine, &first->entity, &cap), 0);
    assert_int_equal(reserve(first, PERIOD / 2, PERIOD), -EBUSY);
    assert_int_equal(sched_set_cap_percent(&simulator->machine, &cap, 20), -EBUSY);
    assert_int_equal(sched_set_cap_percent(&simulator->machine, &cap, 30), 0);
    assert_int_equal(sched_set_io(&first->entity, true), -EINVAL);
}

/* Ten others with a hundred times its weight: its share would be a thousandth. */
static void test_budget_is_there_in_every_period(void **state)
{
    struct simulated_vcpu *reserved = add(100, false);
    uint64_t before = 0;

    (void)state;
    assert_int_equal(reserve(reserved, PERIOD / 5, PERIOD), 0);
    for (unsigned i = 0; i < 10; i++) {
        (void)add_spinning(10000, false);
    }
    run_for(SECOND);
    simulator_wake(simulator, reserved);
    for (unsigned i = 0; i < 200; i++) {
        run_for(PERIOD);
        assert_true(simulator_run_time(simulator, reserved) - before >= PERIOD / 5);
        before = simulator_run_time(simulator, reserved);
    }
    assert_true(part(reserved, 200 * PERIOD) < 0.21);
    assert_true(reserved->entity.reservation.missed == 0);
}

/* A reservation is a floor: whose share is larger anyway gets the share, and no more. */
static void test_share_above_the_reservation(void **state)
{
    struct simulated_vcpu *reserved = add(300, false);

    (void)state;
    assert_int_equal(reserve(reserved, PERIOD / 5, PERIOD), 0);
    simulator_wake(simulator, reserved);
    (void)add_spinning(100, false);
    run_for(10 * SECOND);
    assert_true(part(reserved, 10 * SECOND) > 0.745);
    assert_true(part(reserved, 10 * SECOND) < 0.755);
}

/* One wakes again and again with what is left of its budget, to be given it anew; the other has a
 * job of a whole budget in each period, and is never late. */
static void test_waking_often_gains_nothing(void **state)
{
    struct simulated_vcpu *greedy = add(1, false);
    struct simulated_vcpu *steady = add(1, false);

    (void)state;
    assert_int_equal(reserve(greedy, PERIOD / 3, PERIOD), 0);
    assert_int_equal(reserve(steady, PERIOD / 3, PERIOD), 0);
    greedy->burst_least = 10 * MICROSECOND;
    greedy->burst_most = PERIOD / 4;
    greedy->sleep_least = 1;
    greedy->sleep_most = 10 * MICROSECOND;
    steady->burst_least = PERIOD / 3;
    steady->burst_most = PERIOD / 3;
    steady->period = PERIOD;
    for (unsigned i = 0; i < 4; i++) {
        (void)add_spinning(10000, false);
    }
    simulator_wake(simulator, greedy);
    simulator_wake(simulator, steady);
    run_for(10 * SECOND);
    assert_true(part(greedy, 10 * SECOND) < 0.34);
    assert_true(part(greedy, 10 * SECOND) > 0.32);
    assert_true(steady->latest <= PERIOD);
    assert_true(steady->entity.reservation.missed == 0);
}

/* The machine stands still for a second: what was overrun is not paid for ever. */
static void test_overrun(void **state)
{
    struct run_queue *queue = &simulator->queues[0];
    struct simulated_vcpu *reserved = add(100, false);

    (void)state;
    assert_int_equal(reserve(reserved, PERIOD / 5, PERIOD), 0);
    (void)add_spinning(10000, false);
    simulator_wake(simulator, reserved);
    assert_ptr_equal(queue->current, &reserved->entity);
    simulator_stall(simulator, SECOND);

    uint64_t before = simulator_run_time(simulator, reserved);

    run_for(5 * PERIOD);
    assert_true(simulator_run_time(simulator, reserved) - before >= 3 * PERIOD / 5);
}

/* An I/O thread that spins comes first for the I/O budget, and then has its share like others. */
static void test_io_cannot_starve_others(void **state)
{
    struct simulated_vcpu *io = add_spinning(100, true);
    struct simulated_vcpu *others[9];

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        others[i] = add_spinning(1000, false);
    }
    run_for(10 * SECOND);
    assert_true(part(io, 10 * SECOND) > 0.19);
    assert_true(part(io, 10 * SECOND) < 0.22);
    for (unsigned i = 0; i < 9; i++) {
        assert_true(part(others[i], 10 * SECOND) > 0.8 / 9 * 0.97);
    }
}

static void test_io_comes_first(void **state)
{
    struct simulated_vcpu *io = add(100, true);

    (void)state;
    io->burst_least = 10 * MICROSECOND;
    io->burst_most = 50 * MICROSECOND;
    io->sleep_least = 500 * MICROSECOND;
    io->sleep_most = MILLISECOND;
    io->watched = true;
    for (unsigned i = 0; i < 9; i++) {
        (void)add_spinning(1000, false);
    }
    simulator_wake(simulator, io);
    run_for(10 * SECOND);
    assert_true(io->wakes > 9000);
    assert_true(io->longest_wait == 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_admission),
        TEST(test_budget_is_there_in_every_period),
        TEST(test_share_above_the_reservation),
        TEST(test_waking_often_gains_nothing),
        TEST(test_overrun),
        TEST(test_io_cannot_starve_others),
        TEST(test_io_comes_first),
    };
    int failures = 0;

    for (unsigned i = 0; i < SIMULATED_SLICES; i++) {
        config = sched_config_for_slice(simulated_slices[i]);
        failures += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failures;
}
