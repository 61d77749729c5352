/*
 * An interrupt message: what travels between I/O APICs and local APICs (SDM vol. 3, 11.6 and 11.11;
 * 82093AA data sheet, 3.2.4). Senders fill one, the APIC bus finds who takes it.
 */
#ifndef GUEST_DEVICES_INTERRUPT_MESSAGE_H
#define GUEST_DEVICES_INTERRUPT_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Encoded as in the ICR, the LVT and I/O APIC redirection entries. */
enum delivery_mode {
    DELIVERY_FIXED = 0,
    DELIVERY_LOWEST_PRIORITY = 1,
    DELIVERY_SMI = 2,
    DELIVERY_NMI = 4,
    DELIVERY_INIT = 5,
    DELIVERY_STARTUP = 6,
    DELIVERY_EXTINT = 7,
};

/* Encoded as in the ICR. Anything but NONE makes `destination` meaningless. */
enum destination_shorthand {
    SHORTHAND_NONE = 0,
    SHORTHAND_SELF = 1,
    SHORTHAND_ALL = 2,
    SHORTHAND_OTHERS = 3,
};

/* Every local APIC, whatever its mode. Senders with 8-bit destinations widen their 0xff to this. */
#define DESTINATION_BROADCAST 0xffffffffu

struct interrupt_message {
    uint32_t destination;
    uint8_t vector;
    uint8_t delivery_mode; /* enum delivery_mode */
    uint8_t shorthand;     /* enum destination_shorthand */
    bool logical;          /* destination is logical, else an APIC ID */
    bool level;            /* level-triggered: its EOI is of interest to I/O APICs */
};

#endif
