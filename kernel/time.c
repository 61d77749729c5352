#include "kernel/time.h"

#include <string.h>

#include "kernel/acpi/acpi.h"
#include "kernel/apic.h"
#include "kernel/boot/boot.h"
#include "kernel/clock.h"
#include "kernel/cmos_clock.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/pit.h"
#include "kernel/time_scale.h"

#define CMOS_INDEX 0x70u
#define CMOS_DATA  0x71u

/* An update of the clock's registers takes 2 ms at most; so many port accesses take longer. */
#define CMOS_PATIENCE 20000u

#define PM_TIMER_HZ      UINT64_C(3579545)
#define PM_TIMER_24_BITS UINT32_C(0xffffff)

#define NS_PER_SECOND UINT64_C(1000000000)

#define CPUID_TSC 0x15u

/* How long the TSC is compared with the reference: 1 / CALIBRATION_DIVISOR seconds. */
#define CALIBRATION_DIVISOR 250u

/* Readings without a change after which a counter counts as dead; a tick is under a microsecond. */
#define DEAD_READINGS 10000u

/* A counter of known rate. */
struct reference {
    uint32_t (*read)(void);
    uint32_t mask;
    uint64_t hz;
};

struct time_scale clock_scale;
static uint64_t tsc_rate;                   /* ticks per second */
static _Atomic uint64_t wall_clock_at_boot; /* ns since 1970-01-01 UTC */

uint64_t tsc_hz(void)
{
    return tsc_rate;
}

uint64_t tsc_khz(void)
{
    return tsc_rate / 1000;
}

uint64_t time_from_tsc(uint64_t tsc)
{
    return clock_from_tsc(tsc);
}

uint64_t time_ns(void)
{
    return clock_ns();
}

uint64_t tsc_from_ns(uint64_t ns)
{
    return boot_tsc + ticks_from_ns(ns);
}

uint64_t ticks_from_ns(uint64_t ns)
{
    return scale_to_ticks(&clock_scale, ns);
}

uint64_t boot_wall_clock(void)
{
    return wall_clock_at_boot / NS_PER_SECOND;
}

uint64_t wall_clock_ns(void)
{
    return wall_clock_at_boot + time_ns();
}

void wall_clock_set(uint64_t ns)
{
    wall_clock_at_boot = ns - time_ns();
}

void alarm_set(uint64_t deadline)
{
    uint64_t ticks;

    if (deadline == TIME_NEVER) {
        apic_timer_cancel();
        return;
    }
    ticks = scale_to_ticks(&clock_scale, deadline);
    apic_timer_set(ticks < UINT64_MAX - boot_tsc ? boot_tsc + ticks : UINT64_MAX);
}

static uint32_t pm_timer_read(void)
{
    return inl((uint16_t)acpi_info()->pm_timer.address);
}

/* The TSC's rate by that reference, 0 if it stands still. A sample whose reading took much longer
 * than the shortest so far (an SMI, an emulator at work) does not say when it was taken. */
static uint64_t measure(const struct reference *reference)
{
    uint32_t duration = (uint32_t)(reference->hz / CALIBRATION_DIVISOR);
    uint32_t start = reference->read() & reference->mask;
    uint64_t start_tsc = rdtsc();
    uint64_t shortest = UINT64_MAX;
    struct line_fit fit = {0};
    uint32_t elapsed = 0;
    unsigned unchanged = 0;

    while (elapsed < duration) {
        uint64_t before = rdtsc();
        uint32_t now = (reference->read() - start) & reference->mask;
        uint64_t took = rdtsc() - before;

        unchanged = now == elapsed ? unchanged + 1 : 0;
        if (unchanged > DEAD_READINGS) {
            return 0;
        }
        elapsed = now;
        if (took < shortest) {
            shortest = took;
        }
        if (took <= 2 * shortest) {
            line_fit_add(&fit, elapsed, before - start_tsc + took / 2);
        }
    }
    return line_fit_hz(&fit, reference->hz);
}

static uint64_t measure_by_pm_timer(void)
{
    const struct acpi_info *info = acpi_info();
    const struct reference reference = {
        .read = pm_timer_read,
        .mask = info->pm_timer_32bit ? UINT32_MAX : PM_TIMER_24_BITS,
        .hz = PM_TIMER_HZ,
    };

    return info->pm_timer.address ? measure(&reference) : 0;
}

static uint64_t measure_by_pit(void)
{
    const struct reference reference = {.read = pit_count, .mask = PIT_MASK, .hz = PIT_HZ};
    uint64_t hz;

    pit_start();
    hz = measure(&reference);
    pit_stop();
    return hz;
}

static uint8_t cmos_read(unsigned reg)
{
    outb(CMOS_INDEX, (uint8_t)reg);
    return inb(CMOS_DATA);
}

static void cmos_read_time(struct cmos_time *time)
{
    uint8_t century = acpi_info()->century;

    for (unsigned i = 0; i < CMOS_PATIENCE && cmos_read(CMOS_STATUS_A) & CMOS_A_UPDATING; i++) {
        pause();
    }
    *time = (struct cmos_time){
        .second = cmos_read(CMOS_SECOND),
        .minute = cmos_read(CMOS_MINUTE),
        .hour = cmos_read(CMOS_HOUR),
        .day = cmos_read(CMOS_DAY),
        .month = cmos_read(CMOS_MONTH),
        .year = cmos_read(CMOS_YEAR),
        .century = century ? cmos_read(century) : 0,
        .status_b = cmos_read(CMOS_STATUS_B),
    };
}

/* Read until twice the same: an update may begin right after the flag was looked at. */
static uint64_t read_wall_clock(void)
{
    struct cmos_time first;
    struct cmos_time second;

    cmos_read_time(&second);
    for (unsigned i = 0; i < 4; i++) {
        first = second;
        cmos_read_time(&second);
        if (memcmp(&first, &second, sizeof(first)) == 0) {
            return cmos_time_to_unix(&first);
        }
    }
    return 0;
}

void time_init(void)
{
    const char *by = "the ACPI PM timer";
    uint64_t measured = measure_by_pm_timer();
    struct cpuid_result stated = {0};
    uint64_t now;

    if (measured == 0) {
        by = "the 8254";
        measured = measure_by_pit();
    }
    if (cpuid(0, 0).eax >= CPUID_TSC) {
        stated = cpuid(CPUID_TSC, 0);
    }
    ASSERT(measured != 0, "the PM timer or the 8254 counts while the TSC does");
    tsc_rate = choose_tsc_hz(measured, stated.eax, stated.ebx, stated.ecx);
    clock_scale = time_scale_of(tsc_rate);
    now = read_wall_clock();
    if (now == 0) {
        log_warn("time: the CMOS clock holds no date");
    } else {
        wall_clock_set(now * NS_PER_SECOND);
    }
    log_info("time: TSC at %lu kHz by %s, measured %lu kHz; %lu s since 1970", tsc_khz(),
             tsc_rate == measured ? by : "CPUID", measured / 1000, now);
}
