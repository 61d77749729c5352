/*
 * The tables that each physical CPU has for itself: GDT and task-state segment. The TSS is there
 * for its interrupt stack table: double faults, NMIs and machine checks run on stacks of their own,
 * because they can come when the current one is broken or gone.
 */
#ifndef KERNEL_CPU_TABLES_H
#define KERNEL_CPU_TABLES_H

#include <stdint.h>

#define SELECTOR_KERNEL_CODE 0x08u
#define SELECTOR_KERNEL_DATA 0x10u /* DS, ES and SS; FS and GS hold the null selector */
#define SELECTOR_TSS         0x18u

/* Index in the interrupt stack table, as a gate holds it. */
enum interrupt_stack {
    INTERRUPT_STACK_NONE,
    INTERRUPT_STACK_DOUBLE_FAULT,
    INTERRUPT_STACK_NMI,
    INTERRUPT_STACK_MACHINE_CHECK,
    INTERRUPT_STACK_COUNT
};

#define KERNEL_STACK_SIZE 32768u

/* A stack inside the kernel image. The guard page is not mapped once paging is up: running over
 * the end faults instead of writing over what lies below. */
struct guarded_stack {
    uint8_t guard[4096];
    uint8_t stack[KERNEL_STACK_SIZE];
} __attribute__((aligned(4096)));

/* 64-bit TSS (SDM vol. 3, 8.7). */
struct task_state {
    uint32_t reserved0;
    uint64_t stack_of_ring[3];
    uint64_t interrupt_stack[8]; /* [0] is reserved: index by enum interrupt_stack */
    uint64_t reserved1;
    uint16_t reserved2;
    uint16_t io_bitmap; /* offset; past the limit: no bitmap */
} __attribute__((packed));

struct cpu_tables {
    uint64_t gdt[5]; /* null, code, data, TSS (two entries) */
    struct task_state tss;
};

/** Fills the tables; `stack_tops` are the tops of INTERRUPT_STACK_COUNT stacks ([0] is ignored). */
void cpu_tables_init(struct cpu_tables *tables, void *const stack_tops[INTERRUPT_STACK_COUNT]);

/**
 * Makes them this CPU's: GDTR, all segment registers, TR. The GS base becomes 0: percpu_load sets
 * it again. For VMX host state: the selectors are the constants above, the GDT's base is
 * tables->gdt, the TSS's is &tables->tss.
 */
void cpu_tables_load(struct cpu_tables *tables);

#endif
