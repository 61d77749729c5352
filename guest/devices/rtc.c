#include "guest/devices/rtc.h"

#include <string.h>

#include "guest/devices/rtc_calendar.h"
#include "guest/devices/rtc_registers.h"

#define EQUIPMENT_FPU      0x02u
#define BASE_MEMORY_KIB    640u
#define NS_PER_SECOND      UINT64_C(1000000000)
#define OSCILLATOR_HZ      32768u
#define UPDATE_NOTICE_NS   244000u /* UIP rises this long before the seconds change */
#define RELEASE_TO_TICK_NS 500000000u
#define SECONDS_PER_DAY    86400

static struct rtc_format format_of(const struct rtc *rtc)
{
    uint8_t b = rtc->cmos[RTC_B];

    return (struct rtc_format){.binary = b & RTC_B_BINARY, .hours_24 = b & RTC_B_24_HOURS};
}

static bool divider_held(uint8_t a)
{
    return (a & RTC_A_DIVIDER_RESET) == RTC_A_DIVIDER_RESET;
}

/* The time of day stands still: SET, or the divider is held. The fields are then plain memory. */
static bool stopped(const struct rtc *rtc)
{
    return (rtc->cmos[RTC_B] & RTC_B_SET) || divider_held(rtc->cmos[RTC_A]);
}

/* Nanoseconds of the clock's own time at `now` of the VM's clock. */
static uint64_t own_time(const struct rtc *rtc, uint64_t now)
{
    return now + rtc->phase;
}

static int64_t seconds_at(const struct rtc *rtc, uint64_t now)
{
    return rtc->base_seconds + (int64_t)(own_time(rtc, now) / NS_PER_SECOND);
}

/* Puts the time of day into the fields. */
static void store_fields(struct rtc *rtc, uint64_t now)
{
    struct rtc_format format = format_of(rtc);
    struct rtc_time time;
    int64_t year;

    rtc_time_from_seconds(seconds_at(rtc, now), &time);
    year = time.year < 0 ? 0 : time.year; /* only from day 0 of January of year 0 */
    rtc->cmos[RTC_SECONDS] = rtc_encode(format, time.second);
    rtc->cmos[RTC_MINUTES] = rtc_encode(format, time.minute);
    rtc->cmos[RTC_HOURS] = rtc_encode_hour(format, time.hour);
    rtc->cmos[RTC_WEEKDAY] = rtc_encode(format, (time.weekday + rtc->weekday_shift) % 7 + 1);
    rtc->cmos[RTC_DAY] = rtc_encode(format, time.day);
    rtc->cmos[RTC_MONTH] = rtc_encode(format, time.month);
    rtc->cmos[RTC_YEAR] = rtc_encode(format, (unsigned)year % 100);
    rtc->cmos[RTC_CENTURY] = rtc_encode(format, (unsigned)year / 100 % 100);
}

/* The reverse: the fields become the time of day at `now`. */
static void load_fields(struct rtc *rtc, uint64_t now)
{
    struct rtc_format format = format_of(rtc);
    struct rtc_time time = {
        .year = rtc_decode(format, rtc->cmos[RTC_CENTURY]) * INT64_C(100) +
                rtc_decode(format, rtc->cmos[RTC_YEAR]),
        .month = rtc_decode(format, rtc->cmos[RTC_MONTH]),
        .day = rtc_decode(format, rtc->cmos[RTC_DAY]),
        .hour = rtc_decode_hour(format, rtc->cmos[RTC_HOURS]),
        .minute = rtc_decode(format, rtc->cmos[RTC_MINUTES]),
        .second = rtc_decode(format, rtc->cmos[RTC_SECONDS]),
    };
    unsigned weekday = (rtc_decode(format, rtc->cmos[RTC_WEEKDAY]) + 6) % 7;

    rtc->base_seconds =
        rtc_seconds_from_time(&time) - (int64_t)(own_time(rtc, now) / NS_PER_SECOND);
    rtc_time_from_seconds(seconds_at(rtc, now), &time);
    rtc->weekday_shift = (uint8_t)((weekday + 7 - time.weekday) % 7);
}

/* Edges per second of the periodic interrupt, 0 for none. Rates 1 and 2 repeat 8 and 9. */
static unsigned periodic_hz(const struct rtc *rtc)
{
    unsigned rate = rtc->cmos[RTC_A] & RTC_A_RATE;

    if (rate == 0 || divider_held(rtc->cmos[RTC_A])) {
        return 0;
    }
    return OSCILLATOR_HZ >> ((rate <= 2 ? rate + 7 : rate) - 1);
}

/* Edges of the periodic interrupt until `time` of the clock's own. */
static uint64_t periodic_edges(uint64_t time, unsigned hz)
{
    return time / NS_PER_SECOND * hz + time % NS_PER_SECOND * hz / NS_PER_SECOND;
}

static uint64_t periodic_edge_time(uint64_t edge, unsigned hz)
{
    return edge / hz * NS_PER_SECOND + (edge % hz * NS_PER_SECOND + hz - 1) / hz;
}

static bool alarm_byte_matches(uint8_t alarm, uint8_t field)
{
    return (alarm & RTC_ALARM_ANY) == RTC_ALARM_ANY || alarm == field;
}

/* The first second after `seconds` that the alarm matches, or -1. Steps over whole hours and
 * minutes that do not match: at most 24 + 60 + 60 steps. */
static int64_t next_alarm(const struct rtc *rtc, int64_t seconds)
{
    struct rtc_format format = format_of(rtc);
    int64_t candidate = seconds + 1;
    struct rtc_time time;

    while (candidate <= seconds + SECONDS_PER_DAY) {
        rtc_time_from_seconds(candidate, &time);
        if (!alarm_byte_matches(rtc->cmos[RTC_HOURS_ALARM], rtc_encode_hour(format, time.hour))) {
            candidate += 3600 - (time.minute * 60 + time.second);
        } else if (!alarm_byte_matches(rtc->cmos[RTC_MINUTES_ALARM],
                                       rtc_encode(format, time.minute))) {
            candidate += 60 - time.second;
        } else if (!alarm_byte_matches(rtc->cmos[RTC_SECONDS_ALARM],
                                       rtc_encode(format, time.second))) {
            candidate++;
        } else {
            return candidate;
        }
    }
    return -1;
}

/* Brings register C up to `now`: what has happened since it was last looked at. */
static void update_flags(struct rtc *rtc, uint64_t now)
{
    uint64_t since = rtc->flags_until;
    unsigned hz = periodic_hz(rtc);

    rtc->flags_until = now;
    if (hz && periodic_edges(own_time(rtc, now), hz) != periodic_edges(own_time(rtc, since), hz)) {
        rtc->cmos[RTC_C] |= RTC_B_PERIODIC;
    }
    if (!stopped(rtc) && seconds_at(rtc, now) != seconds_at(rtc, since)) {
        int64_t alarm = next_alarm(rtc, seconds_at(rtc, since));

        rtc->cmos[RTC_C] |= RTC_B_UPDATE;
        if (alarm >= 0 && alarm <= seconds_at(rtc, now)) {
            rtc->cmos[RTC_C] |= RTC_B_ALARM;
        }
    }
}

/* The clock's own time of the next event that is enabled, TIMER_NEVER for none. */
static uint64_t next_event(const struct rtc *rtc, uint64_t now)
{
    uint8_t enabled = rtc->cmos[RTC_B];
    uint64_t own = own_time(rtc, now);
    unsigned hz = periodic_hz(rtc);
    uint64_t next = TIMER_NEVER;

    if ((enabled & RTC_B_PERIODIC) && hz) {
        next = periodic_edge_time(periodic_edges(own, hz) + 1, hz);
    }
    if (stopped(rtc)) {
        return next;
    }
    if (enabled & RTC_B_UPDATE) {
        uint64_t update = (own / NS_PER_SECOND + 1) * NS_PER_SECOND;

        next = update < next ? update : next;
    }
    if (enabled & RTC_B_ALARM) {
        int64_t alarm = next_alarm(rtc, seconds_at(rtc, now));
        uint64_t at = (uint64_t)(alarm - rtc->base_seconds) * NS_PER_SECOND;

        next = alarm >= 0 && at < next ? at : next;
    }
    return next;
}

/* Drives the interrupt from register C and sets the timer for what will change it. While the
 * interrupt is asserted nothing will, until the guest reads C. */
static void update_interrupt(struct rtc *rtc, uint64_t now)
{
    uint8_t *c = &rtc->cmos[RTC_C];
    bool interrupt = *c & rtc->cmos[RTC_B] & RTC_B_INTERRUPTS;
    uint64_t next = interrupt ? TIMER_NEVER : next_event(rtc, now);

    *c = (uint8_t)((*c & ~RTC_C_INTERRUPT) | (interrupt ? RTC_C_INTERRUPT : 0));
    if (next == TIMER_NEVER) {
        timer_cancel(&rtc->timer);
    } else {
        timer_arm(&rtc->timer, next - rtc->phase);
    }
    irq_line_set(&rtc->irq, interrupt);
}

static void timer_expired(void *context, uint64_t deadline)
{
    struct rtc *rtc = context;
    uint64_t now = timer_now(rtc->timer.queue);

    /* Never before the deadline, whatever the clock says: else the timer could fire for ever. */
    now = now < deadline ? deadline : now;
    update_flags(rtc, now);
    update_interrupt(rtc, now);
}

static void store_number(struct rtc *rtc, unsigned index, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++) {
        rtc->cmos[index + i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

/* What firmware leaves in the CMOS about memory, for systems that look there. */
static void store_configuration(struct rtc *rtc, uint64_t low_ram, uint64_t high_ram)
{
    const uint64_t mib = 1 << 20;
    uint64_t extended = low_ram > mib ? at_most((low_ram - mib) >> 10, UINT16_MAX) : 0;
    uint64_t above_16m = low_ram > 16 * mib ? at_most((low_ram - 16 * mib) >> 16, UINT16_MAX) : 0;
    unsigned sum = 0;

    rtc->cmos[CMOS_EQUIPMENT] = EQUIPMENT_FPU;
    store_number(rtc, CMOS_BASE_MEMORY, 2, BASE_MEMORY_KIB);
    store_number(rtc, CMOS_EXTENDED_MEMORY, 2, extended);
    store_number(rtc, CMOS_EXTENDED_MEMORY_2, 2, extended);
    store_number(rtc, CMOS_MEMORY_16M, 2, above_16m);
    store_number(rtc, CMOS_MEMORY_HIGH, 3, at_most(high_ram >> 16, 0xffffff));
    for (unsigned i = CMOS_CHECKSUM_FIRST; i <= CMOS_CHECKSUM_LAST; i++) {
        sum += rtc->cmos[i];
    }
    rtc->cmos[CMOS_CHECKSUM] = (uint8_t)(sum >> 8);
    rtc->cmos[CMOS_CHECKSUM + 1] = (uint8_t)sum;
}

void rtc_init(struct rtc *rtc, const struct rtc_config *config)
{
    memset(rtc->cmos, 0, sizeof(rtc->cmos));
    rtc->irq = config->irq;
    rtc->index = 0;
    rtc->phase = 0;
    rtc->base_seconds = (int64_t)config->wall_clock;
    rtc->weekday_shift = 0;
    rtc->cmos[RTC_A] = RTC_A_DIVIDER_NORMAL | RTC_A_RATE_1024_HZ;
    rtc->cmos[RTC_B] = RTC_B_24_HOURS;
    rtc->cmos[RTC_D] = RTC_D_VALID;
    store_configuration(rtc, config->low_ram, config->high_ram);
    timer_init(&rtc->timer, config->timers, timer_expired, rtc);
    rtc->flags_until = timer_now(config->timers);
    rtc_reset(rtc);
}

void rtc_reset(struct rtc *rtc)
{
    uint64_t now = timer_now(rtc->timer.queue);

    update_flags(rtc, now);
    rtc->index = 0;
    rtc->cmos[RTC_B] &= (uint8_t) ~(RTC_B_INTERRUPTS | RTC_B_SQUARE_WAVE);
    rtc->cmos[RTC_C] = 0;
    update_interrupt(rtc, now);
}

static bool is_time_field(unsigned index)
{
    switch (index) {
    case RTC_SECONDS:
    case RTC_MINUTES:
    case RTC_HOURS:
    case RTC_WEEKDAY:
    case RTC_DAY:
    case RTC_MONTH:
    case RTC_YEAR:
    case RTC_CENTURY:
        return true;
    default:
        return false;
    }
}

static uint8_t read_a(const struct rtc *rtc, uint64_t now)
{
    bool updating =
        !stopped(rtc) && own_time(rtc, now) % NS_PER_SECOND >= NS_PER_SECOND - UPDATE_NOTICE_NS;

    return rtc->cmos[RTC_A] | (updating ? RTC_A_UPDATE_IN_PROGRESS : 0);
}

static uint8_t read_c(struct rtc *rtc, uint64_t now)
{
    uint8_t value;

    update_flags(rtc, now);
    value = rtc->cmos[RTC_C] & RTC_B_INTERRUPTS;
    if (value & rtc->cmos[RTC_B]) {
        value |= RTC_C_INTERRUPT;
    }
    rtc->cmos[RTC_C] = 0;
    update_interrupt(rtc, now);
    return value;
}

uint32_t rtc_read(void *device, uint16_t offset, unsigned size)
{
    struct rtc *rtc = device;
    unsigned index = rtc->index & RTC_INDEX_MASK;
    uint64_t now;

    if (size != 1 || offset == 0) { /* the index register cannot be read */
        return port_all_ones(size);
    }
    now = timer_now(rtc->timer.queue);
    if (index == RTC_A) {
        return read_a(rtc, now);
    }
    if (index == RTC_C) {
        return read_c(rtc, now);
    }
    if (is_time_field(index) && !stopped(rtc)) {
        store_fields(rtc, now);
    }
    return rtc->cmos[index];
}

/* Writes A or B; the clock may stop or go on by that. */
static void write_control(struct rtc *rtc, unsigned index, uint8_t value, uint64_t now)
{
    bool was_stopped = stopped(rtc);
    bool was_held = divider_held(rtc->cmos[RTC_A]);

    if (!was_stopped) {
        store_fields(rtc, now);
    }
    rtc->cmos[index] = value;
    if (was_held && !divider_held(rtc->cmos[RTC_A])) {
        /* The first update comes half a second after the divider is let go. */
        uint64_t fraction = own_time(rtc, now) % NS_PER_SECOND;

        rtc->phase = (uint32_t)((rtc->phase + NS_PER_SECOND + RELEASE_TO_TICK_NS - fraction) %
                                NS_PER_SECOND);
    }
    if (was_stopped && !stopped(rtc)) {
        load_fields(rtc, now);
    }
}

static void write_register(struct rtc *rtc, unsigned index, uint8_t value)
{
    uint64_t now = timer_now(rtc->timer.queue);

    update_flags(rtc, now);
    if (index == RTC_A) {
        write_control(rtc, index, value & (uint8_t)~RTC_A_UPDATE_IN_PROGRESS, now);
    } else if (index == RTC_B) {
        /* SET turns the update interrupt off. */
        write_control(rtc, index, value & RTC_B_SET ? value & (uint8_t)~RTC_B_UPDATE : value, now);
    } else if (is_time_field(index) && !stopped(rtc)) {
        store_fields(rtc, now);
        rtc->cmos[index] = value;
        load_fields(rtc, now);
    } else {
        rtc->cmos[index] = value;
    }
    update_interrupt(rtc, now);
}

void rtc_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct rtc *rtc = device;
    unsigned index = rtc->index & RTC_INDEX_MASK;

    if (size != 1) {
        return;
    }
    if (offset == 0) {
        rtc->index = (uint8_t)value;
    } else if (index > RTC_D || index < RTC_C) { /* C and D are read-only */
        write_register(rtc, index, (uint8_t)value);
    }
}
