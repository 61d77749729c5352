#include "kernel/apic.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernel/acpi/acpi.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
#include "kernel/thread.h"
#include "kernel/time.h"

/* Registers by their offset in the xAPIC page; the x2APIC MSR is MSR_X2APIC_BASE + offset / 16
 * (SDM vol. 3, table 11-6). */
#define APIC_ID            0x020u
#define APIC_TPR           0x080u
#define APIC_EOI           0x0b0u
#define APIC_SPURIOUS      0x0f0u
#define APIC_ISR           0x100u
#define APIC_ERROR         0x280u
#define APIC_ICR_LOW       0x300u
#define APIC_ICR_HIGH      0x310u
#define APIC_LVT_TIMER     0x320u
#define APIC_LVT_PMC       0x340u
#define APIC_LVT_LINT0     0x350u
#define APIC_LVT_LINT1     0x360u
#define APIC_LVT_ERROR     0x370u
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_CURRENT 0x390u
#define APIC_TIMER_DIVIDE  0x3e0u

#define APIC_PAGE_SIZE 4096u
#define ISR_REGISTERS  8u

#define SPURIOUS_APIC_ENABLED 0x100u

#define DELIVERY_NMI     0x400u
#define DELIVERY_INIT    0x500u
#define DELIVERY_STARTUP 0x600u
#define ICR_PENDING      0x1000u
#define ICR_ASSERT       0x4000u

#define LVT_ACTIVE_LOW   0x2000u
#define LVT_MASKED       0x10000u
#define LVT_TSC_DEADLINE 0x40000u

#define DIVIDE_BY_16 0x3u

#define CPUID_1_ECX_X2APIC       (1u << 21)
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)

#define CALIBRATION_NS UINT64_C(2000000)

/* A delivery takes microseconds; a port-like access of the ICR some hundred nanoseconds. */
#define ICR_PATIENCE 100000u

static bool x2apic;
static bool tsc_deadline;
static volatile uint8_t *page; /* xAPIC */
static uint8_t timer_vector;
static uint8_t error_vector;
static uint64_t counts_per_tick; /* one-shot mode: timer counts per TSC tick, 32.32 fixed point */

static uint32_t apic_read(uint32_t reg)
{
    if (x2apic) {
        return (uint32_t)rdmsr(MSR_X2APIC_BASE + reg / 16);
    }
    return *(volatile uint32_t *)(page + reg);
}

static void apic_write(uint32_t reg, uint32_t value)
{
    if (x2apic) {
        wrmsr(MSR_X2APIC_BASE + reg / 16, value);
    } else {
        *(volatile uint32_t *)(page + reg) = value;
    }
}

uint32_t apic_id(void)
{
    uint32_t id = apic_read(APIC_ID);

    return x2apic ? id : id >> 24;
}

bool apic_is_x2apic(void)
{
    return x2apic;
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

static void handle_error(void *context)
{
    (void)context;
    apic_write(APIC_ERROR, 0); /* the write latches the errors for the read */
    log_warn("local APIC error: status 0x%x", apic_read(APIC_ERROR));
}

static uint8_t take_vector(interrupt_handler handler)
{
    int vector = interrupt_vector_alloc(handler, NULL);

    ASSERT(vector > 0, "there are vectors left while the machine is being set up");
    return (uint8_t)vector;
}

/* What the boot CPU finds out for all. */
static void choose_mode(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    x2apic = (base & APIC_BASE_X2APIC) || (cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC);
    if (!x2apic) {
        page = map_physical(acpi_info()->local_apic, APIC_PAGE_SIZE, MAP_DEVICE);
        ASSERT(page, "the local APIC's page can be mapped");
    }
    error_vector = take_vector(handle_error);
}

static void set_lint_pins(void)
{
    const struct acpi_info *info = acpi_info();
    uint32_t id = apic_id();
    uint32_t uid = ACPI_ALL_PROCESSORS;

    /* LINT0 is where a PC wires the 8259 pair, which we do not use. */
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_LINT1, info->has_madt ? LVT_MASKED : DELIVERY_NMI);
    for (unsigned i = 0; i < info->cpu_count; i++) {
        if (info->cpus[i].apic_id == id) {
            uid = info->cpus[i].uid;
        }
    }
    for (unsigned i = 0; i < info->nmi_count; i++) {
        const struct acpi_nmi *nmi = &info->nmis[i];

        if (nmi->uid == uid || nmi->uid == ACPI_ALL_PROCESSORS) {
            /* Edge triggered whatever the table says: LINT pins take NMI no other way. */
            apic_write(nmi->lint == 0 ? APIC_LVT_LINT0 : APIC_LVT_LINT1,
                       DELIVERY_NMI | (nmi->active_low ? LVT_ACTIVE_LOW : 0));
        }
    }
}

/* What firmware left in service would hold back all interrupts of its class and below. */
static void finish_interrupts_in_service(void)
{
    for (uint32_t i = 0; i < ISR_REGISTERS; i++) {
        for (uint32_t bits = apic_read(APIC_ISR + i * 16); bits; bits &= bits - 1) {
            apic_eoi();
        }
    }
}

void apic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (error_vector == 0) {
        choose_mode();
    }
    base |= APIC_BASE_ENABLE;
    wrmsr(MSR_APIC_BASE, base);
    if (x2apic) {
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
    }
    apic_write(APIC_SPURIOUS, SPURIOUS_APIC_ENABLED | APIC_SPURIOUS_VECTOR);
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
    apic_write(APIC_LVT_PMC, LVT_MASKED);
    set_lint_pins();
    finish_interrupts_in_service();
    apic_write(APIC_TPR, 0);
    apic_write(APIC_ERROR, 0); /* forget errors from before */
    apic_write(APIC_ERROR, 0);
    apic_write(APIC_LVT_ERROR, error_vector);
    if (this_cpu()->index == 0) {
        log_info("local APIC %u: %s mode", apic_id(), x2apic ? "x2APIC" : "xAPIC");
    }
}

static void send(uint32_t id, uint32_t command)
{
    bool interrupts;

    if (x2apic) {
        wrmsr(MSR_X2APIC_BASE + APIC_ICR_LOW / 16, (uint64_t)id << 32 | command);
        return;
    }
    interrupts = interrupts_save();
    for (unsigned i = 0; i < ICR_PATIENCE && apic_read(APIC_ICR_LOW) & ICR_PENDING; i++) {
        pause();
    }
    apic_write(APIC_ICR_HIGH, id << 24);
    apic_write(APIC_ICR_LOW, command);
    interrupts_restore(interrupts);
}

void apic_send_fixed(uint32_t id, uint8_t vector)
{
    send(id, ICR_ASSERT | vector);
}

void apic_send_nmi(uint32_t id)
{
    send(id, ICR_ASSERT | DELIVERY_NMI);
}

void apic_send_init(uint32_t id)
{
    send(id, ICR_ASSERT | DELIVERY_INIT);
}

void apic_send_startup(uint32_t id, uint8_t start_page)
{
    send(id, ICR_ASSERT | DELIVERY_STARTUP | start_page);
}

static void handle_timer(void *context)
{
    (void)context;
    thread_alarm();
}

/* How fast the timer counts, seen from the TSC. Both ends are read the same way, so that what the
 * reading takes drops out of the difference. */
static void measure_timer(void)
{
    uint64_t wait = ticks_from_ns(CALIBRATION_NS);
    uint64_t start;
    uint64_t end;
    uint32_t first;
    uint32_t last;

    apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    first = apic_read(APIC_TIMER_CURRENT);
    start = rdtsc();
    do {
        last = apic_read(APIC_TIMER_CURRENT);
        end = rdtsc();
    } while (end - start < wait);
    apic_write(APIC_TIMER_INITIAL, 0);
    ASSERT(last < first, "the local APIC's timer counts");
    counts_per_tick = ((uint64_t)(first - last) << 32) / (end - start);
}

void apic_timer_init(void)
{
    if (timer_vector == 0) {
        tsc_deadline = (cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE) != 0;
        timer_vector = take_vector(handle_timer);
        if (!tsc_deadline) {
            apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
            measure_timer();
        }
        log_info("timer: local APIC, %s",
                 tsc_deadline ? "TSC deadline" : "one-shot (the CPU has no TSC deadline)");
    }
    if (tsc_deadline) {
        apic_write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | timer_vector);
        /* The write to the page must be over before the first to the MSR (SDM vol. 3, 11.5.4.1). */
        atomic_thread_fence(memory_order_seq_cst);
    } else {
        apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
        apic_write(APIC_LVT_TIMER, timer_vector);
    }
}

void apic_timer_set(uint64_t tsc)
{
    uint64_t now;
    uint64_t count;

    if (tsc_deadline) {
        wrmsr(MSR_TSC_DEADLINE, tsc);
        return;
    }
    now = rdtsc();
    count = tsc > now ? (uint64_t)((unsigned __int128)(tsc - now) * counts_per_tick >> 32) : 0;
    count++; /* not before the deadline, and 0 would stop the timer */
    apic_write(APIC_TIMER_INITIAL, count < UINT32_MAX ? (uint32_t)count : UINT32_MAX);
}

void apic_timer_cancel(void)
{
    if (tsc_deadline) {
        wrmsr(MSR_TSC_DEADLINE, 0);
    } else {
        apic_write(APIC_TIMER_INITIAL, 0);
    }
}
