#include "guest/devices/rtc.h"

#include <string.h>
#include <time.h>

#include "guest/devices/rtc_calendar.h"
#include "guest/devices/rtc_registers.h"
#include "tests/unit/devices/clock.h"
#include "tests/unit/devices/line.h"
#include "tests/unit/support/cmocka.h"

#define SECOND UINT64_C(1000000000)
#define MIB    (UINT64_C(1) << 20)

/* 2024-02-29 23:59:57 UTC, a Thursday. */
#define LEAP_DAY_NIGHT 1709251197u

static struct rtc rtc;
static struct test_line line;
static struct test_clock test_clock;

static void start(uint64_t wall_clock, uint64_t low_ram, uint64_t high_ram)
{
    struct rtc_config config = {.irq = test_line_connect(&line),
                                .timers = &test_clock.timers,
                                .wall_clock = wall_clock,
                                .low_ram = low_ram,
                                .high_ram = high_ram};

    test_clock_init(&test_clock);
    rtc_init(&rtc, &config);
}

static int set_up(void **state)
{
    (void)state;
    start(LEAP_DAY_NIGHT, 256 * MIB, 0);
    return 0;
}

static uint8_t get(uint8_t index)
{
    rtc_write(&rtc, 0, 1, index);
    return (uint8_t)rtc_read(&rtc, 1, 1);
}

static void put(uint8_t index, uint8_t value)
{
    rtc_write(&rtc, 0, 1, index);
    rtc_write(&rtc, 1, 1, value);
}

static void assert_time(uint8_t century, uint8_t year, uint8_t month, uint8_t day, uint8_t weekday,
                        uint8_t hour, uint8_t minute, uint8_t second)
{
    assert_int_equal(get(RTC_CENTURY), century);
    assert_int_equal(get(RTC_YEAR), year);
    assert_int_equal(get(RTC_MONTH), month);
    assert_int_equal(get(RTC_DAY), day);
    assert_int_equal(get(RTC_WEEKDAY), weekday);
    assert_int_equal(get(RTC_HOURS), hour);
    assert_int_equal(get(RTC_MINUTES), minute);
    assert_int_equal(get(RTC_SECONDS), second);
}

static void calendar_agrees_with_the_c_librarys(void **state)
{
    uint64_t random = 7;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        /* 1800 to about 2500, and the seconds around midnight. */
        time_t seconds = (time_t)(test_random(&random) % 22000000000u) - 5000000000;
        struct tm expected;
        struct rtc_time made;

        if (i % 2) {
            seconds -= seconds % 86400 + (time_t)(i % 3);
        }
        gmtime_r(&seconds, &expected);
        rtc_time_from_seconds(seconds, &made);
        assert_int_equal(made.year, expected.tm_year + 1900);
        assert_int_equal(made.month, expected.tm_mon + 1);
        assert_int_equal(made.day, expected.tm_mday);
        assert_int_equal(made.weekday, expected.tm_wday);
        assert_int_equal(made.hour, expected.tm_hour);
        assert_int_equal(made.minute, expected.tm_min);
        assert_int_equal(made.second, expected.tm_sec);
        assert_int_equal(rtc_seconds_from_time(&made), seconds);
    }
}

static void numbers_in_all_formats(void **state)
{
    static const uint8_t twelve_hours[] = {0x12, 0x01, 0x11, 0x92, 0x81, 0x91};
    static const unsigned hours[] = {0, 1, 11, 12, 13, 23};

    (void)state;
    for (unsigned bits = 0; bits < 4; bits++) {
        struct rtc_format format = {.binary = bits & 1, .hours_24 = bits & 2};

        for (unsigned i = 0; i < 100; i++) {
            assert_int_equal(rtc_decode(format, rtc_encode(format, i)), i);
        }
        for (unsigned i = 0; i < 24; i++) {
            assert_int_equal(rtc_decode_hour(format, rtc_encode_hour(format, i)), i);
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(rtc_encode_hour((struct rtc_format){0}, hours[i]), twelve_hours[i]);
    }
    assert_int_equal(rtc_encode((struct rtc_format){0}, 59), 0x59);
}

static void time_passes(void **state)
{
    (void)state;
    assert_time(0x20, 0x24, 0x02, 0x29, 5, 0x23, 0x59, 0x57);
    test_clock.now = 2 * SECOND + SECOND / 2;
    assert_int_equal(get(RTC_SECONDS), 0x59);
    test_clock.now = 3 * SECOND;
    assert_time(0x20, 0x24, 0x03, 0x01, 6, 0x00, 0x00, 0x00);
}

static void binary_and_twelve_hours(void **state)
{
    (void)state;
    put(RTC_B, RTC_B_BINARY);
    assert_time(20, 24, 2, 29, 5, 0x80 | 11, 59, 57);
    test_clock.now = 3 * SECOND;
    assert_time(20, 24, 3, 1, 6, 12, 0, 0);
    put(RTC_B, RTC_B_BINARY | RTC_B_24_HOURS);
    assert_int_equal(get(RTC_HOURS), 0);
    put(RTC_B, 0);
    assert_int_equal(get(RTC_HOURS), 0x12);
}

static void update_in_progress_just_before_the_second(void **state)
{
    (void)state;
    assert_int_equal(get(RTC_A), 0x26);
    test_clock.now = SECOND - 245000;
    assert_int_equal(get(RTC_A), 0x26);
    test_clock.now = SECOND - 243000;
    assert_int_equal(get(RTC_A), 0xa6);
    put(RTC_B, RTC_B_SET | RTC_B_24_HOURS); /* no updates while SET */
    assert_int_equal(get(RTC_A), 0x26);
    put(RTC_B, RTC_B_24_HOURS);
    test_clock.now = SECOND;
    assert_int_equal(get(RTC_A), 0x26);
}

static void set_stops_the_clock_for_writing(void **state)
{
    (void)state;
    put(RTC_B, RTC_B_SET | RTC_B_24_HOURS);
    test_clock.now = 100 * SECOND + SECOND / 4;
    assert_time(0x20, 0x24, 0x02, 0x29, 5, 0x23, 0x59, 0x57);
    put(RTC_CENTURY, 0x19);
    put(RTC_YEAR, 0x99);
    put(RTC_MONTH, 0x12);
    put(RTC_DAY, 0x31);
    put(RTC_HOURS, 0x23);
    put(RTC_MINUTES, 0x59);
    put(RTC_SECONDS, 0x58);
    put(RTC_WEEKDAY, 0x06);
    test_clock.now = 200 * SECOND + SECOND / 4;
    put(RTC_B, RTC_B_24_HOURS);
    assert_time(0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x58);
    /* The divider ran on: the seconds change with the old phase. */
    test_clock.now = 201 * SECOND;
    assert_int_equal(get(RTC_SECONDS), 0x59);
    test_clock.now = 202 * SECOND;
    assert_time(0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00);
}

/* The way Linux sets the clock: with the divider held, so that the next second begins half a
 * second after it is let go. */
static void a_held_divider_restarts_the_phase(void **state)
{
    (void)state;
    put(RTC_B, RTC_B_SET | RTC_B_24_HOURS);
    put(RTC_A, 0x70 | 0x06);
    put(RTC_SECONDS, 0x10);
    test_clock.now = 7 * SECOND + 123456789;
    put(RTC_B, RTC_B_24_HOURS);
    assert_int_equal(get(RTC_SECONDS), 0x10); /* still held */
    test_clock.now += 5 * SECOND;
    assert_int_equal(get(RTC_SECONDS), 0x10);
    put(RTC_A, 0x26);
    test_clock.now += SECOND / 2 - 1;
    assert_int_equal(get(RTC_SECONDS), 0x10);
    test_clock.now += 1;
    assert_int_equal(get(RTC_SECONDS), 0x11);
    test_clock.now += SECOND;
    assert_int_equal(get(RTC_SECONDS), 0x12);
}

static void fields_can_be_written_while_it_runs(void **state)
{
    (void)state;
    test_clock.now = SECOND / 4;
    put(RTC_MINUTES, 0x30);
    assert_time(0x20, 0x24, 0x02, 0x29, 5, 0x23, 0x30, 0x57);
    put(RTC_WEEKDAY, 0x01);
    assert_int_equal(get(RTC_WEEKDAY), 1);
    test_clock.now = 31 * 60 * SECOND;
    assert_time(0x20, 0x24, 0x03, 0x01, 2, 0x00, 0x01, 0x57);
}

static void update_interrupt_each_second(void **state)
{
    (void)state;
    assert_null(test_clock.timers.first);
    put(RTC_HOURS_ALARM, 0x77); /* never; left alone, it is midnight */
    put(RTC_B, RTC_B_24_HOURS | RTC_B_UPDATE);
    for (unsigned i = 1; i < 5; i++) {
        test_clock_run_until(&test_clock, i * SECOND - 1);
        assert_false(line.level);
        test_clock_run_until(&test_clock, i * SECOND);
        assert_true(line.level);
        assert_null(test_clock.timers.first); /* nothing more before C is read */
        assert_int_equal(get(RTC_C) & ~RTC_B_PERIODIC, RTC_C_INTERRUPT | RTC_B_UPDATE);
        assert_false(line.level);
        assert_int_equal(get(RTC_C), 0);
    }
    put(RTC_B, RTC_B_24_HOURS | RTC_B_UPDATE | RTC_B_SET); /* SET takes the enable away */
    assert_int_equal(get(RTC_B), RTC_B_24_HOURS | RTC_B_SET);
    assert_null(test_clock.timers.first);
}

static void periodic_interrupt_at_all_rates(void **state)
{
    static const unsigned hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};

    (void)state;
    for (unsigned rate = 0; rate < 16; rate++) {
        uint64_t begin;
        unsigned count = 0;

        set_up(state);
        put(RTC_A, (uint8_t)(0x20 | rate));
        put(RTC_B, RTC_B_24_HOURS | RTC_B_PERIODIC);
        begin = test_clock.now;
        while (timer_next_deadline(&test_clock.timers) <= begin + SECOND) {
            test_clock_run_until(&test_clock, timer_next_deadline(&test_clock.timers));
            assert_true(line.level);
            assert_int_equal(get(RTC_C) & (RTC_C_INTERRUPT | RTC_B_PERIODIC),
                             RTC_C_INTERRUPT | RTC_B_PERIODIC);
            assert_false(line.level);
            count++;
        }
        assert_int_equal(count, hz[rate]);
    }
}

static void flags_come_without_interrupts_too(void **state)
{
    (void)state;
    assert_int_equal(get(RTC_C), 0);
    test_clock.now = 1000000; /* one period of 1024 Hz, no second */
    assert_int_equal(get(RTC_C), RTC_B_PERIODIC);
    test_clock.now = SECOND;
    assert_int_equal(get(RTC_C), RTC_B_PERIODIC | RTC_B_UPDATE);
    assert_int_equal(get(RTC_C), 0);
    test_clock.now = 2 * SECOND;
    /* Enabling what is flagged already interrupts at once. */
    put(RTC_B, RTC_B_24_HOURS | RTC_B_UPDATE);
    assert_true(line.level);
    put(RTC_B, RTC_B_24_HOURS);
    assert_false(line.level);
    assert_int_equal(line.rises, 1);
}

static void alarm_at_a_time_of_day(void **state)
{
    (void)state;
    put(RTC_HOURS_ALARM, 0x00);
    put(RTC_MINUTES_ALARM, 0x00);
    put(RTC_SECONDS_ALARM, 0x05);
    put(RTC_B, RTC_B_24_HOURS | RTC_B_ALARM);
    test_clock_run_until(&test_clock, 8 * SECOND - 1);
    assert_false(line.level);
    test_clock_run_until(&test_clock, 8 * SECOND);
    assert_true(line.level);
    assert_int_equal(get(RTC_C) & ~RTC_B_PERIODIC, RTC_C_INTERRUPT | RTC_B_ALARM | RTC_B_UPDATE);
    assert_int_equal(get(RTC_SECONDS), 0x05);
    test_clock_run_until(&test_clock, (8 + 86400) * SECOND - 1);
    assert_false(line.level);
    test_clock_run_until(&test_clock, (8 + 86400) * SECOND);
    assert_true(line.level);
}

static unsigned alarms_within(uint64_t seconds)
{
    uint64_t end = test_clock.now + seconds * SECOND;
    unsigned count = 0;

    get(RTC_C);
    while (timer_next_deadline(&test_clock.timers) <= end) {
        test_clock_run_until(&test_clock, timer_next_deadline(&test_clock.timers));
        count += get(RTC_C) >> 5 & 1;
    }
    test_clock.now = end;
    return count;
}

static void alarm_bytes_that_do_not_care(void **state)
{
    (void)state;
    put(RTC_HOURS_ALARM, 0xff);
    put(RTC_MINUTES_ALARM, 0xc0);
    put(RTC_SECONDS_ALARM, 0xff);
    put(RTC_B, RTC_B_24_HOURS | RTC_B_ALARM);
    assert_int_equal(alarms_within(10), 10);
    put(RTC_SECONDS_ALARM, 0x30);
    assert_int_equal(alarms_within(600), 10);
    put(RTC_MINUTES_ALARM, 0x15);
    assert_int_equal(alarms_within(5 * 3600), 5);
    put(RTC_MINUTES_ALARM, 0x75); /* never */
    assert_null(test_clock.timers.first);
    assert_int_equal(alarms_within(2 * 86400), 0);
}

static void alarm_flag_is_found_late(void **state)
{
    (void)state;
    put(RTC_HOURS_ALARM, 0x12);
    put(RTC_MINUTES_ALARM, 0x34);
    put(RTC_SECONDS_ALARM, 0x56);
    test_clock.now = (3 + 12 * 3600 + 34 * 60 + 55) * SECOND;
    assert_int_equal(get(RTC_C) & RTC_B_ALARM, 0);
    test_clock.now += 3 * 86400 * SECOND;
    assert_int_equal(get(RTC_C) & RTC_B_ALARM, RTC_B_ALARM);
    assert_int_equal(get(RTC_C) & RTC_B_ALARM, 0);
}

static void memory_sizes_are_told(void **state)
{
    uint16_t sum = 0;

    (void)state;
    start(0, 256 * MIB, 0);
    assert_int_equal(get(0x15) | get(0x16) << 8, 640);
    assert_int_equal(get(0x17) | get(0x18) << 8, 0xffff);
    assert_int_equal(get(0x30) | get(0x31) << 8, 0xffff);
    assert_int_equal(get(0x34) | get(0x35) << 8, 240 * 16);
    assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 0);
    for (uint8_t i = 0x10; i <= 0x2d; i++) {
        sum = (uint16_t)(sum + get(i));
    }
    assert_int_equal(get(0x2e) << 8 | get(0x2f), sum);
    start(0, 3072 * MIB, 5 * 1024 * MIB);
    assert_int_equal(get(0x34) | get(0x35) << 8, (3072 - 16) * 16);
    assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 5 * 1024 * 16);
    start(0, 8 * MIB, 0);
    assert_int_equal(get(0x17) | get(0x18) << 8, 7 * 1024);
    assert_int_equal(get(0x34) | get(0x35) << 8, 0);
    assert_time(0x19, 0x70, 0x01, 0x01, 5, 0, 0, 0);
}

static void memory_keeps_and_index_masks_nmi(void **state)
{
    (void)state;
    for (unsigned i = 0x0e; i < RTC_CMOS_SIZE; i++) {
        if (i != RTC_CENTURY) {
            put((uint8_t)i, (uint8_t)(i * 3));
        }
    }
    for (unsigned i = 0x0e; i < RTC_CMOS_SIZE; i++) {
        if (i != RTC_CENTURY) {
            assert_int_equal(get((uint8_t)i), (uint8_t)(i * 3));
        }
    }
    assert_false(rtc_nmi_masked(&rtc));
    rtc_write(&rtc, 0, 1, 0x80 | RTC_D);
    assert_true(rtc_nmi_masked(&rtc));
    assert_int_equal(rtc_read(&rtc, 1, 1), 0x80);
    assert_int_equal(rtc_read(&rtc, 0, 1), 0xff);
    put(RTC_D, 0x00);
    put(RTC_C, 0xff);
    assert_int_equal(get(RTC_D), 0x80);
    assert_int_equal(get(RTC_C), 0x00);
}

static void other_sizes_do_nothing(void **state)
{
    (void)state;
    rtc_write(&rtc, 0, 1, RTC_D);
    rtc_write(&rtc, 0, 2, 0x1234);
    rtc_write(&rtc, 1, 4, 0x12345678);
    assert_int_equal(rtc.index, RTC_D);
    assert_int_equal(rtc_read(&rtc, 0, 2), 0xffff);
    assert_int_equal(rtc_read(&rtc, 1, 4), 0xffffffff);
    assert_int_equal(rtc_read(&rtc, 1, 1), 0x80);
}

static void reset_keeps_the_time(void **state)
{
    (void)state;
    put(0x40, 0x99);
    put(RTC_B, RTC_B_24_HOURS | RTC_B_INTERRUPTS);
    test_clock_run_until(&test_clock, SECOND);
    assert_true(line.level);
    rtc_reset(&rtc);
    assert_false(line.level);
    assert_null(test_clock.timers.first);
    assert_int_equal(get(RTC_B), RTC_B_24_HOURS);
    assert_int_equal(get(RTC_C), 0);
    assert_int_equal(get(0x40), 0x99);
    assert_int_equal(get(RTC_SECONDS), 0x58);
}

/* Whatever a guest writes: no undefined behaviour, no timer that fires in the past for ever. */
static void random_accesses(void **state)
{
    uint64_t random = 99;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t bits = test_random(&random);
        uint8_t index = bits & 8 ? bits >> 8 & 15 : bits >> 8 & 63;

        if (bits & 1) {
            put(index, (uint8_t)(bits >> 16));
        } else {
            get(index);
        }
        test_clock_run_until(&test_clock, test_clock.now + (bits >> 32) % (SECOND * 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calendar_agrees_with_the_c_librarys),
        cmocka_unit_test(numbers_in_all_formats),
        cmocka_unit_test_setup(time_passes, set_up),
        cmocka_unit_test_setup(binary_and_twelve_hours, set_up),
        cmocka_unit_test_setup(update_in_progress_just_before_the_second, set_up),
        cmocka_unit_test_setup(set_stops_the_clock_for_writing, set_up),
        cmocka_unit_test_setup(a_held_divider_restarts_the_phase, set_up),
        cmocka_unit_test_setup(fields_can_be_written_while_it_runs, set_up),
        cmocka_unit_test_setup(update_interrupt_each_second, set_up),
        cmocka_unit_test_setup(periodic_interrupt_at_all_rates, set_up),
        cmocka_unit_test_setup(flags_come_without_interrupts_too, set_up),
        cmocka_unit_test_setup(alarm_at_a_time_of_day, set_up),
        cmocka_unit_test_setup(alarm_bytes_that_do_not_care, set_up),
        cmocka_unit_test_setup(alarm_flag_is_found_late, set_up),
        cmocka_unit_test(memory_sizes_are_told),
        cmocka_unit_test_setup(memory_keeps_and_index_masks_nmi, set_up),
        cmocka_unit_test_setup(other_sizes_do_nothing, set_up),
        cmocka_unit_test_setup(reset_keeps_the_time, set_up),
        cmocka_unit_test_setup(random_accesses, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
