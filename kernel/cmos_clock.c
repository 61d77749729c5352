#include "kernel/cmos_clock.h"

#include <stdbool.h>

#define BAD_VALUE 0xffu

/* A register's number; BAD_VALUE if it is BCD and has a digit above 9. */
static unsigned number(uint8_t value, bool binary)
{
    if (binary) {
        return value;
    }
    if ((value & 0xf) > 9 || value >> 4 > 9) {
        return BAD_VALUE;
    }
    return (value >> 4) * 10u + (value & 0xfu);
}

/* 12-hour mode: 12 AM is 0, 12 PM is 12; bit 7 says PM. */
static unsigned hour_of(const struct cmos_time *time, bool binary)
{
    unsigned hour;

    if (time->status_b & CMOS_B_24_HOURS) {
        return number(time->hour, binary);
    }
    hour = number(time->hour & (uint8_t)~CMOS_HOUR_PM, binary);
    if (hour < 1 || hour > 12) {
        return BAD_VALUE;
    }
    return hour % 12 + (time->hour & CMOS_HOUR_PM ? 12 : 0);
}

static bool is_leap_year(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

uint64_t cmos_time_to_unix(const struct cmos_time *time)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool binary = (time->status_b & CMOS_B_BINARY) != 0;
    unsigned second = number(time->second, binary);
    unsigned minute = number(time->minute, binary);
    unsigned hour = hour_of(time, binary);
    unsigned day = number(time->day, binary);
    unsigned month = number(time->month, binary);
    unsigned year = number(time->year, binary);
    unsigned century = time->century ? number(time->century, binary) : 20;
    uint64_t days = 0;

    /* 60 is a leap second. */
    if (second > 60 || minute > 59 || hour > 23 || day < 1 || month < 1 || month > 12 ||
        year > 99 || century < 19 || century > 22) {
        return 0;
    }
    year += century * 100;
    if (year < 1970 || day > month_days[month - 1] + (month == 2 && is_leap_year(year) ? 1u : 0u)) {
        return 0;
    }
    for (unsigned y = 1970; y < year; y++) {
        days += is_leap_year(y) ? 366 : 365;
    }
    for (unsigned m = 1; m < month; m++) {
        days += month_days[m - 1] + (m == 2 && is_leap_year(year) ? 1u : 0u);
    }
    days += day - 1;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}
