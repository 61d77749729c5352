#include "guest/devices/pit.h"

#include "guest/devices/pit_channel.h"

#define NANOSECONDS 1000000000u

/* Clocks in a nanosecond, times 2^73: the most that fits 64 bits. */
#define CLOCKS_SHIFT  73
#define CLOCKS_SCALED ((uint64_t)(((unsigned __int128)PIT_HZ << CLOCKS_SHIFT) / NANOSECONDS))

#define COMMAND                3u /* offset of the control word register */
#define COMMAND_CHANNEL(value) (((value) >> 6) & 3)
#define COMMAND_READ_BACK      3u /* as a channel number */
#define COMMAND_ACCESS(value)  (((value) >> 4) & 3)
#define READ_BACK_NO_COUNT     0x20u
#define READ_BACK_NO_STATUS    0x10u

#define STATUS_OUTPUT     0x80u
#define STATUS_NULL_COUNT 0x40u

#define CONTROL_GATE_2   0x01u
#define CONTROL_WRITABLE 0x0fu
#define CONTROL_REFRESH  0x10u
#define CONTROL_OUTPUT_2 0x20u

/* What a PC's firmware leaves: a refresh request every 18 clocks (15 µs). */
#define REFRESH_CLOCKS 18u

/* A periodic guest timer faster than this is served by merging edges, so that the guest gets to run
 * between them: 10 µs. */
#define SHORTEST_PERIOD 12u

/* The clock that a nanosecond belongs to. What is cut off from the factor makes the product short
 * by less than 2^64 / 2^73, so that the clock is right or the one before; the remainder, which is
 * small whatever overflows on the way to it, tells which. Out of line: the compiler would align the
 * stack of whoever has the wide product and calls. */
static __attribute__((noinline)) uint64_t clock_at(uint64_t nanoseconds)
{
    uint64_t clock = (uint64_t)((unsigned __int128)nanoseconds * CLOCKS_SCALED >> CLOCKS_SHIFT);
    uint64_t remainder = nanoseconds * (PIT_HZ / 2) - clock * (NANOSECONDS / 2);

    return clock + (remainder >= NANOSECONDS / 2);
}

/* The first nanosecond that belongs to `clock`. */
static uint64_t time_of(uint64_t clock)
{
    return clock / PIT_HZ * NANOSECONDS + (clock % PIT_HZ * NANOSECONDS + PIT_HZ - 1) / PIT_HZ;
}

static uint64_t clock_now(const struct pit *pit)
{
    return clock_at(timer_now(pit->timer.queue));
}

static void arm(struct pit *pit, uint64_t now)
{
    const struct pit_channel *channel = &pit->channel[0];
    bool too_short = (channel->mode == 2 || channel->mode == 3) && channel->count < SHORTEST_PERIOD;
    uint64_t edge = pit_channel_next_edge(channel, too_short ? now + SHORTEST_PERIOD : now);

    if (edge == PIT_EDGE_NEVER) {
        timer_cancel(&pit->timer);
    } else {
        timer_arm(&pit->timer, time_of(edge));
    }
}

static void set_output(struct pit *pit, bool level)
{
    if (level != pit->output) {
        pit->output = level;
        irq_line_set(&pit->irq, level);
    }
}

/* The output rises. When it fell before that is not worth a timer of its own: an interrupt input is
 * told now (in mode 3 a real one would see its request withdrawn half a period later). */
static void expire(void *context, uint64_t deadline)
{
    struct pit *pit = context;
    uint64_t due = clock_at(deadline);
    uint64_t now = clock_now(pit);

    now = now > due ? now : due;
    pit_channel_settle(&pit->channel[0], now);
    arm(pit, now);
    set_output(pit, false);
    set_output(pit, true);
}

/* Channel 0 was programmed: its output and next edge may be others. */
static void channel_0_changed(struct pit *pit, uint64_t now)
{
    set_output(pit, pit_channel_output(&pit->channel[0], now));
    arm(pit, now);
}

static void latch_count(struct pit_channel *channel, uint64_t now)
{
    if (!channel->latched_bytes) {
        channel->latched_count = pit_channel_count(channel, now);
        channel->latched_bytes = channel->access == 3 ? 2 : 1;
    }
}

static void latch_status(struct pit_channel *channel, uint64_t now)
{
    if (!channel->status_latched) {
        channel->latched_status =
            (uint8_t)((pit_channel_output(channel, now) ? STATUS_OUTPUT : 0) |
                      (pit_channel_null_count(channel, now) ? STATUS_NULL_COUNT : 0) |
                      (unsigned)channel->access << 4 | (unsigned)channel->mode << 1 | channel->bcd);
        channel->status_latched = true;
    }
}

static void read_back(struct pit *pit, uint8_t command, uint64_t now)
{
    for (unsigned i = 0; i < 3; i++) {
        struct pit_channel *channel = &pit->channel[i];

        if (!(command & (2u << i))) {
            continue;
        }
        pit_channel_settle(channel, now);
        if (!(command & READ_BACK_NO_COUNT)) {
            latch_count(channel, now);
        }
        if (!(command & READ_BACK_NO_STATUS)) {
            latch_status(channel, now);
        }
    }
}

static void write_command(struct pit *pit, uint8_t command)
{
    unsigned number = COMMAND_CHANNEL(command);
    uint64_t now = clock_now(pit);

    if (number == COMMAND_READ_BACK) {
        read_back(pit, command, now);
        return;
    }
    struct pit_channel *channel = &pit->channel[number];

    if (COMMAND_ACCESS(command) == 0) {
        pit_channel_settle(channel, now);
        latch_count(channel, now);
        return;
    }
    pit_channel_set_mode(channel, command);
    if (number == 0) {
        channel_0_changed(pit, now);
    }
}

static void write_count(struct pit *pit, unsigned number, uint8_t byte)
{
    struct pit_channel *channel = &pit->channel[number];
    uint64_t now = clock_now(pit);

    pit_channel_settle(channel, now);
    if (channel->access == 1) {
        pit_channel_load(channel, byte, now);
    } else if (channel->access == 2) {
        pit_channel_load(channel, (uint16_t)(byte << 8), now);
    } else if (channel->write_high) {
        channel->write_high = false;
        pit_channel_load(channel, (uint16_t)(channel->write_low | byte << 8), now);
    } else {
        channel->write_high = true;
        channel->write_low = byte;
        pit_channel_begin_load(channel);
    }
    if (number == 0) {
        channel_0_changed(pit, now);
    }
}

void pit_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct pit *pit = device;

    if (size != 1) {
        return;
    }
    if (offset == COMMAND) {
        write_command(pit, (uint8_t)value);
    } else {
        write_count(pit, offset, (uint8_t)value);
    }
}

/* What was latched; of a count, the byte whose turn it is. */
static __attribute__((noinline)) uint32_t read_latched(struct pit_channel *channel)
{
    bool high = channel->access == 2;

    if (channel->status_latched) {
        channel->status_latched = false;
        return channel->latched_status;
    }
    if (channel->access == 3) {
        high = channel->latched_bytes == 1;
    }
    channel->latched_bytes--;
    return high ? channel->latched_count >> 8 : channel->latched_count & 0xffu;
}

/* The counter as it is; with access 3 its bytes take turns. Out of line, so that less is saved. */
static __attribute__((noinline)) uint32_t read_counter(struct pit_channel *channel, uint64_t now)
{
    bool high = channel->access == 2;
    uint32_t count;

    pit_channel_settle(channel, now);
    count = pit_channel_count(channel, now);
    if (channel->access == 3) {
        high = channel->read_high;
        channel->read_high = !high;
    }
    return high ? count >> 8 : count & 0xff;
}

uint32_t pit_read(void *device, uint16_t offset, unsigned size)
{
    struct pit *pit = device;

    if (size != 1 || offset == COMMAND) {
        return UINT32_MAX;
    }
    struct pit_channel *channel = &pit->channel[offset];

    if (channel->status_latched || channel->latched_bytes) {
        return read_latched(channel);
    }
    return read_counter(channel, clock_now(pit));
}

uint32_t pit_control_read(void *device, uint16_t offset, unsigned size)
{
    struct pit *pit = device;
    uint64_t now = clock_now(pit);
    uint32_t value = pit->control;

    (void)offset;
    if (size != 1) {
        return UINT32_MAX;
    }
    pit_channel_settle(&pit->channel[2], now);
    if (pit_channel_output(&pit->channel[2], now)) {
        value |= CONTROL_OUTPUT_2;
    }
    if (now / REFRESH_CLOCKS % 2) {
        value |= CONTROL_REFRESH;
    }
    return value;
}

void pit_control_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct pit *pit = device;
    uint64_t now = clock_now(pit);

    (void)offset;
    if (size != 1) {
        return;
    }
    pit->control = (uint8_t)(value & CONTROL_WRITABLE);
    pit_channel_settle(&pit->channel[2], now);
    pit_channel_set_gate(&pit->channel[2], value & CONTROL_GATE_2, now);
}

void pit_reset(struct pit *pit)
{
    uint64_t now = clock_now(pit);

    for (unsigned i = 0; i < 3; i++) {
        pit->channel[i] = (struct pit_channel){.gate = i != 2};
    }
    pit_channel_set_mode(&pit->channel[0], 0x36);
    pit_channel_load(&pit->channel[0], 0, now);
    pit_channel_set_mode(&pit->channel[1], 0x54);
    pit_channel_load(&pit->channel[1], REFRESH_CLOCKS, now);
    pit_channel_set_mode(&pit->channel[2], 0xb6);
    pit->control = 0;
    /* The output is high from now on; the interrupt input hears of the next rise, not of this. */
    pit->output = true;
    arm(pit, now);
}

void pit_init(struct pit *pit, struct timer_queue *timers, const struct irq_line *irq)
{
    *pit = (struct pit){.irq = *irq};
    timer_init(&pit->timer, timers, expire, pit);
    pit_reset(pit);
}
