#include "guest/devices/apic_bus.h"

#include <errno.h>
#include <stddef.h>

int apic_bus_add(struct apic_bus *bus, struct lapic *lapic)
{
    if (bus->count == APIC_BUS_MAX) {
        return -ENOSPC;
    }
    bus->lapics[bus->count++] = lapic;
    return 0;
}

static bool addresses(const struct interrupt_message *message, const struct lapic *source,
                      const struct lapic *lapic)
{
    switch (message->shorthand) {
    case SHORTHAND_SELF:
        return lapic == source;
    case SHORTHAND_ALL:
        return lapic_mode(lapic) != APIC_MODE_DISABLED;
    case SHORTHAND_OTHERS:
        return lapic != source && lapic_mode(lapic) != APIC_MODE_DISABLED;
    default:
        return lapic_matches(lapic, message->destination, message->logical);
    }
}

/* The addressed local APIC with the lowest priority. Equals take turns, so that one vCPU does not
 * get all the device interrupts. */
static struct lapic *arbitrate(struct apic_bus *bus, const struct lapic *source,
                               const struct interrupt_message *message)
{
    unsigned first = __atomic_load_n(&bus->next, __ATOMIC_RELAXED);
    struct lapic *winner = NULL;
    unsigned winner_place = 0;
    int lowest = 0;

    for (unsigned i = 0; i < bus->count; i++) {
        unsigned place = (first + i) % bus->count;
        struct lapic *lapic = bus->lapics[place];

        if (!addresses(message, source, lapic)) {
            continue;
        }
        int priority = lapic_arbitration_priority(lapic);

        if (priority >= 0 && (!winner || priority < lowest)) {
            winner = lapic;
            winner_place = place;
            lowest = priority;
        }
    }
    if (winner) {
        __atomic_store_n(&bus->next, winner_place + 1, __ATOMIC_RELAXED);
    }
    return winner;
}

void apic_bus_send(struct apic_bus *bus, const struct lapic *source,
                   const struct interrupt_message *message)
{
    if (message->delivery_mode == DELIVERY_LOWEST_PRIORITY) {
        struct lapic *winner = arbitrate(bus, source, message);

        if (winner) {
            lapic_deliver(winner, message);
        }
        return;
    }
    for (unsigned i = 0; i < bus->count; i++) {
        if (addresses(message, source, bus->lapics[i])) {
            lapic_deliver(bus->lapics[i], message);
        }
    }
}
