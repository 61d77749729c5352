/* Ticks and nanoseconds, and the TSC's rate from noisy samples. */
#include <stdlib.h>

#include "kernel/time_scale.h"
#include "tests/unit/support/cmocka.h"

#define PM_HZ UINT64_C(3579545)

static const uint64_t rates[] = {UINT64_C(50000000),   UINT64_C(999999999),  UINT64_C(1000000000),
                                 UINT64_C(2419203000), UINT64_C(3500000000), UINT64_C(6200000000)};

#define RATES (sizeof(rates) / sizeof(rates[0]))

static void assert_near(uint64_t value, uint64_t expected, uint64_t parts_per_million)
{
    uint64_t difference = value > expected ? value - expected : expected - value;

    if (difference > expected / 1000000 * parts_per_million + 1) {
        fail_msg("%lu is not within %lu ppm of %lu", value, parts_per_million, expected);
    }
}

static void test_converts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RATES; i++) {
        struct time_scale scale = time_scale_of(rates[i]);

        assert_near(scale_to_ns(&scale, rates[i] * 3600), UINT64_C(3600000000000), 1);
        assert_near(scale_to_ticks(&scale, UINT64_C(3600000000000)), rates[i] * 3600, 1);
        assert_int_equal(scale_to_ns(&scale, 0), 0);
        assert_int_equal(scale_to_ticks(&scale, 0), 0);
        assert_true(scale_to_ticks(&scale, 1) >= 1); /* rounded up */
    }
}

static void test_extremes(void **state)
{
    struct time_scale unknown = time_scale_of(0);
    struct time_scale fast = time_scale_of(UINT64_C(6200000000));
    struct time_scale slow = time_scale_of(UINT64_C(50000000));

    (void)state;
    assert_int_equal(scale_to_ns(&unknown, 12345), 0);
    assert_int_equal(scale_to_ticks(&unknown, 12345), 0);
    assert_true(scale_to_ticks(&fast, UINT64_MAX) == UINT64_MAX);
    assert_near(scale_to_ticks(&slow, UINT64_MAX), UINT64_MAX / 20, 1);
    assert_near(scale_to_ns(&fast, UINT64_MAX), UINT64_C(2975281302211218000), 1);
}

/* A reference that counts whole ticks, read with a jitter of up to `jitter` TSC ticks. */
static uint64_t fitted(uint64_t tsc_hz, uint64_t reference_hz, uint64_t jitter)
{
    struct line_fit fit = {0};
    uint64_t step = 997 + tsc_hz / 1000000;

    srand(1);
    for (uint64_t tsc = 12345; tsc < tsc_hz / 250; tsc += step) {
        uint64_t x = (uint64_t)((unsigned __int128)tsc * reference_hz / tsc_hz);

        line_fit_add(&fit, x, tsc + (jitter ? (uint64_t)rand() % jitter : 0));
    }
    return line_fit_hz(&fit, reference_hz);
}

static void test_fits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RATES; i++) {
        assert_near(fitted(rates[i], PM_HZ, 0), rates[i], 60);
        /* Half a microsecond of jitter in 4 ms would be 125 ppm from end to end. */
        assert_near(fitted(rates[i], PM_HZ, rates[i] / 2000000), rates[i], 60);
        assert_near(fitted(rates[i], UINT64_C(1193182), rates[i] / 2000000), rates[i], 100);
    }
}

static void test_fit_of_nothing(void **state)
{
    struct line_fit fit = {0};

    (void)state;
    assert_int_equal(line_fit_hz(&fit, PM_HZ), 0);
    line_fit_add(&fit, 5, 100);
    assert_int_equal(line_fit_hz(&fit, PM_HZ), 0);
    line_fit_add(&fit, 5, 200); /* stands still */
    assert_int_equal(line_fit_hz(&fit, PM_HZ), 0);
    line_fit_add(&fit, 9, 10); /* goes backwards */
    assert_int_equal(line_fit_hz(&fit, PM_HZ), 0);
}

static void test_chooses(void **state)
{
    (void)state;
    /* 24 MHz * 216 / 2 = 2592 MHz */
    assert_int_equal(choose_tsc_hz(2592100000, 2, 216, 24000000), 2592000000);
    assert_int_equal(choose_tsc_hz(2590000000, 2, 216, 24000000), 2592000000);
    assert_int_equal(choose_tsc_hz(2560000000, 2, 216, 24000000), 2560000000);
    assert_int_equal(choose_tsc_hz(2620000000, 2, 216, 24000000), 2620000000);
    /* Bochs: says 3.5 GHz, runs at what `ips` is. */
    assert_int_equal(choose_tsc_hz(50000000, 2, 280, 25000000), 50000000);
    assert_int_equal(choose_tsc_hz(2592100000, 0, 216, 24000000), 2592100000);
    assert_int_equal(choose_tsc_hz(2592100000, 2, 0, 24000000), 2592100000);
    assert_int_equal(choose_tsc_hz(2592100000, 2, 216, 0), 2592100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_converts), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_fits),     cmocka_unit_test(test_fit_of_nothing),
        cmocka_unit_test(test_chooses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
