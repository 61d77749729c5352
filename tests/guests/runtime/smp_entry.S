/*
 * Where application processors start: copied to pages below 1 MiB, whose number is the vector of
 * the start-up IPI. Notes what the CPU starts with, and goes straight to long mode.
 */
#include "tests/guests/runtime/layout.h"

    .section .rodata
    .globl ap_trampoline, ap_trampoline_end
    .code16
ap_trampoline:
    movl %cr0, %ebp
    movl %edx, %esi
    pushfl /* to the stack that INIT leaves: SS 0, SP 0, so below 64 KiB */
    popl %edi
    movw %cs, %bx
    cli
    lgdtl %cs:(ap_gdt_pointer - ap_trampoline)
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
    ljmpl $KERNEL_CS, $ap_long_mode
ap_gdt_pointer:
    .word 23
    .long ap_gdt
ap_trampoline_end:

    .balign 8
ap_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff

    .text
    .code64
ap_long_mode:
    movl $KERNEL_DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movzwl %bx, %r12d
    /* Several may come at once: each finds its stack by its initial APIC id. */
    movl $1, %eax
    cpuid
    shrl $24, %ebx
    movl %ebx, %eax
    incl %eax
    imull $AP_STACK_SIZE, %eax
    leaq ap_stacks(%rax), %rsp
    /* ap_main(id, cs, cr0, edx, rflags) */
    movl %edi, %r8d
    movl %esi, %ecx
    movl %ebx, %edi
    movl %r12d, %esi
    movl %ebp, %edx
    call ap_main
1:  cli
    hlt
    jmp 1b

    .section .note.GNU-stack, "", @progbits
