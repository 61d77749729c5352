/*
 * The interrupt descriptor table, one for all CPUs: every vector leads through entry.S to
 * exception_handle (0-31) or interrupt_dispatch (32-255).
 */
#ifndef KERNEL_CPU_IDT_H
#define KERNEL_CPU_IDT_H

#include <stdint.h>

/** Fills the table; once, by the boot CPU. */
void idt_init(void);
/** Makes it this CPU's. */
void idt_load(void);
/** Its address, for the host state of a VMCS. */
uint64_t idt_base(void);

#endif
