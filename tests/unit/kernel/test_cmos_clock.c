/* CMOS registers to seconds: BCD and binary, 12 and 24 hours, leap years, nonsense. */
#include "kernel/cmos_clock.h"
#include "tests/unit/support/cmocka.h"

static const struct cmos_time bcd_24 = {.second = 0x30,
                                        .minute = 0x59,
                                        .hour = 0x23,
                                        .day = 0x29,
                                        .month = 0x02,
                                        .year = 0x24,
                                        .century = 0x20,
                                        .status_b = CMOS_B_24_HOURS};
#define BCD_24_UNIX UINT64_C(1709251170) /* 2024-02-29 23:59:30 */

static void test_formats(void **state)
{
    struct cmos_time time = bcd_24;

    (void)state;
    assert_int_equal(cmos_time_to_unix(&time), BCD_24_UNIX);
    time.century = 0; /* no such register */
    assert_int_equal(cmos_time_to_unix(&time), BCD_24_UNIX);
    time.status_b = 0;
    time.hour = 0x11 | CMOS_HOUR_PM;
    assert_int_equal(cmos_time_to_unix(&time), BCD_24_UNIX);
    time = (struct cmos_time){.second = 30,
                              .minute = 59,
                              .hour = 23,
                              .day = 29,
                              .month = 2,
                              .year = 24,
                              .century = 20,
                              .status_b = CMOS_B_24_HOURS | CMOS_B_BINARY};
    assert_int_equal(cmos_time_to_unix(&time), BCD_24_UNIX);
}

static void test_midnight_and_noon(void **state)
{
    struct cmos_time time = bcd_24;
    uint64_t midnight;

    (void)state;
    time.hour = 0;
    midnight = cmos_time_to_unix(&time);
    time.status_b = 0;
    time.hour = 0x12;
    assert_int_equal(cmos_time_to_unix(&time), midnight);
    time.hour = 0x12 | CMOS_HOUR_PM;
    assert_int_equal(cmos_time_to_unix(&time), midnight + UINT64_C(12) * 3600);
    time.hour = 0x01 | CMOS_HOUR_PM;
    assert_int_equal(cmos_time_to_unix(&time), midnight + UINT64_C(13) * 3600);
}

static void test_dates(void **state)
{
    struct cmos_time time = {.day = 1,
                             .month = 1,
                             .year = 70,
                             .century = 19,
                             .status_b = CMOS_B_24_HOURS | CMOS_B_BINARY};

    (void)state;
    time.second = 1;
    assert_int_equal(cmos_time_to_unix(&time), 1);
    time.second = 0;
    time.century = 20;
    time.year = 0;
    time.month = 3; /* 2000 was a leap year, */
    assert_int_equal(cmos_time_to_unix(&time), 951868800);
    time.century = 21; /* 2100 will not be. */
    assert_int_equal(cmos_time_to_unix(&time), UINT64_C(4107542400));
    time.month = 2;
    time.day = 29;
    assert_int_equal(cmos_time_to_unix(&time), 0);
}

static void assert_refused(struct cmos_time time)
{
    assert_int_equal(cmos_time_to_unix(&time), 0);
}

static void test_nonsense(void **state)
{
    struct cmos_time time;

    (void)state;
#define WITH(field, value) (time = bcd_24, time.field = (value), time)
    assert_refused(WITH(second, 0x61));
    assert_refused(WITH(second, 0x0a));
    assert_refused(WITH(minute, 0x60));
    assert_refused(WITH(hour, 0x24));
    assert_refused(WITH(day, 0x00));
    assert_refused(WITH(day, 0x30));
    assert_refused(WITH(month, 0x00));
    assert_refused(WITH(month, 0x13));
    assert_refused(WITH(year, 0xa0));
    assert_refused(WITH(century, 0x18));
    assert_refused(WITH(century, 0x99));
    assert_refused((struct cmos_time){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
    time = bcd_24;
    time.status_b = 0;
    time.hour = 0;
    assert_refused(time);
    time.hour = 0x13;
    assert_refused(time);
#undef WITH
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_midnight_and_noon),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
