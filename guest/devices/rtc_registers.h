/*
 * The registers of the MC146818 and the bytes of the CMOS beside them, and their bits.
 */
#ifndef GUEST_DEVICES_RTC_REGISTERS_H
#define GUEST_DEVICES_RTC_REGISTERS_H

/* Registers in the CMOS. */
enum rtc_register {
    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
    RTC_WEEKDAY = 0x06,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0a,
    RTC_B = 0x0b,
    RTC_C = 0x0c,
    RTC_D = 0x0d,
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_MEMORY = 0x15,     /* KiB below 1 MiB, 2 bytes */
    CMOS_EXTENDED_MEMORY = 0x17, /* KiB from 1 MiB on, 2 bytes */
    CMOS_CHECKSUM_FIRST = 0x10,
    CMOS_CHECKSUM_LAST = 0x2d,
    CMOS_CHECKSUM = 0x2e,          /* of the bytes before, high byte first */
    CMOS_EXTENDED_MEMORY_2 = 0x30, /* as CMOS_EXTENDED_MEMORY */
    RTC_CENTURY = 0x32,
    CMOS_MEMORY_16M = 0x34,  /* units of 64 KiB from 16 MiB on, 2 bytes */
    CMOS_MEMORY_HIGH = 0x5b, /* units of 64 KiB from 4 GiB on, 3 bytes */
};

#define RTC_A_UPDATE_IN_PROGRESS 0x80u
#define RTC_A_DIVIDER            0x70u
#define RTC_A_DIVIDER_NORMAL     0x20u
#define RTC_A_DIVIDER_RESET      0x60u /* 11x: the divider is held */
#define RTC_A_RATE               0x0fu
#define RTC_A_RATE_1024_HZ       0x06u

#define RTC_B_SET         0x80u
#define RTC_B_PERIODIC    0x40u /* bits 6-4 enable the flags in the same bits of C */
#define RTC_B_ALARM       0x20u
#define RTC_B_UPDATE      0x10u
#define RTC_B_INTERRUPTS  (RTC_B_PERIODIC | RTC_B_ALARM | RTC_B_UPDATE)
#define RTC_B_SQUARE_WAVE 0x08u
#define RTC_B_BINARY      0x04u
#define RTC_B_24_HOURS    0x02u
#define RTC_C_INTERRUPT   0x80u
#define RTC_D_VALID       0x80u
#define RTC_ALARM_ANY     0xc0u /* both bits set in an alarm byte: any value matches */
#define RTC_INDEX_MASK    0x7fu

#endif
