/*
 * I/O APIC: the 82093AA's register set with 24 inputs, plus the EOI register of the later parts
 * (version 0x20), which an OS needs when it suppresses the local APICs' EOI broadcast.
 *
 * Inputs are logical: true is asserted, so that the polarity bit is only stored. Whoever wires a
 * device knows its polarity and the guest programs it to match.
 *
 * One CPU at a time (the VM's devices are serialised by their owner).
 */
#ifndef GUEST_DEVICES_IOAPIC_H
#define GUEST_DEVICES_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/devices/interrupt_message.h"

#define IOAPIC_DEFAULT_BASE 0xfec00000u
#define IOAPIC_SIZE         0x1000u
#define IOAPIC_PINS         24u
#define IOAPIC_VERSION      0x20u

struct ioapic_ops {
    /* A message for the APIC bus. */
    void (*deliver)(void *context, const struct interrupt_message *message);
    /* ioapic_level_vectors() may give another answer now. May be NULL. */
    void (*level_vectors_changed)(void *context);
};

struct ioapic {
    const struct ioapic_ops *ops;
    void *context;
    uint8_t initial_id;
    uint32_t id;    /* bits 27:24 */
    uint32_t lines; /* asserted inputs */
    uint8_t select; /* IOREGSEL */
    uint64_t redirection[IOAPIC_PINS];
};

void ioapic_init(struct ioapic *ioapic, uint8_t id, const struct ioapic_ops *ops, void *context);
/** Back to the power-up state: all masked. Input levels stay as they are. */
void ioapic_reset(struct ioapic *ioapic);
/* mmio_read_fn and mmio_write_fn; `ioapic` is a struct ioapic. */
uint64_t ioapic_mmio_read(void *ioapic, uint64_t offset, unsigned size);
void ioapic_mmio_write(void *ioapic, uint64_t offset, unsigned size, uint64_t value);
/** Level of input `pin` (0 to 23; others are ignored). */
void ioapic_set_irq(struct ioapic *ioapic, unsigned pin, bool level);
/** A local APIC's EOI of `vector`: level-triggered pins with it may interrupt again. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);
/** The vectors whose EOI matters here, bit per vector. */
void ioapic_level_vectors(const struct ioapic *ioapic, uint64_t bitmap[4]);

#endif
