/*
 * All CPUs of the machine: starting them, and having one do something for another.
 *
 * A CPU answers calls whenever it can take an interrupt; while it runs a guest that leaves it at
 * once, or within the 2 ms that bound a stay there. A CPU that waits here for others answers calls
 * itself meanwhile, so that two which call each other do not wait for ever. So whoever holds a lock
 * may make calls only if all who wait for that lock use smp_lock.
 */
#ifndef KERNEL_SMP_H
#define KERNEL_SMP_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/spinlock.h"

#define SMP_CPUS_MAX 256u

/** Starts all CPUs that ACPI lists, as many as the kernel option `cpus=N` allows (the boot CPU
 * counts). Each has its per-CPU data, tables, local APIC and timer set up and idles until there is
 * a thread for it. One that does not come up in time is reported and left out. After
 * apic_timer_init, time_init and threads_start_cpu; once, by the boot CPU. */
void smp_start(void);

/** True if nothing says that the TSC of any CPU that was started differs from the boot CPU's. */
bool smp_tscs_in_step(void);

/** CPUs that run: those with indices 0 to this number less one. */
unsigned smp_count(void);
/** The CPU of that index. Any context. */
struct percpu *smp_cpu(unsigned index);

/** Runs `function` on that CPU, interrupts off there, and waits until it is done; at once if it is
 * this CPU. The function makes no calls itself. Any context but NMI and interrupt handlers. */
void smp_call(struct percpu *cpu, void (*function)(void *context), void *context);
/** Likewise on all CPUs but this one, at the same time. */
void smp_call_others(void (*function)(void *context), void *context);

/** Has that CPU take an interrupt: what it does in a guest or in HLT ends. Any context. */
void smp_kick(const struct percpu *cpu);

/** Takes a lock whose holders make calls (see above). Interrupts off. */
void smp_lock(struct spinlock *lock);

/** Stops all CPUs but this one for good, whatever they do. When the kernel is about to end; any
 * context. */
void smp_stop_others(void);

#endif
