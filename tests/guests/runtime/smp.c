#include "tests/guests/runtime/smp.h"

#include "tests/guests/runtime/acpi.h"

#define MADT_ENTRIES    44u
#define MADT_LOCAL_APIC 0u
#define MADT_ENABLED    1u

#define IST_STACK_SIZE 4096u
#define DIVIDE_BY_128  0xau
#define WATCHDOG_COUNT (30u * 25000000u / 128u) /* half a minute and more of any APIC's clock */

struct cpu cpus[CPUS_MAX];
unsigned cpu_count;

extern const uint8_t ap_trampoline[];
extern const uint8_t ap_trampoline_end[];
uint8_t ap_stacks[CPUS_MAX][AP_STACK_SIZE] __attribute__((aligned(16)));
_Noreturn void ap_main(unsigned index, unsigned cs, uint32_t cr0, uint32_t edx, uint32_t rflags);

static uint64_t gdts[CPUS_MAX][GDT_SLOTS] __attribute__((aligned(16)));
static struct task_state task_states[CPUS_MAX] __attribute__((aligned(128)));
static uint8_t ist_stacks[CPUS_MAX][2][IST_STACK_SIZE] __attribute__((aligned(16)));

void send_ipi(uint32_t destination, uint32_t command)
{
    __sync_synchronize(); /* WRMSR of the x2APIC does not wait for what was stored before */
    if (lapic_x2apic) {
        wrmsr(MSR_X2APIC_BASE + LAPIC_ICR_LOW / 16, (uint64_t)destination << 32 | command);
        return;
    }
    lapic_write(LAPIC_ICR_HIGH, destination << 24);
    lapic_write(LAPIC_ICR_LOW, command);
    while (lapic_read(LAPIC_ICR_LOW) & ICR_PENDING) {
        cpu_pause();
    }
}

void count_here(struct trap_frame *frame)
{
    this_cpu()->counts[frame->vector]++;
    end_of_interrupt((unsigned)frame->vector);
}

void halt_until(unsigned vector, unsigned count)
{
    interrupts_off();
    while (this_cpu()->counts[vector] < count) {
        halt_until_interrupt();
    }
    interrupts_on();
}

void clear_counts(void)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        for (unsigned vector = 0; vector < 256; vector++) {
            cpus[i].counts[vector] = 0;
        }
    }
}

/* GDT, TSS, IDT and the CPU's own structure. */
static void load_cpu(unsigned index)
{
    struct task_state *state = &task_states[index];
    uint64_t base = (uint64_t)(uintptr_t)state;
    const struct table_pointer gdt_pointer = {sizeof(gdts[0]) - 1,
                                              (uint64_t)(uintptr_t)gdts[index]};
    const struct table_pointer idt_pointer = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    *state = tss;
    for (unsigned i = 0; i < 2; i++) {
        state->ist[i] = (uint64_t)(uintptr_t)ist_stacks[index][i] + IST_STACK_SIZE;
    }
    for (unsigned i = 0; i < GDT_SLOTS; i++) {
        gdts[index][i] = gdt[i];
    }
    gdts[index][TSS / 8] = (sizeof(*state) - 1) | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
                           (base >> 24 & 0xff) << 56;
    gdts[index][TSS / 8 + 1] = base >> 32;
    load_gdt(&gdt_pointer);
    load_idt(&idt_pointer);
    load_tr(TSS);
    cpus[index].self = &cpus[index];
    cpus[index].index = index;
    wrmsr(MSR_GS_BASE, (uint64_t)(uintptr_t)&cpus[index]);
}

void sleep_once(void)
{
    bool interrupts = read_rflags() & RFLAGS_IF;

    interrupts_off();
    /* What ends the sleep may have come in between: then `sleeping` is no more. */
    if (this_cpu()->sleeping) {
        halt_until_interrupt();
    }
    if (interrupts) {
        interrupts_on();
    }
}

void wake_up(struct cpu *cpu)
{
    __sync_synchronize();
    if (cpu->sleeping) {
        send_ipi(cpu->index, ICR_FIXED | ICR_ASSERT | WAKE_VECTOR);
    }
}

static void handle_wake(struct trap_frame *frame)
{
    this_cpu()->sleeping = false;
    count_here(frame);
}

_Noreturn void ap_main(unsigned index, unsigned cs, uint32_t cr0, uint32_t edx, uint32_t rflags)
{
    struct cpu *cpu = &cpus[index];

    load_cpu(index);
    if (lapic_x2apic) {
        wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    }
    lapic_init();
    cpu->start.page = cs >> 8;
    cpu->start.cr0 = cr0;
    cpu->start.edx = edx;
    cpu->start.rflags = rflags;
    cpu->job = NULL;
    cpu->sleeping = false;
    __sync_synchronize();
    cpu->start.count++;
    interrupts_on();
    for (;;) {
        SLEEP_UNTIL(cpu->job != NULL);
        cpu->job(cpu->argument);
        interrupts_on();
        cpu->job = NULL;
        wake_up(&cpus[0]);
    }
}

bool cpu_started(unsigned index, unsigned count)
{
    WAIT_FOR(cpus[index].start.count == count, 1000);
    return cpus[index].start.count == count;
}

bool cpu_start(unsigned index, unsigned page)
{
    unsigned before = cpus[index].start.count;

    send_ipi(index, ICR_INIT | ICR_ASSERT);
    WAIT_FOR(false, 10);
    send_ipi(index, ICR_STARTUP | ICR_ASSERT | page);
    WAIT_FOR(cpus[index].start.count != before, 1);
    send_ipi(index, ICR_STARTUP | ICR_ASSERT | page);
    return cpu_started(index, before + 1);
}

void run_on(unsigned index, void (*job)(void *argument), void *argument)
{
    struct cpu *cpu = &cpus[index];

    cpu->argument = argument;
    cpu->job = job;
    wake_up(cpu);
}

void wait_for_cpu(unsigned index)
{
    SLEEP_UNTIL(cpus[index].job == NULL);
}

void run_on_others(void (*job)(void *argument), void *argument)
{
    for (unsigned i = 1; i < cpu_count; i++) {
        run_on(i, job, argument);
    }
}

void wait_for_others(void)
{
    for (unsigned i = 1; i < cpu_count; i++) {
        wait_for_cpu(i);
    }
}

/* A machine without ACPI has the command line say how many it has. */
static unsigned count_cpus(void)
{
    const uint8_t *madt = acpi_find("APIC");
    uint32_t length = madt != NULL ? acpi_field(madt, 4, 4) : 0;
    int told = command_line_number("cpus");
    unsigned count = 0;

    if (told > 0) {
        return (unsigned)told < CPUS_MAX ? (unsigned)told : CPUS_MAX;
    }
    for (unsigned at = MADT_ENTRIES; at < length; at += madt[at + 1]) {
        if (madt[at] == MADT_LOCAL_APIC && (madt[at + 4] & MADT_ENABLED) != 0) {
            count++;
        }
    }
    return count < CPUS_MAX ? count : CPUS_MAX;
}

static void bite(struct trap_frame *frame)
{
    check_failed(__FILE__, __LINE__, "the test ends in time", frame->rip, 0, true);
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct cpu *cpu = &cpus[i];

        print("CPU %u: started %u times, job 0x%lx, sleeping %u, value %lu\n", i, cpu->start.count,
              (uint64_t)(uintptr_t)cpu->job, cpu->sleeping, cpu->value);
    }
    exit_guest(1);
}

static void copy_trampoline(unsigned page)
{
    volatile uint8_t *to = (volatile uint8_t *)((uintptr_t)page << 12);

    for (unsigned i = 0; i < (unsigned)(ap_trampoline_end - ap_trampoline); i++) {
        to[i] = ap_trampoline[i];
    }
}

void smp_init(void)
{
    cpu_count = count_cpus();
    print("%u CPUs\n", cpu_count);
    load_cpu(0);
    copy_trampoline(START_PAGE);
    copy_trampoline(OTHER_START_PAGE);
    set_handler(WAKE_VECTOR, handle_wake);
    set_handler(WATCHDOG_VECTOR, bite);
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_128);
    lapic_write(LAPIC_LVT_TIMER, WATCHDOG_VECTOR);
    for (unsigned i = 1; i < cpu_count; i++) {
        if (!cpu_start(i, START_PAGE)) {
            print("FAIL start: CPU %u does not start\n", i);
            exit_guest(1);
        }
    }
}

/* All change over before one of them uses its local APIC again. */
static void change_to_x2apic(void *unused)
{
    (void)unused;
    interrupts_off();
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    this_cpu()->value = 1;
    while (!*(volatile bool *)&lapic_x2apic) {
        cpu_pause();
    }
    lapic_init();
}

void prepare_smp(bool x2apic)
{
    if (x2apic && !lapic_x2apic) {
        for (unsigned i = 1; i < cpu_count; i++) {
            cpus[i].value = 0;
        }
        run_on_others(change_to_x2apic, NULL);
        for (unsigned i = 1; i < cpu_count; i++) {
            WAIT_FOR(cpus[i].value == 1, 1000);
        }
        lapic_enable_x2apic();
        wait_for_others();
    }
    clear_counts();
    for (unsigned i = 0; i < cpu_count; i++) {
        cpus[i].value = 0;
    }
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_128);
    lapic_write(LAPIC_LVT_TIMER, WATCHDOG_VECTOR);
    lapic_write(LAPIC_INITIAL_COUNT, WATCHDOG_COUNT);
}
