/*
 * Between kernel/smp.c and kernel/smp_start.c.
 */
#ifndef KERNEL_SMP_INTERNAL_H
#define KERNEL_SMP_INTERNAL_H

#include "kernel/cpu/percpu.h"

/** Vectors, and the boot CPU's place among the CPUs. */
void smp_init(void);
/** `cpu`, whose index is the next free one, takes calls from now on. */
void smp_add(struct percpu *cpu);

#endif
