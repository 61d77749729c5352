/*
 * The APIC bus of one VM: carries interrupt messages to the local APICs they address (SDM vol. 3,
 * 11.6.2). The set of local APICs is fixed before the first message.
 */
#ifndef GUEST_DEVICES_APIC_BUS_H
#define GUEST_DEVICES_APIC_BUS_H

#include <stdint.h>

#include "guest/devices/interrupt_message.h"
#include "guest/devices/lapic.h"

#define APIC_BUS_MAX 64

struct apic_bus {
    struct lapic *lapics[APIC_BUS_MAX];
    unsigned count;
    unsigned next; /* where the search for a lowest-priority target begins; any CPU, atomically */
};

/** 0 or -ENOSPC. */
int apic_bus_add(struct apic_bus *bus, struct lapic *lapic);
/** Delivers to all that `message` addresses; one of them if it is lowest-priority. `source`: the
 * sending local APIC, for shorthands; NULL from an I/O APIC. Any CPU. */
void apic_bus_send(struct apic_bus *bus, const struct lapic *source,
                   const struct interrupt_message *message);

#endif
