#include "kernel/cpu/idt.h"

#include "kernel/cpu/tables.h"
#include "kernel/cpu/x86.h"

#define VECTORS   256u
#define STUB_SIZE 16u /* of one entry in entry.S */

#define GATE_PRESENT_INTERRUPT 0x8e00u /* present, ring 0, interrupt gate: IF is cleared */

/* 64-bit gate (SDM vol. 3, 6.14.1). */
struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t attributes; /* interrupt stack index in bits 2:0 */
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};

extern const uint8_t entry_stubs[VECTORS][STUB_SIZE];

static struct gate gates[VECTORS] __attribute__((aligned(16)));

static unsigned stack_of(unsigned vector)
{
    switch (vector) {
    case EXCEPTION_DF:
        return INTERRUPT_STACK_DOUBLE_FAULT;
    case EXCEPTION_NMI:
        return INTERRUPT_STACK_NMI;
    case EXCEPTION_MC:
        return INTERRUPT_STACK_MACHINE_CHECK;
    default:
        return INTERRUPT_STACK_NONE;
    }
}

void idt_init(void)
{
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        uint64_t stub = (uintptr_t)entry_stubs[vector];

        gates[vector] = (struct gate){
            .offset_low = (uint16_t)stub,
            .selector = SELECTOR_KERNEL_CODE,
            .attributes = (uint16_t)(GATE_PRESENT_INTERRUPT | stack_of(vector)),
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
}

void idt_load(void)
{
    struct descriptor_table idt = {.limit = sizeof(gates) - 1, .base = (uintptr_t)gates};

    lidt(&idt);
}

uint64_t idt_base(void)
{
    return (uintptr_t)gates;
}
