/*
 * How a CPU other than the first comes from real mode to C: a page below 1 MiB that holds a copy of
 * the code in trampoline.S and, at its end, what that needs to know.
 */
#ifndef KERNEL_BOOT_TRAMPOLINE_H
#define KERNEL_BOOT_TRAMPOLINE_H

/* Offsets in the page; checked against the structure below. */
#define TRAMPOLINE_TOKEN       0xf00
#define TRAMPOLINE_GDT_POINTER 0xf08
#define TRAMPOLINE_PROTECTED   0xf10
#define TRAMPOLINE_LONG        0xf18
#define TRAMPOLINE_FIRST_CR3   0xf20
#define TRAMPOLINE_CR3         0xf28
#define TRAMPOLINE_STACK       0xf30
#define TRAMPOLINE_CPU         0xf38
#define TRAMPOLINE_GDT         0xf40

#define TRAMPOLINE_CODE_64 0x08
#define TRAMPOLINE_DATA    0x10
#define TRAMPOLINE_CODE_32 0x18

#ifndef __ASSEMBLER__

#include <stdint.h>

struct percpu;

/* Operand of an indirect far jump. */
struct far_pointer {
    uint32_t offset;
    uint16_t selector;
    uint16_t unused;
};

struct trampoline {
    uint8_t code[TRAMPOLINE_TOKEN];
    /* 1: a CPU is to start. Who comes takes it (makes it 0) and goes on with the data below; who
     * finds none, because it comes too late, stops. */
    uint32_t token;
    uint32_t unused;
    uint16_t gdt_pointer[4]; /* limit, base (32 bits) */
    struct far_pointer protected_mode;
    struct far_pointer long_mode;
    uint64_t first_cr3; /* boot.S's tables, in which the page is mapped at its physical address */
    uint64_t cr3;
    uint64_t stack; /* its top */
    struct percpu *cpu;
    uint64_t gdt[4];
};

/* The code: position-independent but for what is in the data. */
extern const uint8_t trampoline_start[];
extern const uint8_t trampoline_protected[];
extern const uint8_t trampoline_long[];
extern const uint8_t trampoline_end[];

/** Entered from trampoline.S on the new CPU, on its stack, interrupts off. In kernel/smp.c. */
_Noreturn void smp_cpu_main(struct percpu *cpu);

#endif

#endif
