/* Several CPUs: where the woken go, affinity, stealing, and shares across queues. */
#include <errno.h>

#include "tests/unit/sched/simulator.h"
#include "tests/unit/support/cmocka.h"

static struct sched_config config;
static struct simulator *simulator;

static int set_up(void **state)
{
    (void)state;
    simulator = simulator_new(4, 64, &config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    simulator_free(simulator);
    return 0;
}

static struct simulated_vcpu *add_spinning_on(uint32_t weight, uint64_t cpus)
{
    struct simulated_vcpu *vcpu = simulator_add(simulator, weight, false);
    struct cpu_mask allowed = {{cpus}};

    assert_int_equal(sched_set_allowed(&simulator->machine, &vcpu->entity, &allowed), 0);
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

/* CPUs 0 and 1 are threads of one core, 2 and 3 of the next. */
static void test_wakes_on_the_nearest_idle_cpu(void **state)
{
    struct simulated_vcpu *a = simulator_add(simulator, 100, false);
    struct simulated_vcpu *b = simulator_add(simulator, 100, false);
    struct simulated_vcpu *c = simulator_add(simulator, 100, false);

    (void)state;
    a->entity.cpu = 2;
    b->entity.cpu = 2;
    c->entity.cpu = 2;
    simulator_wake(simulator, a);
    assert_int_equal(a->entity.cpu, 2);
    simulator_wake(simulator, b);
    assert_int_equal(b->entity.cpu, 3);
    simulator_wake(simulator, c);
    assert_int_equal(c->entity.cpu, 0);

    /* Nobody is idle: home. */
    (void)add_spinning_on(100, 0xf);
    run_for(SECOND);
    simulator_block(simulator, b);
    simulator_wake(simulator, simulator_add(simulator, 100, false));
    simulator_wake(simulator, b);
    assert_int_equal(b->entity.cpu, 3);
}

static void test_affinity(void **state)
{
    struct simulated_vcpu *pinned = add_spinning_on(100, 1u << 2);
    struct simulated_vcpu *excluded = add_spinning_on(100, 0xb);
    struct cpu_mask none = {{1ul << 60}};
    struct simulated_vcpu *blocked = simulator_add(simulator, 100, false);

    (void)state;
    assert_int_equal(sched_set_allowed(&simulator->machine, &blocked->entity, &none), -EINVAL);
    for (unsigned i = 0; i < 10; i++) {
        (void)add_spinning_on((uint32_t)simulator_random(simulator, 50, 500), 0xf);
    }
    for (unsigned i = 0; i < 2000; i++) {
        run_for(config.slice / 2);
        assert_int_equal(pinned->entity.cpu, 2);
        assert_int_not_equal(excluded->entity.cpu, 2);
    }
    assert_true(pinned->entity.run_time > 0 && excluded->entity.run_time > 0);
}

/* Six equal ones on four CPUs: two thirds of a CPU each, which takes moving about. */
static void test_six_on_four(void **state)
{
    struct simulated_vcpu *vcpus[6];
    uint64_t time = 5000 * config.slice;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        vcpus[i] = add_spinning_on(100, 0xf);
    }
    run_for(time);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(part(vcpus[i], time) > 0.66 && part(vcpus[i], time) < 0.6734);
    }
}

/* Weights that no distribution over the queues evens out. */
static void test_uneven_weights(void **state)
{
    static const uint32_t weights[8] = {100, 150, 220, 330, 370, 410, 520, 700};
    struct simulated_vcpu *vcpus[8];
    uint64_t time = 15000 * config.slice;

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        vcpus[i] = add_spinning_on(weights[i], 0xf);
    }
    run_for(time);
    for (unsigned i = 0; i < 8; i++) {
        double entitled = 4.0 * weights[i] / 2800;
        double error = part(vcpus[i], time) / entitled - 1;

        assert_true(error < 0.01 && error > -0.01);
    }
}

/* All wake on one CPU's queue in the end, and leave the others to it: nothing idles. */
static void test_idle_cpus_steal(void **state)
{
    struct simulated_vcpu *vcpus[12];
    uint64_t sum = 0;

    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        vcpus[i] = simulator_add(simulator, 100, false);
        vcpus[i]->burst_least = 10 * MICROSECOND;
        vcpus[i]->burst_most = 4 * config.slice;
        vcpus[i]->sleep_least = 1;
        vcpus[i]->sleep_most = 100 * MICROSECOND;
        simulator_wake(simulator, vcpus[i]);
    }
    run_for(2 * SECOND);
    for (unsigned i = 0; i < 12; i++) {
        sum += simulator_run_time(simulator, vcpus[i]);
    }
    assert_true(sum > 8 * SECOND / 1000 * 999);
}

/* A reservation has a home, where nothing else that is reserved would miss its deadlines. */
static void test_reservations_are_spread(void **state)
{
    unsigned homes = 0;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct simulated_vcpu *vcpu = simulator_add(simulator, 100, false);

        vcpu->entity.cpu = 0;
        assert_int_equal(
            sched_reserve(&simulator->machine, &vcpu->entity, 6 * MILLISECOND, 10 * MILLISECOND),
            0);
        homes |= 1u << vcpu->entity.cpu;
    }
    assert_int_equal(homes, 0xf);

    struct simulated_vcpu *fifth = simulator_add(simulator, 100, false);
    struct cpu_mask one = cpu_mask_of(1);

    assert_int_equal(
        sched_reserve(&simulator->machine, &fifth->entity, 6 * MILLISECOND, 10 * MILLISECOND),
        -ENOSPC);
    assert_int_equal(sched_set_allowed(&simulator->machine, &simulator->vcpus[0]->entity, &one),
                     simulator->vcpus[0]->entity.cpu == 1 ? 0 : -EBUSY);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wakes_on_the_nearest_idle_cpu),
        TEST(test_affinity),
        TEST(test_six_on_four),
        TEST(test_uneven_weights),
        TEST(test_idle_cpus_steal),
        TEST(test_reservations_are_spread),
    };
    int failures = 0;

    for (unsigned i = 0; i < SIMULATED_SLICES; i++) {
        config = sched_config_for_slice(simulated_slices[i]);
        failures += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failures;
}
