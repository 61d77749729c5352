/*
 * The MC146818 real-time clock with its 128 bytes of CMOS memory, ports 0x70 (index) and 0x71
 * (data), IRQ 8.
 *
 * The clock is not ticked: the time of day is the VM's clock plus an offset, turned into fields
 * when they are read. A timer is armed only while the guest has an interrupt of the clock enabled.
 */
#ifndef GUEST_DEVICES_RTC_H
#define GUEST_DEVICES_RTC_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/devices/device.h"
#include "guest/timer.h"

#define RTC_PORT       0x70u
#define RTC_PORT_COUNT 2u
#define RTC_IRQ        8u

#define RTC_CMOS_SIZE 128u

struct rtc_config {
    struct irq_line irq;
    struct timer_queue *timers;
    uint64_t wall_clock; /* seconds since 1970-01-01 UTC at VM clock 0 */
    uint64_t low_ram;    /* bytes of RAM below 4 GiB, from address 0 */
    uint64_t high_ram;   /* bytes of RAM from 4 GiB on */
};

struct rtc {
    struct irq_line irq;
    struct timer timer;
    uint8_t index; /* as written to port 0x70: bit 7 is the NMI mask */
    uint8_t cmos[RTC_CMOS_SIZE];
    /* The clock's own time is the VM's clock plus `phase` ns: its whole seconds, plus
     * `base_seconds`, are the time of day; its edges are the divider's. */
    uint32_t phase;
    int64_t base_seconds;  /* since 1970-01-01 */
    uint8_t weekday_shift; /* the weekday counts by itself; a guest may set it at will */
    /* Events up to this moment of the VM's clock are in register C's flags. */
    uint64_t flags_until;
};

/** Sets up the clock and the memory sizes in the CMOS (0x15-0x18, 0x30, 0x31, 0x34, 0x35,
 * 0x5b-0x5d). */
void rtc_init(struct rtc *rtc, const struct rtc_config *config);
/** The RESET pin: interrupts off and flags clear; time, memory and alarm stay. */
void rtc_reset(struct rtc *rtc);
/** port_read_fn and port_write_fn of ports 0x70 and 0x71; bytes only. */
uint32_t rtc_read(void *device, uint16_t offset, unsigned size);
void rtc_write(void *device, uint16_t offset, unsigned size, uint32_t value);
/** True while the guest masks NMIs by bit 7 of port 0x70. */
static inline bool rtc_nmi_masked(const struct rtc *rtc)
{
    return rtc->index & 0x80;
}

#endif
