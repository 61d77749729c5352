#include "kernel/cpu/percpu.h"

#include <stddef.h>

#include "kernel/cpu/x86.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"

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

static void free_stacks(void *const tops[INTERRUPT_STACK_COUNT])
{
    for (unsigned i = INTERRUPT_STACK_NONE + 1; i < INTERRUPT_STACK_COUNT; i++) {
        if (tops[i]) {
            stack_free(tops[i], KERNEL_STACK_SIZE);
        }
    }
}

struct percpu *percpu_create(uint32_t index, uint32_t apic_id)
{
    struct percpu *cpu = kzalloc(sizeof(*cpu));
    void *tops[INTERRUPT_STACK_COUNT] = {0};
    bool complete = cpu != NULL;

    for (unsigned i = INTERRUPT_STACK_NONE + 1; i < INTERRUPT_STACK_COUNT; i++) {
        tops[i] = stack_alloc(KERNEL_STACK_SIZE);
        complete &= tops[i] != NULL;
    }
    if (!complete) {
        free_stacks(tops);
        kfree(cpu);
        return NULL;
    }
    cpu_tables_init(&cpu->tables, tops);
    cpu->self = cpu;
    cpu->index = index;
    cpu->apic_id = apic_id;
    return cpu;
}

void percpu_destroy(struct percpu *cpu)
{
    void *tops[INTERRUPT_STACK_COUNT] = {0};

    for (unsigned i = INTERRUPT_STACK_NONE + 1; i < INTERRUPT_STACK_COUNT; i++) {
        tops[i] = (void *)cpu->tables.tss.interrupt_stack[i];
    }
    free_stacks(tops);
    kfree(cpu);
}

void percpu_load(struct percpu *cpu)
{
    cpu_tables_load(&cpu->tables);
    wrmsr(MSR_GS_BASE, (uintptr_t)cpu);
}
