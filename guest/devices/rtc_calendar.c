#include "guest/devices/rtc_calendar.h"

#define SECONDS_PER_DAY 86400

/* Counting years from March puts the leap day at a year's end, and 400 years repeat. */
#define DAYS_PER_ERA      146097
#define DAYS_TO_1970      719468 /* from 1 March of year 0 */
#define YEARS_PER_ERA     400
#define AFTERNOON         0x80u
#define MARCH             3
#define MONTHS_FROM_MARCH 10 /* March to December */

static int64_t divide_down(int64_t number, int64_t by)
{
    return number >= 0 ? number / by : -((-number + by - 1) / by);
}

/* Days before the month that is `month` months after March, in a year from March. */
static unsigned days_before_month(unsigned month)
{
    return (153 * month + 2) / 5;
}

void rtc_time_from_seconds(int64_t seconds, struct rtc_time *time)
{
    int64_t days = divide_down(seconds, SECONDS_PER_DAY);
    unsigned second_of_day = (unsigned)(seconds - days * SECONDS_PER_DAY);
    int64_t era = divide_down(days + DAYS_TO_1970, DAYS_PER_ERA);
    unsigned day_of_era = (unsigned)(days + DAYS_TO_1970 - era * DAYS_PER_ERA);
    /* Take out the leap days that came before to get whole years of 365 days. */
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153;

    time->day = day_of_year - days_before_month(month) + 1;
    time->month = month < MONTHS_FROM_MARCH ? month + MARCH : month - MONTHS_FROM_MARCH + 1;
    time->year = era * YEARS_PER_ERA + year_of_era + (month >= MONTHS_FROM_MARCH ? 1 : 0);
    time->weekday = (unsigned)(days - divide_down(days + 4, 7) * 7 + 4); /* day 0: a Thursday */
    time->hour = second_of_day / 3600;
    time->minute = second_of_day / 60 % 60;
    time->second = second_of_day % 60;
}

int64_t rtc_seconds_from_time(const struct rtc_time *time)
{
    unsigned month = (time->month + 11) % 12; /* 0 is January, whatever was written */
    int64_t year = time->year - (month < 2 ? 1 : 0);
    unsigned from_march = (month + MONTHS_FROM_MARCH) % 12;
    int64_t era = divide_down(year, YEARS_PER_ERA);
    unsigned year_of_era = (unsigned)(year - era * YEARS_PER_ERA);
    int64_t days = era * DAYS_PER_ERA + INT64_C(365) * year_of_era + year_of_era / 4 -
                   year_of_era / 100 + days_before_month(from_march) + time->day - 1 - DAYS_TO_1970;

    return days * SECONDS_PER_DAY + INT64_C(3600) * time->hour + INT64_C(60) * time->minute +
           time->second;
}

uint8_t rtc_encode(struct rtc_format format, unsigned value)
{
    return (uint8_t)(format.binary ? value : value / 10 * 16 + value % 10);
}

unsigned rtc_decode(struct rtc_format format, uint8_t byte)
{
    return format.binary ? byte : (unsigned)(byte >> 4) * 10 + (byte & 0x0f);
}

uint8_t rtc_encode_hour(struct rtc_format format, unsigned hour)
{
    if (format.hours_24) {
        return rtc_encode(format, hour);
    }
    return (uint8_t)(rtc_encode(format, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? AFTERNOON : 0));
}

unsigned rtc_decode_hour(struct rtc_format format, uint8_t byte)
{
    if (format.hours_24) {
        return rtc_decode(format, byte);
    }
    return rtc_decode(format, byte & (uint8_t)~AFTERNOON) % 12 + (byte & AFTERNOON ? 12 : 0);
}
