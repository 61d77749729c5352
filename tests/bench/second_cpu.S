/*
 * Start of the second CPU: from a start-up IPI's real mode straight to long mode, with the tables of
 * the first CPU. What lies between the two labels is copied to LOW_CODE.
 */
#include "tests/guests/runtime/layout.h"

    .section .rodata
    .globl second_cpu_start, second_cpu_end
    .code16
second_cpu_start:
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl gdt_pointer - second_cpu_start
    movl $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $page_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
    movl %eax, %cr0
    ljmpl $KERNEL_CS, $second_cpu_long
    .balign 8
gdt_pointer:
    .word 23
    .long gdt
second_cpu_end:

    .text
    .code64
second_cpu_long:
    movl $KERNEL_DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $second_cpu_stack, %esp
    call second_cpu_main
1:  hlt
    jmp 1b

    .section .bss
    .balign 16
    .skip 4096
second_cpu_stack:

    .section .note.GNU-stack, "", @progbits
