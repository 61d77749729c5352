/*
 * The first instructions of a CPU that a start-up IPI woke: in real mode, at the beginning of a page
 * below 1 MiB, where this code was copied to (trampoline.h). Long mode is reached on boot.S's page
 * tables; the page is left before the kernel's own, which do not map it, are loaded.
 */
#include "kernel/boot/trampoline.h"

#define CR0_PROTECTED 0x11       /* ET PE */
#define CR0_RUN       0x80010033 /* PG WP NE ET MP PE */
#define CR4_PAE       0x20
#define MSR_EFER      0xc0000080
#define EFER_LME_NXE  0x900

    .section .rodata.trampoline, "a", @progbits
    .code16
    .balign 16
    .globl trampoline_start
trampoline_start:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    xor %eax, %eax
    xchg %eax, TRAMPOLINE_TOKEN
    test %eax, %eax
    jz .Ltoo_late
    xor %ebx, %ebx
    mov %cs, %bx
    shl $4, %ebx /* the page's physical address */
    lgdtl TRAMPOLINE_GDT_POINTER
    mov $CR0_PROTECTED, %eax
    mov %eax, %cr0
    ljmpl *TRAMPOLINE_PROTECTED
.Ltoo_late:
    cli
    hlt
    jmp .Ltoo_late

    .code32
    .globl trampoline_protected
trampoline_protected:
    mov $TRAMPOLINE_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov TRAMPOLINE_FIRST_CR3(%ebx), %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME_NXE, %eax
    wrmsr
    mov $CR0_RUN, %eax
    mov %eax, %cr0
    ljmp *TRAMPOLINE_LONG(%ebx)

    .code64
    .globl trampoline_long
trampoline_long:
    movabs $enter_kernel, %rax
    jmp *%rax
    .globl trampoline_end
trampoline_end:

    .text
    .type enter_kernel, @function
enter_kernel:
    mov TRAMPOLINE_CPU(%rbx), %rdi
    mov TRAMPOLINE_STACK(%rbx), %rsp
    mov TRAMPOLINE_CR3(%rbx), %rax
    mov %rax, %cr3
    xor %ebp, %ebp /* the backtrace ends here */
    push %rbp      /* as a return address: ends the backtrace, aligns the stack */
    jmp smp_cpu_main
    .size enter_kernel, . - enter_kernel

    .section .note.GNU-stack, "", @progbits
