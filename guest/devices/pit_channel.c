#include "guest/devices/pit_channel.h"

/* Control word. */
#define CONTROL_ACCESS(control) ((uint8_t)(((control) >> 4) & 3))
#define CONTROL_MODE(control)   ((uint8_t)(((control) >> 1) & 7))
#define CONTROL_BCD             1u

static bool is_triggered(const struct pit_channel *channel)
{
    return channel->mode == 1 || channel->mode == 5;
}

static bool is_periodic(const struct pit_channel *channel)
{
    return channel->mode == 2 || channel->mode == 3;
}

/* Clocks since the count came into the counter. Before that (a load takes effect with the next
 * clock) the old value would still be seen; showing the new one at once is within the data sheet's
 * tolerance of a clock. */
static uint64_t elapsed(const struct pit_channel *channel, uint64_t now)
{
    if (!channel->running) {
        return channel->elapsed;
    }
    return (int64_t)(now - channel->start) < 0 ? 0 : now - channel->start;
}

/* Mode 3: the output is high for this many clocks of a period, one longer than low if it is odd. */
static uint64_t high_clocks(uint64_t count)
{
    return (count + 1) / 2;
}

static void start(struct pit_channel *channel, uint32_t count, uint64_t clock)
{
    channel->count = count;
    channel->next_count = 0;
    channel->start = clock;
    channel->running = true;
}

static void stop(struct pit_channel *channel, uint64_t now)
{
    channel->elapsed = elapsed(channel, now);
    channel->running = false;
}

void pit_channel_set_mode(struct pit_channel *channel, uint8_t control)
{
    uint8_t mode = CONTROL_MODE(control);

    *channel = (struct pit_channel){.mode = mode > 5 ? mode & 3 : mode,
                                    .access = CONTROL_ACCESS(control),
                                    .bcd = control & CONTROL_BCD,
                                    .gate = channel->gate};
}

static uint32_t modulus(const struct pit_channel *channel)
{
    return channel->bcd ? 10000 : 65536;
}

static uint32_t count_from_guest(const struct pit_channel *channel, uint16_t written)
{
    uint32_t count = written;

    if (channel->bcd) {
        count = (written >> 12) * 1000u + ((written >> 8) & 15) * 100u +
                ((written >> 4) & 15) * 10u + (written & 15u);
    }
    if (count == 0) {
        return modulus(channel); /* the counter wraps before it is tested */
    }
    /* 1 is illegal in modes 2 and 3: there is no low and high clock in it. */
    return count == 1 && is_periodic(channel) ? 2 : count;
}

static uint16_t count_to_guest(const struct pit_channel *channel, uint32_t count)
{
    if (!channel->bcd) {
        return (uint16_t)count;
    }
    count %= modulus(channel);
    return (uint16_t)(count / 1000 << 12 | count / 100 % 10 << 8 | count / 10 % 10 << 4 |
                      count % 10);
}

/* Modes 2 and 3: when the period, or in mode 3 the half-period, that runs at `now` ends. */
static uint64_t next_reload(const struct pit_channel *channel, uint64_t now)
{
    uint64_t position = elapsed(channel, now);
    uint64_t end = (position / channel->count + 1) * channel->count;

    if (channel->mode == 3 && position % channel->count < high_clocks(channel->count)) {
        end -= channel->count - high_clocks(channel->count);
    }
    return channel->start + end;
}

/* Mode 3: a waiting count is taken over in the middle of the period. */
static bool takeover_halfway(const struct pit_channel *channel)
{
    return (channel->takeover - channel->start) % channel->count != 0;
}

void pit_channel_load(struct pit_channel *channel, uint16_t count, uint64_t now)
{
    channel->next_count = count_from_guest(channel, count);
    if (is_triggered(channel)) {
        return;
    }
    if (is_periodic(channel) && channel->count) {
        if (channel->running) {
            channel->takeover = next_reload(channel, now);
        }
        return; /* at the next reload, or when the gate rises */
    }
    start(channel, channel->next_count, now + 1);
    if (!channel->gate) {
        stop(channel, now);
    }
}

void pit_channel_begin_load(struct pit_channel *channel)
{
    if (channel->mode == 0 && channel->count) {
        channel->running = false;
        channel->elapsed = 0; /* the output falls */
    }
}

void pit_channel_set_gate(struct pit_channel *channel, bool gate, uint64_t now)
{
    bool rises = gate && !channel->gate;
    bool falls = !gate && channel->gate;
    uint32_t newest = channel->next_count ? channel->next_count : channel->count;

    channel->gate = gate;
    if (!newest) {
        return;
    }
    if (is_triggered(channel) || is_periodic(channel)) {
        if (rises) {
            start(channel, newest, now + 1);
        } else if (falls && is_periodic(channel)) {
            stop(channel, now);
        }
    } else if (falls) {
        stop(channel, now);
    } else if (rises) {
        channel->start = now - channel->elapsed;
        channel->running = true;
    }
}

void pit_channel_take_over(struct pit_channel *channel, uint64_t now)
{
    if (!is_periodic(channel) || !channel->running || now < channel->takeover) {
        return;
    }
    /* Half-way, the low half is the new count's already: its period began that much earlier. */
    uint64_t begin = channel->takeover;

    if (takeover_halfway(channel)) {
        begin -= high_clocks(channel->next_count);
    }
    start(channel, channel->next_count, begin);
}

uint16_t pit_channel_count(const struct pit_channel *channel, uint64_t now)
{
    uint64_t count = channel->count;
    uint64_t clocks = elapsed(channel, now);

    if (!count) {
        return 0;
    }
    if (channel->mode == 2) {
        return count_to_guest(channel, (uint32_t)(count - clocks % count));
    }
    if (channel->mode == 3) {
        /* Counts by two, each half anew; odd counts are made even first. */
        uint64_t position = clocks % count;
        uint64_t high = high_clocks(count);

        position = position < high ? position : position - high;
        return count_to_guest(channel, (uint32_t)((count & ~1ull) - 2 * position));
    }
    return count_to_guest(channel,
                          (uint32_t)(count + modulus(channel) - clocks % modulus(channel)));
}

bool pit_channel_output(const struct pit_channel *channel, uint64_t now)
{
    uint64_t count = channel->count;
    uint64_t clocks = elapsed(channel, now);

    if (!count || (is_periodic(channel) && !channel->gate)) {
        return channel->mode != 0;
    }
    switch (channel->mode) {
    case 2:
        return clocks % count != count - 1;
    case 3:
        return clocks % count < high_clocks(count);
    case 4:
    case 5:
        return clocks != count;
    default:
        return clocks >= count;
    }
}

bool pit_channel_null_count(const struct pit_channel *channel, uint64_t now)
{
    return !channel->count || channel->next_count ||
           (channel->running && (int64_t)(now - channel->start) < 0);
}

uint64_t pit_channel_next_edge(const struct pit_channel *channel, uint64_t now)
{
    uint64_t count = channel->count;

    if (!channel->running) {
        return PIT_EDGE_NEVER;
    }
    if (is_periodic(channel)) {
        if (!channel->next_count) {
            return channel->start + (elapsed(channel, now) / count + 1) * count;
        }
        uint64_t low =
            takeover_halfway(channel) ? channel->next_count - high_clocks(channel->next_count) : 0;
        return channel->takeover + low;
    }
    uint64_t end = count + (channel->mode >= 4 ? 1 : 0); /* after the strobe's low clock */

    return elapsed(channel, now) < end ? channel->start + end : PIT_EDGE_NEVER;
}
