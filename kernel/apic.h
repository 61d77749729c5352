/*
 * This CPU's local APIC (SDM vol. 3, ch. 11), through MSRs (x2APIC) where the CPU has that, else
 * through its page (xAPIC). Unless said otherwise: on the CPU concerned, interrupts off.
 */
#ifndef KERNEL_APIC_H
#define KERNEL_APIC_H

#include <stdbool.h>
#include <stdint.h>

/* Delivered when a request vanished before its acknowledge; takes no EOI. */
#define APIC_SPURIOUS_VECTOR 0xffu

/** Enables this CPU's APIC: spurious vector, LINT pins as the MADT says, everything else masked.
 * First on the boot CPU (after acpi_init), then on each other. */
void apic_init(void);

/** This CPU's APIC id: 8 bits in xAPIC mode, 32 in x2APIC mode. */
uint32_t apic_id(void);

/** Whether this machine's APICs are in x2APIC mode. After apic_init. */
bool apic_is_x2apic(void);

/** End of interrupt: the highest interrupt in service has been handled. */
void apic_eoi(void);

/** Inter-processor interrupts to the CPU with that APIC id. */
void apic_send_fixed(uint32_t id, uint8_t vector);
void apic_send_nmi(uint32_t id);
void apic_send_init(uint32_t id);
/** `page`: the target starts in real mode at physical `page` << 12. */
void apic_send_startup(uint32_t id, uint8_t page);

/** Sets this CPU's timer up: TSC deadline mode, or one-shot mode with its rate measured against the
 * TSC. Needs time_init; the boot CPU first. */
void apic_timer_init(void);

/** One interrupt when the TSC reaches `tsc`, at once if that is past. In one-shot mode a deadline
 * further away than the counter reaches (a minute or more) comes early. Not 0. */
void apic_timer_set(uint64_t tsc);
void apic_timer_cancel(void);

#endif
