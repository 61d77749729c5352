/*
 * What each physical CPU has of its own, reached through GS. One is made for the boot CPU before
 * anything else; more are made for others (kernel/smp.h).
 */
#ifndef KERNEL_CPU_PERCPU_H
#define KERNEL_CPU_PERCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/tables.h"

/* ABANDONED: it took too long to start; should it come after all, it stops. */
enum cpu_state { CPU_STARTING, CPU_RUNNING, CPU_ABANDONED };

struct scheduler;

struct percpu {
    struct percpu *self; /* first: this_cpu() reads it */
    uint32_t index;      /* 0 is the boot CPU */
    uint32_t apic_id;
    _Atomic enum cpu_state state;
    _Atomic bool call_pending;   /* another CPU wants the function of kernel/smp.c's call run */
    struct cpu_tables tables;    /* GDT and TSS of this CPU */
    struct scheduler *scheduler; /* kernel/thread.c */
    void *virt;                  /* the virtualisation back end's own per-CPU state; NULL if off */
};

/** Makes the boot CPU's structure, with static stacks, and loads it. The first thing to be called:
 * exceptions can be told only after it and idt_load. */
void percpu_init(void);

/** One for a further CPU, with guarded stacks for its exceptions; NULL when memory is short. */
struct percpu *percpu_create(uint32_t index, uint32_t apic_id);
/** Gives one back whose CPU never ran. */
void percpu_destroy(struct percpu *cpu);

/** Loads `cpu`, whose tables are filled, as this CPU's: GDT, TSS, GS. Called by the CPU itself. */
void percpu_load(struct percpu *cpu);

/** This CPU's structure; always valid once percpu_init has run. */
static inline struct percpu *this_cpu(void)
{
    struct percpu *cpu;

    /* Volatile: a thread may go on on another CPU than it stopped on. */
    __asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

#endif
