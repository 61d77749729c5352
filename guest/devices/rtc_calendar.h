/*
 * The calendar of the real-time clock: seconds since 1970 to date and time and back, and the forms
 * in which the clock shows numbers.
 */
#ifndef GUEST_DEVICES_RTC_CALENDAR_H
#define GUEST_DEVICES_RTC_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

struct rtc_time {
    int64_t year;     /* with its century */
    unsigned month;   /* 1-12 */
    unsigned day;     /* 1-31 */
    unsigned weekday; /* 0 is Sunday */
    unsigned hour;
    unsigned minute;
    unsigned second;
};

/** Gregorian date and time, UTC, of `seconds` since 1970-01-01. */
void rtc_time_from_seconds(int64_t seconds, struct rtc_time *time);
/** The inverse; the weekday does not count. Fields out of their range carry over, as in 31 April.
 */
int64_t rtc_seconds_from_time(const struct rtc_time *time);

/* How the clock shows its numbers: register B's bits DM and 24/12. */
struct rtc_format {
    bool binary; /* else BCD */
    bool hours_24;
};

uint8_t rtc_encode(struct rtc_format format, unsigned value);
unsigned rtc_decode(struct rtc_format format, uint8_t byte);
/** Hours: 0-23, or 12, 1-11 with bit 7 for the afternoon. */
uint8_t rtc_encode_hour(struct rtc_format format, unsigned hour);
unsigned rtc_decode_hour(struct rtc_format format, uint8_t byte);

#endif
