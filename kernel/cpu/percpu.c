#include "kernel/cpu/percpu.h"

#include "kernel/cpu/x86.h"

static struct percpu boot_cpu;
static struct guarded_stack boot_interrupt_stacks[INTERRUPT_STACK_COUNT - 1]
    __attribute__((section(".bss.stacks")));

void percpu_init(void)
{
    void *tops[INTERRUPT_STACK_COUNT] = {0};

    for (unsigned i = INTERRUPT_STACK_NONE + 1; i < INTERRUPT_STACK_COUNT; i++) {
        tops[i] = &boot_interrupt_stacks[i - 1] + 1;
    }
    cpu_tables_init(&boot_cpu.tables, tops);
    boot_cpu.self = &boot_cpu;
    percpu_load(&boot_cpu);
}

void percpu_load(struct percpu *cpu)
{
    cpu_tables_load(&cpu->tables);
    wrmsr(MSR_GS_BASE, (uintptr_t)cpu);
}
