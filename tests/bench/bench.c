/*
 * What operations cost a CPU: on bare hardware, as Innkeeper's guest, as KVM's. Everything that may
 * exit is a row, and so are some things that should not.
 *
 * Under an emulator that counts a tick for each instruction, rows are nearly the same in every run.
 * With cpus=2 on the command line there is a second CPU, and rows of what passes between the two.
 */
#include "tests/bench/bench.h"

#define HYPERVISOR_PRESENT (1u << 31) /* CPUID.1:ECX */
#define XAPIC_EOI          (*(volatile uint32_t *)(LAPIC_ADDRESS + LAPIC_EOI))

static struct ticks overhead;
volatile unsigned interrupts;
volatile uint64_t interrupted_at;

static void print_row(const char *name, uint64_t least, uint64_t mean)
{
    print("row %s %lu %lu\n", name, least, mean);
}

void report(const char *name, const struct ticks *ticks)
{
    print_row(name, ticks->least - overhead.least, ticks->sum / ticks->rounds - overhead.least);
}

void report_plain(const char *name, const struct ticks *ticks)
{
    print_row(name, ticks->least, ticks->sum / ticks->rounds);
}

bool is_guest(void)
{
    return (cpuid(1, 0).ecx & HYPERVISOR_PRESENT) != 0;
}

bool has_second_cpu(void)
{
    return command_line_number("cpus") >= 2;
}

void install_gate(unsigned vector, uint64_t handler)
{
    idt[vector].offset_low = (uint16_t)handler;
    idt[vector].offset_middle = (uint16_t)(handler >> 16);
    idt[vector].offset_high = (uint32_t)(handler >> 32);
}

__attribute__((interrupt)) static void handle_by_xapic(void *frame)
{
    (void)frame;
    interrupts++;
    XAPIC_EOI = 0;
}

__attribute__((interrupt)) static void handle_by_x2apic(void *frame)
{
    (void)frame;
    interrupts++;
    wrmsr(MSR_X2APIC_EOI, 0);
}

__attribute__((interrupt)) static void handle_and_time(void *frame)
{
    interrupted_at = rdtsc();
    (void)frame;
    interrupts++;
    wrmsr(MSR_X2APIC_EOI, 0);
}

void use_xapic_handler(void)
{
    install_gate(VECTOR, (uint64_t)(uintptr_t)handle_by_xapic);
}

void use_x2apic_handler(void)
{
    install_gate(VECTOR, (uint64_t)(uintptr_t)handle_by_x2apic);
}

void use_timing_handler(void)
{
    install_gate(VECTOR, (uint64_t)(uintptr_t)handle_and_time);
}

void await_running(unsigned seen)
{
    interrupts_on();
    while (interrupts == seen) {
    }
    interrupts_off();
}

void await_halted(unsigned seen)
{
    while (interrupts == seen) {
        halt_until_interrupt();
    }
}

void prepare(void)
{
    overhead = ROUNDS_OF((void)0);
}
