/*
 * What each physical CPU has of its own, reached through GS. One is made for the boot CPU before
 * anything else; more can be made for others.
 */
#ifndef KERNEL_CPU_PERCPU_H
#define KERNEL_CPU_PERCPU_H

#include <stdint.h>

#include "kernel/cpu/tables.h"

struct percpu {
    struct percpu *self; /* first: this_cpu() reads it */
    uint32_t index;      /* 0 is the boot CPU */
    uint32_t apic_id;
    struct cpu_tables tables; /* GDT and TSS of this CPU */
    void *virt;               /* the virtualisation back end's own per-CPU state; NULL if off */
};

/** Makes the boot CPU's structure, with static stacks, and loads it. The first thing to be called:
 * exceptions can be told only after it and idt_load. */
void percpu_init(void);

/** Loads `cpu`, whose tables are filled, as this CPU's: GDT, TSS, GS. Called by the CPU itself. */
void percpu_load(struct percpu *cpu);

/** This CPU's structure; always valid once percpu_init has run. */
static inline struct percpu *this_cpu(void)
{
    struct percpu *cpu;

    __asm__("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

#endif
