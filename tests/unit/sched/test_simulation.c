/*
 * A large machine for a minute: 1,000 vCPUs with random weights, sleeps, caps and reservations, and
 * some I/O threads, on 64 CPUs. What each should get is computed by itself, as water fills a
 * vessel: in every step of time, everyone who could run gets its weight's part of the machine, but
 * not more than its cap or one CPU, and not less than its reservation. What runs in short bursts
 * before all others (I/O threads, jobs on a reservation) is taken from the machine first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sched/simulator.h"
#include "tests/unit/support/cmocka.h"

#define CPUS       64u
#define VCPUS      1000u
#define IO_THREADS 8u
#define SLICE      (config.slice)
#define STEP       (100 * MILLISECOND) /* the scheduler evens out over a balance horizon */

enum kind {
    SPINS,
    SLEEPS,
    CAPPED,
    CAPPED_TOGETHER,
    RESERVED,
    PERIODIC, /* a reservation, and a job of a whole budget once in a while */
    IO,
    KINDS,
};

static const char *const kind_names[KINDS] = {"always runnable", "sleeping", "capped",
                                              "capped, SMP",     "reserved", "reserved, periodic",
                                              "I/O threads"};

/* What the test knows about each. */
struct expectation {
    enum kind kind;
    double most;  /* of a CPU */
    double least; /* of a CPU, while it can run */
    double entitled;
    uint64_t runnable;
    uint64_t window_end; /* reserved: by when the next budget is due */
    uint64_t window_run;
    unsigned missed;
};

static struct sched_config config;
static uint64_t seconds;
static struct simulator *simulator;
static struct expectation expectations[VCPUS + IO_THREADS];
static struct simulated_cap caps[VCPUS];
static uint64_t latest_of_period[VCPUS];

static struct simulated_cap *new_cap(unsigned number, uint32_t percent)
{
    assert_int_equal(cap_init(&caps[number].cap, percent), 0);
    return &caps[number];
}

static void reserve(unsigned number, struct simulated_vcpu *vcpu)
{
    uint64_t period = simulator_random(simulator, 5, 40) * MILLISECOND;
    uint64_t budget = period * simulator_random(simulator, 5, 30) / 100;
    struct expectation *expectation = &expectations[number];

    assert_int_equal(sched_reserve(&simulator->machine, &vcpu->entity, budget, period), 0);
    if (expectation->kind == PERIODIC) {
        vcpu->burst_least = budget;
        vcpu->burst_most = budget;
        vcpu->sleep_most = 100 * MILLISECOND;
        vcpu->period = period;
        latest_of_period[number] = period;
        return;
    }
    expectation->least = (double)budget / (double)period;
    expectation->window_end = simulator->now + period;
}

static void add_vcpu(unsigned number)
{
    uint32_t weight = (uint32_t)simulator_random(simulator, 100, 1000);
    struct simulated_vcpu *vcpu = simulator_add(simulator, weight, false);
    struct expectation *expectation = &expectations[number];

    expectation->most = 1;
    vcpu->watched = true;
    if (number < 40) {
        /* Ten VMs of four vCPUs and one cap. */
        struct simulated_cap *cap =
            number % 4 == 0 ? new_cap(number, (uint32_t)simulator_random(simulator, 10, 60))
                            : &caps[number / 4 * 4];

        assert_int_equal(sched_set_weight(NULL, &vcpu->entity, 500, 0), SCHED_NOTHING);
        simulator_join_cap(simulator, vcpu, cap);
        expectation->kind = CAPPED_TOGETHER;
        expectation->most = cap->cap.percent / 400.0;
    } else if (number < 240) {
        uint32_t percent = (uint32_t)simulator_random(simulator, 2, 15);

        simulator_join_cap(simulator, vcpu, new_cap(number, percent));
        expectation->kind = CAPPED;
        expectation->most = percent / 100.0;
    } else if (number < 300) {
        expectation->kind = number < 280 ? RESERVED : PERIODIC;
        reserve(number, vcpu);
    } else if (number < 700) {
        expectation->kind = SLEEPS;
        vcpu->burst_least = 100 * MICROSECOND;
        vcpu->burst_most = 20 * MILLISECOND;
        vcpu->sleep_least = MILLISECOND;
        vcpu->sleep_most = 500 * MILLISECOND;
    }
    /* One who sleeps while it waits for tokens has no bound but its cap. */
    if (vcpu->cap) {
        vcpu->watched = false;
    }
}

static void add_io_thread(unsigned number)
{
    struct simulated_vcpu *thread = simulator_add(simulator, SCHED_WEIGHT_DEFAULT, true);

    thread->burst_least = 20 * MICROSECOND;
    thread->burst_most = 100 * MICROSECOND;
    thread->sleep_least = MILLISECOND;
    thread->sleep_most = 4 * MILLISECOND;
    thread->watched = true;
    expectations[number].kind = IO;
}

static bool runs_first(unsigned number)
{
    return expectations[number].kind == IO || expectations[number].kind == PERIODIC;
}

static double part_of_step(unsigned number)
{
    const struct simulated_vcpu *vcpu = simulator->vcpus[number];

    return (double)(vcpu->runnable - expectations[number].runnable) / (double)STEP;
}

/* Everyone's part at that level of the water. */
static double rate_at(unsigned number, double level)
{
    const struct expectation *expectation = &expectations[number];
    double rate = level * simulator->vcpus[number]->entity.weight;

    if (rate > expectation->most) {
        rate = expectation->most;
    }
    return rate < expectation->least ? expectation->least : rate;
}

/* Adds to everyone's entitlement what one step gives, less what was `taken`, in CPUs. */
static void fill(double taken)
{
    static double level = 0.0001;

    for (unsigned tries = 0; tries < 100; tries++) {
        double fixed = 0;
        double weight = 0;

        for (unsigned i = 0; i < VCPUS; i++) {
            double part = runs_first(i) ? 0 : part_of_step(i);
            double rate = rate_at(i, level);
            double by_weight = level * simulator->vcpus[i]->entity.weight;

            if (rate < by_weight || rate > by_weight) {
                fixed += part * rate;
            } else {
                weight += part * simulator->vcpus[i]->entity.weight;
            }
        }

        double next = (CPUS - taken - fixed) / weight;
        double change = next > level ? next - level : level - next;

        level = next;
        if (change < level * 1e-9) {
            break;
        }
    }
    for (unsigned i = 0; i < VCPUS; i++) {
        expectations[i].entitled += part_of_step(i) * rate_at(i, level) * (double)STEP;
        expectations[i].runnable = simulator->vcpus[i]->runnable;
    }
}

static double time_taken(void)
{
    double sum = 0;

    for (unsigned i = 0; i < VCPUS + IO_THREADS; i++) {
        if (runs_first(i)) {
            sum += (double)simulator_run_time(simulator, simulator->vcpus[i]);
        }
    }
    return sum;
}

/* Runs to the end of the step, and stops at the end of each reserved period to look at it. */
static void run_step(uint64_t end)
{
    for (;;) {
        uint64_t next = end;

        for (unsigned i = 240; i < 280; i++) {
            next = expectations[i].window_end < next ? expectations[i].window_end : next;
        }
        simulator_run(simulator, next);
        for (unsigned i = 240; i < 280; i++) {
            struct expectation *expectation = &expectations[i];
            const struct simulated_vcpu *vcpu = simulator->vcpus[i];

            if (expectation->window_end != next) {
                continue;
            }

            uint64_t run = simulator_run_time(simulator, vcpu);

            if (run - expectation->window_run < vcpu->entity.reservation.budget) {
                expectation->missed++;
            }
            expectation->window_run = run;
            expectation->window_end += vcpu->entity.reservation.period;
        }
        if (next == end) {
            return;
        }
    }
}

static int run_simulation(void **state)
{
    (void)state;
    memset(expectations, 0, sizeof(expectations));
    memset(caps, 0, sizeof(caps));
    simulator = simulator_new(CPUS, VCPUS + IO_THREADS, &config);
    for (unsigned i = 0; i < VCPUS; i++) {
        add_vcpu(i);
    }
    for (unsigned i = VCPUS; i < VCPUS + IO_THREADS; i++) {
        add_io_thread(i);
    }
    for (unsigned i = 0; i < VCPUS + IO_THREADS; i++) {
        simulator_wake(simulator, simulator->vcpus[i]);
    }

    uint64_t start = simulator->now;
    double taken = 0;

    for (uint64_t time = STEP; time <= seconds * SECOND; time += STEP) {
        double before = taken;

        run_step(start + time);
        taken = time_taken();
        fill((taken - before) / (double)STEP);
    }
    return 0;
}

static int end_simulation(void **state)
{
    (void)state;
    simulator_free(simulator);
    return 0;
}

static double error_of(unsigned number)
{
    double run = (double)simulator_run_time(simulator, simulator->vcpus[number]);

    return run / expectations[number].entitled - 1;
}

static double size_of(double value)
{
    return value < 0 ? -value : value;
}

/* A cap is the VM's: so is what it is entitled to. How its vCPUs share that is up to which of them
 * asks first, but they are never far apart. */
static double error_of_vm(unsigned first)
{
    double run = 0;
    double entitled = 0;

    for (unsigned i = first; i < first + 4; i++) {
        run += (double)simulator_run_time(simulator, simulator->vcpus[i]);
        entitled += expectations[i].entitled;
        assert_true(size_of(error_of(i)) < 0.1);
    }
    return run / entitled - 1;
}

static void test_everyone_gets_what_it_is_entitled_to(void **state)
{
    double worst[KINDS] = {0};

    (void)state;
    for (unsigned i = 0; i < VCPUS; i++) {
        enum kind kind = expectations[i].kind;
        double error = kind == CAPPED_TOGETHER ? error_of_vm(i / 4 * 4) : error_of(i);

        if (size_of(error) > size_of(worst[kind])) {
            worst[kind] = error;
        }
    }
    for (unsigned kind = SPINS; kind <= RESERVED; kind++) {
        print_message("%s: off by at most %.2f %%\n", kind_names[kind], worst[kind] * 100);
    }
    assert_true(size_of(worst[SPINS]) < 0.01);
    assert_true(size_of(worst[CAPPED]) < 0.01);
    assert_true(size_of(worst[CAPPED_TOGETHER]) < 0.01);
    assert_true(size_of(worst[RESERVED]) < 0.01);
    /* Who sleeps is off by the lag it sleeps with, of much less time. */
    assert_true(size_of(worst[SLEEPS]) < 0.03);
}

static void test_no_cpu_idles_while_someone_waits(void **state)
{
    uint64_t sum = 0;

    (void)state;
    for (unsigned i = 0; i < VCPUS + IO_THREADS; i++) {
        sum += simulator_run_time(simulator, simulator->vcpus[i]);
    }
    assert_true(sum == seconds * SECOND * CPUS);
}

static void test_caps_hold_in_every_window(void **state)
{
    int64_t worst = 0;

    (void)state;
    for (unsigned i = 0; i < VCPUS; i++) {
        int64_t slices = (int64_t)(caps[i].members * SLICE);

        assert_true(caps[i].worst <= slices);
        if (caps[i].members == 1 && caps[i].worst > worst) {
            worst = caps[i].worst;
        }
    }
    print_message("a cap was exceeded by at most %.3f ms; a slice is %.3f ms\n",
                  (double)worst / 1e6, (double)SLICE / 1e6);
    assert_true(worst > 0);
}

static void test_no_deadline_is_missed(void **state)
{
    unsigned jobs = 0;

    (void)state;
    for (unsigned i = 0; i < VCPUS; i++) {
        const struct simulated_vcpu *vcpu = simulator->vcpus[i];

        assert_int_equal(expectations[i].missed, 0);
        assert_true(vcpu->entity.reservation.missed == 0);
        if (expectations[i].kind == PERIODIC) {
            assert_true(vcpu->latest <= latest_of_period[i]);
            jobs += (unsigned)vcpu->wakes;
        }
    }
    assert_true(jobs > 5000);
}

static void test_waits_are_within_the_bound(void **state)
{
    double worst[KINDS] = {0};
    uint64_t longest[KINDS] = {0};
    uint64_t wakes = 0;

    (void)state;
    for (unsigned i = 0; i < VCPUS + IO_THREADS; i++) {
        const struct simulated_vcpu *vcpu = simulator->vcpus[i];
        enum kind kind = expectations[i].kind;

        if (vcpu->worst_part_of_bound > worst[kind]) {
            worst[kind] = vcpu->worst_part_of_bound;
        }
        if (vcpu->longest_wait > longest[kind]) {
            longest[kind] = vcpu->longest_wait;
        }
        wakes += vcpu->wakes;
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        if (longest[kind] != 0) {
            print_message("%s: waited %.3f ms at most, %.0f %% of the bound\n", kind_names[kind],
                          (double)longest[kind] / 1e6, worst[kind] * 100);
        }
        assert_true(worst[kind] <= 1);
    }
    print_message("%lu wakes, %lu switches\n", wakes, simulator->switches);
    assert_true(wakes > 100000);
    /* An I/O thread with budget waits for earlier deadlines at most. */
    assert_true(longest[IO] <= simulator->machine.config.io_period);
}

static void test_migrations_are_few(void **state)
{
    uint64_t migrations = 0;

    (void)state;
    for (unsigned i = 0; i < VCPUS; i++) {
        migrations += simulator->vcpus[i]->entity.migrations;
    }
    print_message("%.1f migrations per CPU and second\n",
                  (double)migrations / CPUS / (double)seconds);
    assert_true(migrations < simulator->switches / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everyone_gets_what_it_is_entitled_to),
        cmocka_unit_test(test_no_cpu_idles_while_someone_waits),
        cmocka_unit_test(test_caps_hold_in_every_window),
        cmocka_unit_test(test_no_deadline_is_missed),
        cmocka_unit_test(test_waits_are_within_the_bound),
        cmocka_unit_test(test_migrations_are_few),
    };

    int failures = 0;

    for (unsigned i = 0; i < SIMULATED_SLICES; i++) {
        config = sched_config_for_slice(simulated_slices[i]);
        /* Everyone is off by some slices at most; long ones take longer to be 1 % only. */
        seconds = SLICE < 10 * MILLISECOND ? 60 : 120;
        print_message("Slices of %lu ms\n", SLICE / MILLISECOND);
        failures += cmocka_run_group_tests(tests, run_simulation, end_simulation);
    }
    return failures;
}
