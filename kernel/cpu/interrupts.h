/*
 * Interrupts of the host. Vectors 0-31 are exceptions; 32-255 are handed out here. Each handler
 * runs with interrupts off and is short; the controller is acknowledged after it.
 */
#ifndef KERNEL_CPU_INTERRUPTS_H
#define KERNEL_CPU_INTERRUPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/x86.h"

typedef void (*interrupt_handler)(void *context);

/** Takes a free vector for `handler`; returns it, or -ENOSPC. */
int interrupt_vector_alloc(interrupt_handler handler, void *context);
/** Connects an ISA interrupt (0-15, through the MADT's overrides) to `handler` on this CPU and
 * unmasks it. Returns 0, -ENOSPC, or -ENODEV when no I/O APIC serves it. */
int interrupt_connect_isa(unsigned irq, interrupt_handler handler, void *context);

/**
 * Runs the handler of an external interrupt that was acknowledged by a VM exit, exactly as if it
 * had come through the IDT (the local APIC's EOI included). Interrupts off. An unexpected vector is
 * counted and logged once.
 */
void interrupt_dispatch(uint8_t vector);

/** Interrupts off; returns whether they were on. */
static inline bool interrupts_save(void)
{
    bool were_on = (read_rflags() & RFLAGS_IF) != 0;

    cli();
    return were_on;
}

static inline void interrupts_restore(bool were_on)
{
    if (were_on) {
        sti();
    }
}

#endif
