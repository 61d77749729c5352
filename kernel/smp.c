/* What CPUs do for each other: calls, kicks, and the stop before the end. */
#include "kernel/smp.h"

#include <stdatomic.h>
#include <stddef.h>

#include "kernel/apic.h"
#include "kernel/cpu/exception.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/x86.h"
#include "kernel/panic.h"
#include "kernel/smp_internal.h"
#include "kernel/time.h"

/* How long other CPUs may take to stop: they come at once from wherever an NMI reaches them. */
#define STOP_PATIENCE_NS UINT64_C(20000000)

static struct percpu *cpus[SMP_CPUS_MAX];
static unsigned cpu_count;
static uint8_t call_vector;
static uint8_t kick_vector;

/* One call at a time in the whole machine: they are rare. */
static struct spinlock call_lock;
static struct {
    void (*function)(void *context);
    void *context;
    atomic_uint remaining; /* CPUs that have not done it yet */
} call;

static atomic_bool stopping;
static atomic_uint stopped;

unsigned smp_count(void)
{
    return cpu_count;
}

struct percpu *smp_cpu(unsigned index)
{
    return cpus[index];
}

void smp_add(struct percpu *cpu)
{
    cpus[cpu->index] = cpu;
    cpu_count = cpu->index + 1;
}

/* Does what another CPU asked of this one. Interrupts off. */
static void answer_call(void)
{
    struct percpu *cpu = this_cpu();

    /* Looked at first: an exchange would take the line from the others each time round a loop. */
    if (atomic_load(&cpu->call_pending) && atomic_exchange(&cpu->call_pending, false)) {
        call.function(call.context);
        atomic_fetch_sub(&call.remaining, 1);
    }
}

static void handle_call(void *context)
{
    (void)context;
    answer_call();
}

/* The interrupt itself is the message. */
static void handle_kick(void *context)
{
    (void)context;
}

void smp_lock(struct spinlock *lock)
{
    uint32_t ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);

    while (atomic_load_explicit(&lock->owner, memory_order_acquire) != ticket) {
        answer_call();
        pause();
    }
}

/* Has the CPUs do it which `wanted` says yes to, and waits for them. */
static void call_cpus(const struct percpu *only, void (*function)(void *context), void *context)
{
    bool interrupts = interrupts_save();
    struct percpu *self = this_cpu();

    smp_lock(&call_lock);
    call.function = function;
    call.context = context;
    atomic_store(&call.remaining, only ? 1 : cpu_count - 1);
    for (unsigned i = 0; i < cpu_count; i++) {
        struct percpu *cpu = cpus[i];

        if (only ? cpu == only : cpu != self) {
            atomic_store(&cpu->call_pending, true);
            apic_send_fixed(cpu->apic_id, call_vector);
        }
    }
    while (atomic_load(&call.remaining) > 0) {
        pause();
    }
    spin_unlock(&call_lock);
    interrupts_restore(interrupts);
}

void smp_call(struct percpu *cpu, void (*function)(void *context), void *context)
{
    if (cpu == this_cpu()) {
        bool interrupts = interrupts_save();

        function(context);
        interrupts_restore(interrupts);
    } else {
        call_cpus(cpu, function, context);
    }
}

void smp_call_others(void (*function)(void *context), void *context)
{
    if (cpu_count > 1) {
        call_cpus(NULL, function, context);
    }
}

void smp_kick(const struct percpu *cpu)
{
    apic_send_fixed(cpu->apic_id, kick_vector);
}

static _Noreturn void halt(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

/* NMIs while the kernel ends are ours. */
static bool claim_nmi(void)
{
    if (!atomic_load(&stopping)) {
        return false;
    }
    atomic_fetch_add(&stopped, 1);
    halt();
}

void smp_stop_others(void)
{
    uint64_t deadline = rdtsc() + ticks_from_ns(STOP_PATIENCE_NS);

    if (cpu_count < 2 || atomic_exchange(&stopping, true)) {
        return;
    }
    for (unsigned i = 0; i < cpu_count; i++) {
        if (cpus[i] != this_cpu()) {
            apic_send_nmi(cpus[i]->apic_id);
        }
    }
    while (atomic_load(&stopped) < cpu_count - 1 && rdtsc() < deadline) {
        pause();
    }
}

static uint8_t take_vector(interrupt_handler handler)
{
    int vector = interrupt_vector_alloc(handler, NULL);

    ASSERT(vector > 0, "there are vectors left while the machine is being set up");
    return (uint8_t)vector;
}

void smp_init(void)
{
    struct percpu *cpu = this_cpu();

    call_vector = take_vector(handle_call);
    kick_vector = take_vector(handle_kick);
    exception_claim_nmi(claim_nmi);
    cpu->apic_id = apic_id();
    smp_add(cpu);
    atomic_store(&cpu->state, CPU_RUNNING);
}
