#include "kernel/cpu/tables.h"

#include <stddef.h>

#include "kernel/cpu/x86.h"

/* Descriptors (SDM vol. 3, 3.4.5), accessed and, for the TSS, not busy. In 64-bit mode base and
 * limit of code and data do not count. */
#define DESCRIPTOR_CODE UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_DATA UINT64_C(0x00cf93000000ffff)
#define DESCRIPTOR_TSS  UINT64_C(0x0000890000000000)

void cpu_tables_init(struct cpu_tables *tables, void *const stack_tops[INTERRUPT_STACK_COUNT])
{
    uint64_t base = (uintptr_t)&tables->tss;
    uint64_t limit = sizeof(tables->tss) - 1;

    *tables = (struct cpu_tables){
        .gdt = {0, DESCRIPTOR_CODE, DESCRIPTOR_DATA,
                DESCRIPTOR_TSS | limit | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56,
                base >> 32},
        .tss.io_bitmap = sizeof(tables->tss),
    };
    for (unsigned i = INTERRUPT_STACK_NONE + 1; i < INTERRUPT_STACK_COUNT; i++) {
        tables->tss.interrupt_stack[i] = (uintptr_t)stack_tops[i];
    }
}

void cpu_tables_load(struct cpu_tables *tables)
{
    struct descriptor_table gdt = {.limit = sizeof(tables->gdt) - 1,
                                   .base = (uintptr_t)tables->gdt};

    lgdt(&gdt);
    write_cs(SELECTOR_KERNEL_CODE);
    write_data_segments(SELECTOR_KERNEL_DATA);
    write_null_fs_gs();
    lldt(0);
    ltr(SELECTOR_TSS);
}
