/*
 * One counter of the 8254 (data sheet 231164): what its count and output are at a given clock, and
 * what loading it or moving its gate does. Pure arithmetic; private to pit.c.
 */
#ifndef GUEST_DEVICES_PIT_CHANNEL_H
#define GUEST_DEVICES_PIT_CHANNEL_H

#include "guest/devices/pit.h"

#define PIT_EDGE_NEVER UINT64_MAX

/** A new mode: the count that ran is gone, the next written byte is the first of a count. */
void pit_channel_set_mode(struct pit_channel *channel, uint8_t control);
/** A complete count was written at clock `now`: 16 bits, binary or BCD as the mode says. */
void pit_channel_load(struct pit_channel *channel, uint16_t count, uint64_t now);
/** The first of two bytes was written: in mode 0 that stops the count (data sheet, "Mode 0"). */
void pit_channel_begin_load(struct pit_channel *channel);
void pit_channel_set_gate(struct pit_channel *channel, bool gate, uint64_t now);
void pit_channel_take_over(struct pit_channel *channel, uint64_t now);
/** Takes over a count that waited for a reload that has happened. Before the functions below. */
static inline void pit_channel_settle(struct pit_channel *channel, uint64_t now)
{
    if (channel->next_count) {
        pit_channel_take_over(channel, now);
    }
}
/** The counting element as the guest reads it. */
uint16_t pit_channel_count(const struct pit_channel *channel, uint64_t now);
bool pit_channel_output(const struct pit_channel *channel, uint64_t now);
/** Whether the last written count is not in the counter yet. */
bool pit_channel_null_count(const struct pit_channel *channel, uint64_t now);
/** The first clock after `now` at which the output rises, PIT_EDGE_NEVER if it will not. */
uint64_t pit_channel_next_edge(const struct pit_channel *channel, uint64_t now);

#endif
