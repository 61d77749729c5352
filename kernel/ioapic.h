/*
 * The I/O APICs (82093AA and successors): which interrupt input goes to which CPU as which vector.
 * See also interrupt_connect_isa in kernel/cpu/interrupts.h, which is implemented over these.
 */
#ifndef KERNEL_IOAPIC_H
#define KERNEL_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/acpi/acpi.h"

/** Maps all I/O APICs that ACPI lists and masks all their inputs. */
void ioapics_init(void);

/** Sends the input to the CPU with that APIC id (at most 254) as `vector`, and unmasks it. 0, or
 * -ENODEV when no I/O APIC has that input, or -EINVAL for an id that does not fit. */
int ioapic_connect(const struct acpi_interrupt *input, uint8_t vector, uint32_t apic_id);

/** Masks or unmasks an input; one that no I/O APIC has is left alone. */
void ioapic_set_masked(uint32_t gsi, bool masked);

#endif
