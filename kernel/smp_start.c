/* From one CPU to all of them (SDM vol. 3, 9.4). */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "kernel/acpi/acpi.h"
#include "kernel/apic.h"
#include "kernel/boot/boot.h"
#include "kernel/boot/boot_info.h"
#include "kernel/boot/trampoline.h"
#include "kernel/cpu/features.h"
#include "kernel/cpu/idt.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/paging.h"
#include "kernel/smp.h"
#include "kernel/smp_internal.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "kernel/tsc_compare.h"

/* Times of SDM vol. 3, 9.4.4.1: after INIT, and between the two start-up IPIs. */
#define INIT_DELAY_NS    UINT64_C(10000000)
#define STARTUP_DELAY_NS UINT64_C(200000)
/* A CPU needs microseconds to answer; one that has not by now is left out. */
#define START_PATIENCE_NS UINT64_C(100000000)

#define XAPIC_IDS 255u

#define DESCRIPTOR_CODE_64 UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_DATA    UINT64_C(0x00cf93000000ffff)
#define DESCRIPTOR_CODE_32 UINT64_C(0x00cf9b000000ffff)

#define CHECK_OFFSET(offset, member)                                \
    _Static_assert(offsetof(struct trampoline, member) == (offset), \
                   "trampoline.S and C agree about " #member)
CHECK_OFFSET(TRAMPOLINE_TOKEN, token);
CHECK_OFFSET(TRAMPOLINE_GDT_POINTER, gdt_pointer);
CHECK_OFFSET(TRAMPOLINE_PROTECTED, protected_mode);
CHECK_OFFSET(TRAMPOLINE_LONG, long_mode);
CHECK_OFFSET(TRAMPOLINE_FIRST_CR3, first_cr3);
CHECK_OFFSET(TRAMPOLINE_CR3, cr3);
CHECK_OFFSET(TRAMPOLINE_STACK, stack);
CHECK_OFFSET(TRAMPOLINE_CPU, cpu);
CHECK_OFFSET(TRAMPOLINE_GDT, gdt);
_Static_assert(sizeof(struct trampoline) <= FRAME_SIZE, "the trampoline fits its page");

static struct tsc_comparison comparison;
static bool tscs_differ;

static void wait_ns(uint64_t ns)
{
    uint64_t end = rdtsc() + ticks_from_ns(ns);

    while (rdtsc() < end) {
        pause();
    }
}

static struct trampoline *make_trampoline(void)
{
    uint32_t phys = (uint32_t)frame_low();
    struct trampoline *trampoline = phys_to_virt(phys);
    uint32_t gdt = phys + TRAMPOLINE_GDT;

    memset(trampoline, 0, FRAME_SIZE);
    memcpy(trampoline->code, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    trampoline->gdt[TRAMPOLINE_CODE_64 / 8] = DESCRIPTOR_CODE_64;
    trampoline->gdt[TRAMPOLINE_DATA / 8] = DESCRIPTOR_DATA;
    trampoline->gdt[TRAMPOLINE_CODE_32 / 8] = DESCRIPTOR_CODE_32;
    trampoline->gdt_pointer[0] = sizeof(trampoline->gdt) - 1;
    trampoline->gdt_pointer[1] = (uint16_t)gdt;
    trampoline->gdt_pointer[2] = (uint16_t)(gdt >> 16);
    trampoline->protected_mode = (struct far_pointer){
        .offset = phys + (uint32_t)(trampoline_protected - trampoline_start),
        .selector = TRAMPOLINE_CODE_32,
    };
    trampoline->long_mode = (struct far_pointer){
        .offset = phys + (uint32_t)(trampoline_long - trampoline_start),
        .selector = TRAMPOLINE_CODE_64,
    };
    trampoline->first_cr3 = virt_to_phys(boot_top);
    trampoline->cr3 = kernel_cr3();
    return trampoline;
}

static _Noreturn void stop(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

_Noreturn void smp_cpu_main(struct percpu *cpu)
{
    enum cpu_state expected = CPU_STARTING;

    percpu_load(cpu);
    idt_load();
    cpu_enable_features();
    apic_init();
    cpu->apic_id = apic_id(); /* one that came late may have taken another's place */
    apic_timer_init();
    threads_start_cpu();
    if (!atomic_compare_exchange_strong(&cpu->state, &expected, CPU_RUNNING)) {
        stop();
    }
    tsc_compare_answer(&comparison);
    thread_idle();
}

static bool wait_running(struct percpu *cpu, uint64_t ns)
{
    uint64_t end = rdtsc() + ticks_from_ns(ns);

    while (atomic_load(&cpu->state) != CPU_RUNNING) {
        if (rdtsc() >= end) {
            return false;
        }
        pause();
    }
    return true;
}

bool smp_tscs_in_step(void)
{
    return !tscs_differ;
}

static void compare_tsc(const struct percpu *cpu)
{
    struct tsc_difference difference;

    tsc_compare(&comparison, &difference);
    if (tsc_in_step(&difference)) {
        log_info("CPU %u: APIC id %u, TSC in step (within %lu ticks)", cpu->index, cpu->apic_id,
                 difference.uncertainty);
    } else {
        tscs_differ = true;
        log_warn("CPU %u: APIC id %u, TSC %lu ticks %s the boot CPU's (within %lu)", cpu->index,
                 cpu->apic_id,
                 (uint64_t)(difference.ahead < 0 ? -difference.ahead : difference.ahead),
                 difference.ahead < 0 ? "behind" : "ahead of", difference.uncertainty);
    }
}

/* Starts one CPU, which has been sent INIT; true if it runs. */
static bool start(struct trampoline *trampoline, uint32_t id)
{
    struct percpu *cpu = percpu_create(smp_count(), id);
    void *stack = stack_alloc(KERNEL_STACK_SIZE);
    uint8_t page = (uint8_t)(frame_low() / FRAME_SIZE);
    enum cpu_state expected = CPU_STARTING;

    if (!cpu || !stack) {
        log_error("CPU with APIC id %u: no memory to start it", id);
        if (cpu) {
            percpu_destroy(cpu);
        }
        if (stack) {
            stack_free(stack, KERNEL_STACK_SIZE);
        }
        return false;
    }
    trampoline->cpu = cpu;
    trampoline->stack = (uintptr_t)stack;
    __atomic_store_n(&trampoline->token, 1, __ATOMIC_SEQ_CST);
    apic_send_startup(id, page);
    if (!wait_running(cpu, STARTUP_DELAY_NS)) {
        apic_send_startup(id, page);
    }
    if (wait_running(cpu, START_PATIENCE_NS) ||
        !atomic_compare_exchange_strong(&cpu->state, &expected, CPU_ABANDONED)) {
        smp_add(cpu);
        compare_tsc(cpu);
        return true;
    }
    log_error("CPU with APIC id %u does not start; it is left out", id);
    if (__atomic_exchange_n(&trampoline->token, 0, __ATOMIC_SEQ_CST)) {
        percpu_destroy(cpu);
        stack_free(stack, KERNEL_STACK_SIZE);
    }
    /* Else it is somewhere on its way, on that stack: it keeps them. */
    return false;
}

static bool is_candidate(const struct acpi_cpu *cpu)
{
    return cpu->enabled && cpu->apic_id != this_cpu()->apic_id &&
           (apic_is_x2apic() || cpu->apic_id < XAPIC_IDS);
}

static unsigned wanted_cpus(void)
{
    char text[8] = "";
    unsigned number = 0;

    if (!boot_option("cpus", text, sizeof(text))) {
        return SMP_CPUS_MAX;
    }
    for (const char *at = text; *at >= '0' && *at <= '9' && number < SMP_CPUS_MAX; at++) {
        number = number * 10 + (unsigned)(*at - '0');
    }
    if (number == 0) {
        log_warn("cpus=%s: not a number of CPUs; all are started", text);
        return SMP_CPUS_MAX;
    }
    return number < SMP_CPUS_MAX ? number : SMP_CPUS_MAX;
}

static void start_others(void)
{
    const struct acpi_info *info = acpi_info();
    unsigned wanted = wanted_cpus();
    unsigned candidates = 0;
    struct trampoline *trampoline;

    for (unsigned i = 0; i < info->cpu_count; i++) {
        candidates += is_candidate(&info->cpus[i]);
    }
    if (candidates == 0 || wanted == 1) {
        return;
    }
    if (frame_low() == 0) {
        log_error("no free memory below 1 MiB: only the boot CPU can run");
        return;
    }
    trampoline = make_trampoline();
    for (unsigned i = 0; i < info->cpu_count; i++) {
        if (is_candidate(&info->cpus[i])) {
            apic_send_init(info->cpus[i].apic_id);
        }
    }
    wait_ns(INIT_DELAY_NS);
    for (unsigned i = 0; i < info->cpu_count && smp_count() < wanted; i++) {
        if (is_candidate(&info->cpus[i])) {
            start(trampoline, info->cpus[i].apic_id);
        }
    }
    log_info("%u of %u CPUs run", smp_count(), candidates + 1);
}

void smp_start(void)
{
    smp_init();
    start_others();
    threads_use_cpus();
}
