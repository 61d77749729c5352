/* Caps: the bucket by itself, then vCPUs under caps in every window of time. */
#include <errno.h>

#include "tests/unit/sched/simulator.h"
#include "tests/unit/support/cmocka.h"

#define SLICE (config.slice)
#define GRAIN (config.cap_grain)

static struct sched_config config;
static struct simulator *simulator;
static struct simulated_cap caps[4];

static int set_up_cpus(uint32_t cpus)
{
    simulator = simulator_new(cpus, 32, &config);
    for (unsigned i = 0; i < 4; i++) {
        caps[i] = (struct simulated_cap){.members = 0};
    }
    return 0;
}

static int set_up_one(void **state)
{
    (void)state;
    return set_up_cpus(1);
}

static int set_up_four(void **state)
{
    (void)state;
    return set_up_cpus(4);
}

static int tear_down(void **state)
{
    (void)state;
    simulator_free(simulator);
    return 0;
}

static struct simulated_vcpu *add_capped(struct simulated_cap *cap, uint32_t weight)
{
    struct simulated_vcpu *vcpu = simulator_add(simulator, weight, false);

    if (cap) {
        simulator_join_cap(simulator, vcpu, cap);
    }
    simulator_wake(simulator, vcpu);
    return vcpu;
}

static void run_for(uint64_t ns)
{
    simulator_run(simulator, simulator->now + ns);
}

static double part(const struct simulated_vcpu *vcpu, uint64_t of)
{
    return (double)simulator_run_time(simulator, vcpu) / (double)of;
}

static void test_bucket(void **state)
{
    struct sched_cap cap;
    uint64_t now = SECOND;

    (void)state;
    assert_int_equal(cap_init(&cap, 0), -EINVAL);
    assert_int_equal(cap_init(&cap, SCHED_CAP_PERCENT_MAX + 1), -EINVAL);
    assert_int_equal(cap_init(&cap, 25), 0);
    cap_change_members(&cap, 1, SLICE, GRAIN);

    /* All or nothing below the least; what is there above it. */
    assert_true(cap_take(&cap, now, SLICE, SLICE) == 0);
    assert_true(cap_take(&cap, now, 1, SLICE) == SLICE - GRAIN);
    assert_true(cap_take(&cap, now, 1, SLICE) == 0);
    assert_true(cap_take(&cap, now + 4000, 1, SLICE) == 1000);
    now += SECOND;
    assert_true(cap_take(&cap, now, 1, SLICE) == SLICE - GRAIN);

    /* Bookings queue up behind each other. */
    assert_true(cap_book(&cap, now, 1000) == now + 4000);
    assert_true(cap_book(&cap, now, 500) == now + 6000);
    assert_true(cap_take(&cap, now + 5999, 1, SLICE) == 0);
    cap_return(&cap, 500);
    assert_true(cap_book(&cap, now + 4000, 250) == now + 5000);
}

static void test_rounding_never_exceeds_the_cap(void **state)
{
    struct sched_cap cap;
    uint64_t taken = 0;
    uint64_t start = SECOND;

    (void)state;
    assert_int_equal(cap_init(&cap, 7), 0);
    cap_change_members(&cap, 1, SLICE, GRAIN);
    for (uint64_t now = start; now < start + 10 * MILLISECOND; now += 13) {
        taken += cap_take(&cap, now, 1, 3);
    }
    assert_true(taken <= SLICE - GRAIN + 10 * MILLISECOND * 7 / 100);
}

static void test_cap_alone_on_a_cpu(void **state)
{
    struct simulated_vcpu *vcpu;

    (void)state;
    assert_int_equal(cap_init(&caps[0].cap, 20), 0);
    vcpu = add_capped(&caps[0], 100);
    run_for(10 * SECOND);
    assert_true(part(vcpu, 10 * SECOND) > 0.199);
    assert_true(part(vcpu, 10 * SECOND) < 0.201);
    assert_true(caps[0].worst <= (int64_t)SLICE);
    /* It comes and goes by the grain: is away often, but never for long. */
    assert_true(simulator->switches <= 2 * 2 * SECOND / GRAIN + 10);
}

static void test_capped_among_others(void **state)
{
    struct simulated_vcpu *tight;
    struct simulated_vcpu *loose;
    struct simulated_vcpu *free_one;

    (void)state;
    assert_int_equal(cap_init(&caps[0].cap, 10), 0);
    assert_int_equal(cap_init(&caps[1].cap, 90), 0);
    tight = add_capped(&caps[0], 1000);
    loose = add_capped(&caps[1], 100);
    free_one = add_capped(NULL, 200);
    run_for(20 * SECOND);
    assert_true(part(tight, 20 * SECOND) > 0.099 && part(tight, 20 * SECOND) <= 0.101);
    /* The rest by weight. */
    assert_true(part(loose, 20 * SECOND) > 0.299 && part(loose, 20 * SECOND) < 0.301);
    assert_true(part(free_one, 20 * SECOND) > 0.599 && part(free_one, 20 * SECOND) < 0.601);
    assert_true(caps[0].worst <= (int64_t)SLICE);
}

/* Sleeping and waking at the worst moments gains no tokens. */
static void test_cap_against_a_sleeper(void **state)
{
    struct simulated_vcpu *vcpu = simulator_add(simulator, 1000, false);

    (void)state;
    assert_int_equal(cap_init(&caps[0].cap, 15), 0);
    simulator_join_cap(simulator, vcpu, &caps[0]);
    (void)add_capped(NULL, 100);
    vcpu->burst_least = 1;
    vcpu->burst_most = 3 * MILLISECOND;
    vcpu->sleep_least = 1;
    vcpu->sleep_most = 8 * MILLISECOND;
    simulator_wake(simulator, vcpu);
    run_for(20 * SECOND);
    assert_true(caps[0].worst <= (int64_t)SLICE);
    assert_true(part(vcpu, 20 * SECOND) > 0.1);
}

static void test_cap_of_an_smp_vm(void **state)
{
    struct simulated_vcpu *vcpus[4];
    double sum = 0;

    (void)state;
    assert_int_equal(cap_init(&caps[0].cap, 150), 0);
    for (unsigned i = 0; i < 4; i++) {
        vcpus[i] = add_capped(&caps[0], 100);
    }
    for (unsigned i = 0; i < 4; i++) {
        (void)add_capped(NULL, 50);
    }
    run_for(20 * SECOND);
    for (unsigned i = 0; i < 4; i++) {
        double got = part(vcpus[i], 20 * SECOND);

        assert_true(got > 0.375 * 0.95 && got < 0.375 * 1.05);
        sum += got;
    }
    assert_true(sum > 1.485 && sum < 1.505);
    assert_true(caps[0].worst <= (int64_t)(4 * SLICE));
}

static void test_one_vcpu_may_use_the_whole_cap(void **state)
{
    struct simulated_vcpu *busy;

    (void)state;
    assert_int_equal(cap_init(&caps[0].cap, 60), 0);
    busy = add_capped(&caps[0], 100);
    for (unsigned i = 0; i < 3; i++) {
        simulator_join_cap(simulator, simulator_add(simulator, 100, false), &caps[0]);
    }
    run_for(5 * SECOND);
    assert_true(part(busy, 5 * SECOND) > 0.595);
}

static void test_cap_changed_on_the_run(void **state)
{
    struct simulated_vcpu *vcpu;
    uint64_t before;

    (void)state;
    assert_int_equal(cap_init(&caps[0].cap, 1), 0);
    vcpu = add_capped(&caps[0], 100);
    run_for(SECOND);
    before = simulator_run_time(simulator, vcpu);
    assert_true(before <= SECOND / 100 + SLICE);
    assert_int_equal(sched_set_cap_percent(&simulator->machine, &caps[0].cap, 0), -EINVAL);
    assert_int_equal(sched_set_cap_percent(&simulator->machine, &caps[0].cap, 50), 0);
    run_for(SECOND);
    assert_true(simulator_run_time(simulator, vcpu) - before > SECOND / 100 * 47);
    before = simulator_run_time(simulator, vcpu);
    assert_int_equal(sched_set_cap_percent(&simulator->machine, &caps[0].cap, 5), 0);
    run_for(SECOND);
    assert_true(simulator_run_time(simulator, vcpu) - before < SECOND / 100 * 6);
    assert_true(simulator_run_time(simulator, vcpu) - before > SECOND / 100 * 4);
}

/* The alarm is late, so every turn is too long: it is paid for afterwards. */
static void test_late_alarms_are_paid_for(void **state)
{
    struct run_queue *queue = &simulator->queues[0];
    struct simulated_vcpu *vcpu;
    uint64_t start = simulator->now;

    (void)state;
    assert_int_equal(cap_init(&caps[0].cap, 25), 0);
    vcpu = add_capped(&caps[0], 100);
    for (uint64_t now = start; now < start + 4 * SECOND;) {
        now = sched_next_event(queue) + 300 * MICROSECOND;
        (void)sched_pick(queue, now);
        simulator->now = now;
    }
    /* The bucket may have been full when it began. */
    assert_true(simulator_run_time(simulator, vcpu) < (simulator->now - start) / 4 + SLICE);
    assert_true(simulator_run_time(simulator, vcpu) > (simulator->now - start) / 4 - SLICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_rounding_never_exceeds_the_cap),
        cmocka_unit_test_setup_teardown(test_cap_alone_on_a_cpu, set_up_one, tear_down),
        cmocka_unit_test_setup_teardown(test_capped_among_others, set_up_one, tear_down),
        cmocka_unit_test_setup_teardown(test_cap_against_a_sleeper, set_up_one, tear_down),
        cmocka_unit_test_setup_teardown(test_cap_of_an_smp_vm, set_up_four, tear_down),
        cmocka_unit_test_setup_teardown(test_one_vcpu_may_use_the_whole_cap, set_up_four,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_cap_changed_on_the_run, set_up_one, tear_down),
        cmocka_unit_test_setup_teardown(test_late_alarms_are_paid_for, set_up_one, tear_down),
    };

    int failures = 0;

    for (unsigned i = 0; i < SIMULATED_SLICES; i++) {
        config = sched_config_for_slice(simulated_slices[i]);
        failures += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failures;
}
