/*
 * Several CPUs in a test guest. The boot CPU runs the tests and gives the others jobs; a CPU
 * without one waits in HLT with interrupts on.
 *
 * Each CPU has a GDT, a TSS and its stacks of its own. TRY and run_in_ring() are the boot CPU's
 * alone. An interrupt handler runs on the CPU that took the interrupt: this_cpu() tells.
 */
#ifndef TESTS_GUESTS_RUNTIME_SMP_H
#define TESTS_GUESTS_RUNTIME_SMP_H

#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define CPUS_MAX 16u

/* Pages where application processors can start. */
#define START_PAGE       (LOW_CODE >> 12)
#define OTHER_START_PAGE (START_PAGE + 1)

#define WAKE_VECTOR     0xe0u /* ends a HLT */
#define WATCHDOG_VECTOR 0xe1u

#define ICR_FIXED   (0u << 8)
#define ICR_LOWEST  (1u << 8)
#define ICR_INIT    (5u << 8)
#define ICR_STARTUP (6u << 8)
#define ICR_LOGICAL (1u << 11)
#define ICR_PENDING (1u << 12)
#define ICR_LEVEL   (1u << 15)
#define ICR_ALL     (2u << 18)
#define ICR_OTHERS  (3u << 18)
#define ICR_MODE    (7u << 8)
#define ICR_NOBODY  0u /* destination that a shorthand makes meaningless */

/* What a CPU started with. */
struct start {
    volatile unsigned count; /* how often */
    volatile unsigned page;
    volatile uint64_t cr0;
    volatile uint32_t edx;
    volatile uint32_t rflags;
};

struct cpu {
    struct cpu *self;
    unsigned index; /* its APIC id */
    struct start start;
    void (*volatile job)(void *argument);
    void *volatile argument;
    volatile bool sleeping;        /* in or before HLT: wants a wake_up() */
    volatile unsigned counts[256]; /* by count_here() */
    volatile uint64_t value;       /* the tests' */
};

extern struct cpu cpus[CPUS_MAX];
/* From cpus=N on the command line, else the MADT; their APIC ids are 0 to this less one. */
extern unsigned cpu_count;

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

/** Writes the interrupt command register and waits until the message has gone. `destination` is an
 * APIC id or a logical one, as the mode has them (xAPIC: 8 bits). */
void send_ipi(uint32_t destination, uint32_t command);

/** Handler: counts the interrupt for the CPU that takes it. NMIs too. */
void count_here(struct trap_frame *frame);
/** Waits in HLT until this CPU has counted so many. Interrupts are on afterwards. */
void halt_until(unsigned vector, unsigned count);
/** All counts of all CPUs to zero. */
void clear_counts(void);

/** INIT, and two start-up IPIs to a page where there is a trampoline; waits until it has come up.
 * False if it does not. */
bool cpu_start(unsigned index, unsigned page);
/** Waits until it has started `count` times and idles. False if it does not. */
bool cpu_started(unsigned index, unsigned count);

/** Has a CPU do it, meanwhile. */
void run_on(unsigned index, void (*job)(void *argument), void *argument);
/** Waits until it is done. */
void wait_for_cpu(unsigned index);
void run_on_others(void (*job)(void *argument), void *argument);
void wait_for_others(void);

/* Waits in HLT, woken by wake_up() of whoever makes the condition true. Leaves interrupts as they
 * are, but they come meanwhile. */
#define SLEEP_UNTIL(condition)            \
    do {                                  \
        while (!(condition)) {            \
            this_cpu()->sleeping = true;  \
            __sync_synchronize();         \
            if (!(condition)) {           \
                sleep_once();             \
            }                             \
            this_cpu()->sleeping = false; \
        }                                 \
    } while (0)
void sleep_once(void);
void wake_up(struct cpu *cpu);

/** Sets up this CPU for many, and starts all others. In prepare(). */
void smp_init(void);
/** What each test begins with: counts are zero, all idle, in xAPIC or (for good) x2APIC mode. If
 * the test is not over in half a minute of the guest's time, the guest fails. */
void prepare_smp(bool x2apic);

/* Two tests with one body, as in interrupts.h. */
#define SMP_TEST_IN_BOTH_MODES(id) \
    static void id##_body(void);   \
    TEST(id##_xapic)               \
    {                              \
        prepare_smp(false);        \
        id##_body();               \
    }                              \
    LATE_TEST(id##_x2apic)         \
    {                              \
        prepare_smp(true);         \
        id##_body();               \
    }                              \
    static void id##_body(void)

#endif
