/*
 * The CMOS real-time clock (MC146818): its registers' values as seconds since 1970. Pure.
 */
#ifndef KERNEL_CMOS_CLOCK_H
#define KERNEL_CMOS_CLOCK_H

#include <stdint.h>

/* Register numbers. */
#define CMOS_SECOND   0x00u
#define CMOS_MINUTE   0x02u
#define CMOS_HOUR     0x04u
#define CMOS_DAY      0x07u
#define CMOS_MONTH    0x08u
#define CMOS_YEAR     0x09u
#define CMOS_STATUS_A 0x0au
#define CMOS_STATUS_B 0x0bu

#define CMOS_A_UPDATING 0x80u
#define CMOS_B_24_HOURS 0x02u
#define CMOS_B_BINARY   0x04u
#define CMOS_HOUR_PM    0x80u

/* Registers as read. */
struct cmos_time {
    uint8_t second;
    uint8_t minute;
    uint8_t hour;
    uint8_t day;
    uint8_t month;
    uint8_t year;
    uint8_t century; /* 0: there is no such register, then the years are 2000-2099 */
    uint8_t status_b;
};

/** Seconds since 1970-01-01 00:00 UTC, taking the clock to run in UTC; 0 if the registers hold no
 * date (1970-2255). */
uint64_t cmos_time_to_unix(const struct cmos_time *time);

#endif
