/*
 * Sharing by weight on one CPU, and what other schedulers have been caught at: wakers with an old
 * virtual time, reboots that start at 0, weights changed while they count, floods of yields.
 */
#include <stdlib.h>

#include "kernel/sched/fair.h"
#include "tests/unit/sched/simulator.h"
#include "tests/unit/support/cmocka.h"

#define SLICE (config.slice)

static struct sched_config config;
static struct simulator *simulator;

static int set_up(void **state)
{
    (void)state;
    simulator = simulator_new(1, 1000, &config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    simulator_free(simulator);
    return 0;
}

static struct simulated_vcpu *add_running(uint32_t weight)
{
    struct simulated_vcpu *vcpu = simulator_add(simulator, weight, false);

    simulator_wake(simulator, vcpu);
    return vcpu;
}

static void run_for(uint64_t ns)
{
    simulator_run(simulator, simulator->now + ns);
}

static uint64_t run_time(const struct simulated_vcpu *vcpu)
{
    return simulator_run_time(simulator, vcpu);
}

static void assert_near(uint64_t value, uint64_t wanted, uint64_t tolerance)
{
    if (value + tolerance < wanted || value > wanted + tolerance) {
        fail_msg("%lu us is not within %lu us of %lu us", value / 1000, tolerance / 1000,
                 wanted / 1000);
    }
}

static void test_weights_1_to_3(void **state)
{
    struct run_queue *queue = &simulator->queues[0];
    struct simulated_vcpu *light = add_running(100);
    struct simulated_vcpu *heavy = add_running(300);

    (void)state;
    for (unsigned i = 1; i <= 100; i++) {
        run_for(17 * MILLISECOND);
        assert_near(run_time(light), i * 17 * MILLISECOND / 4, 2 * SLICE);
        assert_near(run_time(heavy), i * 17 * MILLISECOND / 4 * 3, 2 * SLICE);
        queue_charge(queue, simulator->now);
        assert_true(labs(fair_lag(queue, &light->entity)) <= (long)SLICE);
        assert_true(labs(fair_lag(queue, &heavy->entity)) <= (long)SLICE);
    }
}

/* The queue's sums against the definition, and the pick against a search through all. */
static void check_queue(const struct run_queue *queue)
{
    __int128 sum = 0;
    uint64_t weight = 0;
    uint64_t earliest = 0;
    bool found = false;

    for (uint32_t i = 0; i < simulator->vcpu_count; i++) {
        const struct sched_entity *entity = &simulator->vcpus[i]->entity;

        if (entity->state != SCHED_BLOCKED) {
            sum += (__int128)(int64_t)(entity->fair.value - queue->origin) * entity->weight;
            weight += entity->weight;
        }
    }
    assert_true(weight == queue->weight);
    assert_true(sum == queue->weighted_sum);
    for (uint32_t i = 0; i < simulator->vcpu_count; i++) {
        const struct sched_entity *entity = &simulator->vcpus[i]->entity;
        __int128 from_origin = (int64_t)(entity->fair.value - queue->origin);

        if (entity->state == SCHED_READY && from_origin * (__int128)weight <= sum &&
            (!found || time_before(entity->fair.key, earliest))) {
            earliest = entity->fair.key;
            found = true;
        }
    }

    struct run_queue copy = *queue;
    const struct sched_entity *first = fair_first(&copy);

    assert_true((first != NULL) == found);
    assert_true(!first || first->fair.key == earliest);
}

static void test_sums_and_picks_agree_with_their_definitions(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        struct simulated_vcpu *vcpu =
            simulator_add(simulator, (uint32_t)simulator_random(simulator, 1, 10000), false);

        if (i % 2 == 0) {
            vcpu->burst_least = 1000;
            vcpu->burst_most = 3 * MILLISECOND;
            vcpu->sleep_least = 1000;
            vcpu->sleep_most = 50 * MILLISECOND;
        }
        simulator_wake(simulator, vcpu);
    }
    for (unsigned i = 0; i < 4000; i++) {
        struct simulated_vcpu *vcpu = simulator->vcpus[simulator_random(simulator, 0, 39)];

        run_for(simulator_random(simulator, 1, 3 * MILLISECOND));
        if (i % 3 == 0) {
            simulator_set_weight(simulator, vcpu, (uint32_t)simulator_random(simulator, 1, 10000));
        }
        check_queue(&simulator->queues[0]);
    }
}

static void test_no_tick_for_one_or_none(void **state)
{
    struct run_queue *queue = &simulator->queues[0];
    struct simulated_vcpu *one = add_running(100);

    (void)state;
    assert_true(sched_next_event(queue) == SCHED_NEVER);
    run_for(SECOND);
    assert_true(sched_next_event(queue) == SCHED_NEVER);

    struct simulated_vcpu *other = add_running(100);

    assert_true(sched_next_event(queue) <= simulator->now + SLICE);
    run_for(SECOND);
    simulator_block(simulator, one);
    assert_true(sched_next_event(queue) == SCHED_NEVER);
    simulator_block(simulator, other);
    assert_true(sched_next_event(queue) == SCHED_NEVER);
    assert_null(queue->current);
}

/* A vCPU sleeps for long while others run: its virtual time is far behind theirs. It gets what it
 * was owed when it went to sleep, and not what it slept through. */
static void test_waking_with_an_old_virtual_time(void **state)
{
    struct simulated_vcpu *sleeper = add_running(100);
    struct simulated_vcpu *other = add_running(100);

    (void)state;
    run_for(100 * MILLISECOND);
    simulator_block(simulator, sleeper);
    run_for(30 * SECOND);

    uint64_t before = run_time(sleeper);
    uint64_t before_other = run_time(other);

    simulator_wake(simulator, sleeper);
    run_for(40 * MILLISECOND);
    assert_near(run_time(sleeper) - before, 20 * MILLISECOND, 2 * SLICE);
    run_for(2 * SECOND);
    assert_near(run_time(sleeper) - before, run_time(other) - before_other, 2 * SLICE);
}

/* The other way round: after hours alone, the one with the advanced virtual time is not made to
 * wait for the newcomer to catch up. */
static void test_newcomer_after_hours_alone(void **state)
{
    struct simulated_vcpu *old = add_running(1);

    (void)state;
    run_for(6 * 3600 * SECOND); /* the virtual time has wrapped */

    uint64_t before = run_time(old);
    struct simulated_vcpu *newcomer = add_running(1);

    run_for(SECOND);
    assert_near(run_time(old) - before, SECOND / 2, 2 * SLICE);
    assert_near(run_time(newcomer), SECOND / 2, 2 * SLICE);
}

/* A guest that resets itself again and again is blocked and woken each time: it neither gains nor
 * loses. */
static void test_reset_storm(void **state)
{
    struct simulated_vcpu *victim = add_running(100);
    struct simulated_vcpu *stormy = add_running(100);
    uint64_t start = simulator->now;

    (void)state;
    while (simulator->now < start + 5 * SECOND) {
        run_for(simulator_random(simulator, 1, SLICE / 2 * 3));
        simulator_block(simulator, stormy);
        simulator_wake(simulator, stormy);
    }
    assert_near(run_time(victim), (simulator->now - start) / 2, 2 * SLICE);
}

/* A VM that is destroyed and made anew whenever it has run: no more than its share either. */
static void test_storm_of_new_vms(void **state)
{
    struct simulated_vcpu *victims[4];
    struct simulated_vcpu *stormy;
    uint64_t stormed = 0;
    uint64_t start = simulator->now;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        victims[i] = add_running(100);
    }
    stormy = add_running(100);
    while (simulator->now < start + 5 * SECOND) {
        run_for(config.least_run / 2);
        if (run_time(stormy) >= config.wake_slice) {
            simulator_block(simulator, stormy);
            stormed += run_time(stormy);
            sched_entity_init(&simulator->machine, &stormy->entity);
            simulator_wake(simulator, stormy);
        }
    }
    assert_true(stormed <= SECOND + SLICE);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(run_time(victims[i]) >= SECOND - SLICE);
    }
}

/* Weights change every few ms, in whatever state the vCPU is; the shares follow. */
static void test_weights_changed_on_the_run(void **state)
{
    struct simulated_vcpu *vcpus[5];
    double entitled[5] = {0};
    uint32_t total = 0;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        vcpus[i] = add_running(100 * (i + 1));
        total += vcpus[i]->entity.weight;
    }
    for (unsigned round = 0; round < 4000; round++) {
        uint64_t time = simulator_random(simulator, 1, 5 * MILLISECOND);
        struct simulated_vcpu *changed = vcpus[simulator_random(simulator, 0, 4)];
        uint32_t weight = (uint32_t)simulator_random(simulator, 50, 2000);

        run_for(time);
        for (unsigned i = 0; i < 5; i++) {
            entitled[i] += (double)time * vcpus[i]->entity.weight / total;
        }
        total += weight - changed->entity.weight;
        simulator_set_weight(simulator, changed, weight);
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_near(run_time(vcpus[i]), (uint64_t)entitled[i], 2 * SLICE);
    }
}

/* Weight up whenever it waits and down whenever it runs: with a lag counted in virtual time that
 * would multiply what it is owed. */
static void test_weight_flipped_to_gain(void **state)
{
    struct simulated_vcpu *flipper = add_running(100);
    struct simulated_vcpu *other = add_running(1000);
    double entitled = 0;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        bool runs = flipper->entity.state == SCHED_RUNNING;
        uint32_t weight = runs ? 10 : 1000;

        simulator_set_weight(simulator, flipper, weight);
        run_for(250 * MICROSECOND);
        entitled += 250e3 * weight / (weight + 1000.0);
    }
    assert_near(run_time(flipper), (uint64_t)entitled, 2 * SLICE);
    assert_near(run_time(other), 5 * SECOND - (uint64_t)entitled, 2 * SLICE);
}

/* A vCPU that does nothing but yield keeps its share if it uses it, takes nothing from the others,
 * and is not punished afterwards. */
static void test_yield_flood(void **state)
{
    struct simulated_vcpu *yielder = simulator_add(simulator, 100, false);
    struct simulated_vcpu *others[3];

    (void)state;
    yielder->yield_every = 10 * MICROSECOND;
    for (unsigned i = 0; i < 3; i++) {
        others[i] = add_running(100);
    }
    simulator_wake(simulator, yielder);
    run_for(2 * SECOND);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(run_time(others[i]) >= SECOND / 2 - SLICE);
    }

    uint64_t before = run_time(yielder);

    yielder->yield_every = 0;
    run_for(2 * SECOND);
    assert_true(run_time(yielder) - before >= SECOND / 2 - 2 * SLICE);

    /* All yield: nobody is lost. */
    before = run_time(yielder);
    yielder->yield_every = 10 * MICROSECOND;
    yielder->yield_at = run_time(yielder);
    for (unsigned i = 0; i < 3; i++) {
        others[i]->yield_every = 10 * MICROSECOND;
        others[i]->yield_at = run_time(others[i]);
    }
    run_for(SECOND);
    assert_near(run_time(yielder) - before, SECOND / 4, 2 * SLICE);
}

static void test_yield_to_a_sibling(void **state)
{
    struct run_queue *queue = &simulator->queues[0];
    struct simulated_vcpu *vcpus[8];

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        vcpus[i] = add_running(100);
    }
    run_for(SECOND);
    for (unsigned i = 0; i < 8; i++) {
        struct sched_entity *sibling = &vcpus[i]->entity;

        if (sibling != queue->current && fair_eligible(queue, sibling->fair.value)) {
            sched_yield_to(queue, sibling);
            assert_ptr_equal(sched_pick(queue, simulator->now), sibling);
        }
    }
}

/* All others stand as badly for the waker as they can: just given a turn each, all owed. */
static void test_worst_wait(void **state)
{
    double worst = 0;

    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        (void)add_running((uint32_t)simulator_random(simulator, 20, 2000));
    }

    struct simulated_vcpu *waker = simulator_add(simulator, 100, false);

    waker->watched = true;
    for (unsigned i = 0; i < 2000; i++) {
        /* Wakes with a debt as large as it gets, at a random moment. */
        simulator_wake(simulator, waker);
        while (waker->waits || run_time(waker) < (i + 1) * SLICE) {
            run_for(MILLISECOND / 2);
        }
        simulator_block(simulator, waker);
        run_for(simulator_random(simulator, 1, 2 * MILLISECOND));
        worst = waker->worst_part_of_bound > worst ? waker->worst_part_of_bound : worst;
    }
    assert_int_equal(waker->wakes, 2000);
    assert_true(worst <= 1);
    assert_true(worst > 0.3); /* else the bound says nothing */
}

/* Equal weights, no debt: n slices. */
static void test_wait_among_equals(void **state)
{
    struct simulated_vcpu *waker = simulator_add(simulator, 100, false);

    (void)state;
    waker->watched = true;
    for (unsigned i = 0; i < 16; i++) {
        (void)add_running(100);
    }
    for (unsigned i = 0; i < 500; i++) {
        run_for(simulator_random(simulator, MILLISECOND, 100 * MILLISECOND));
        waker->entity.lag = 0;
        simulator_wake(simulator, waker);
        run_for(17 * SLICE);
        simulator_block(simulator, waker);
    }
    assert_int_equal(waker->wakes, 500);
    assert_true(waker->longest_wait <= 17 * SLICE);
}

static double steps_per_pick(unsigned vcpus)
{
    struct run_queue *queue = &simulator->queues[0];

    while (simulator->vcpu_count < vcpus) {
        (void)add_running((uint32_t)simulator_random(simulator, 100, 1000));
    }
    run_for(10 * SECOND);

    uint64_t picks = simulator->picks;
    uint64_t steps = queue->search_steps;

    run_for(20 * SECOND);
    return 1 + (double)(queue->search_steps - steps) / (double)(simulator->picks - picks);
}

static void test_cost_of_a_pick(void **state)
{
    double few = steps_per_pick(10);
    double many = steps_per_pick(1000);

    (void)state;
    print_message("steps in the tree: %.2f with 10 runnable, %.2f with 1,000\n", few, many);
    assert_true(many < 2 * few);
    assert_true(simulator->queues[0].fair.root->height <= 13);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_weights_1_to_3),
        TEST(test_sums_and_picks_agree_with_their_definitions),
        TEST(test_no_tick_for_one_or_none),
        TEST(test_waking_with_an_old_virtual_time),
        TEST(test_newcomer_after_hours_alone),
        TEST(test_reset_storm),
        TEST(test_storm_of_new_vms),
        TEST(test_weights_changed_on_the_run),
        TEST(test_weight_flipped_to_gain),
        TEST(test_yield_flood),
        TEST(test_yield_to_a_sibling),
        TEST(test_worst_wait),
        TEST(test_wait_among_equals),
        TEST(test_cost_of_a_pick),
    };

    int failures = 0;

    for (unsigned i = 0; i < SIMULATED_SLICES; i++) {
        config = sched_config_for_slice(simulated_slices[i]);
        failures += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failures;
}
