/*
 * Out of long mode and back: protected mode without paging, with 32-bit and PAE paging, real mode.
 */
#include "tests/guests/runtime/layout.h"

#define CR0_PG 0x80000000
#define REAL_SEGMENT (LOW_CODE >> 4)

    .bss
    .balign 8
saved_rsp:
    .skip 8
saved_cr0:
    .skip 4
saved_cr3:
    .skip 4
saved_cr4:
    .skip 4

    .text
    .code64
    .macro snippet name
    .globl \name
\name:
    .endm

snippet ring3_read
    movabsq $0x4000000000, %rax
    movq (%rax), %rbx
    int $RETURN_VECTOR

snippet ring3_write
    movabsq $0x4000000000, %rax
    movq %rax, (%rax)
    int $RETURN_VECTOR

snippet ring3_jump
    movabsq $0x4000000000, %rax
    jmpq *%rax

/* void call_protected(void (*code)(void)): runs 32-bit code in protected mode without paging. */
snippet call_protected
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, saved_rsp
    movq %cr0, %rax
    movl %eax, saved_cr0
    movq %cr3, %rax
    movl %eax, saved_cr3
    movq %cr4, %rax
    movl %eax, saved_cr4
    movl %edi, %ebx
    pushq $CODE32
    pushq $1f
    lretq

    .code32
1:  movl $KERNEL_DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $LOW_STACK, %esp
    movl %cr0, %eax
    andl $~CR0_PG, %eax
    movl %eax, %cr0
    movl $0xc0000080, %ecx
    rdmsr
    andl $~0x100, %eax
    wrmsr
    call *%ebx

    /* Back: the code may have left any kind of paging on. */
    movl %cr0, %eax
    andl $~CR0_PG, %eax
    movl %eax, %cr0
    movl saved_cr4, %eax
    movl %eax, %cr4
    movl saved_cr3, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl saved_cr0, %eax
    movl %eax, %cr0
    ljmp $KERNEL_CS, $2f

    .code64
2:  movl $KERNEL_DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq saved_rsp, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    retq

/* What the code below found out, in words of 32 bits. */
    .bss
    .balign 4
    .globl mode_results, mode_paging_cr3, mode_paging_cr4, mode_test_address, mode_cr0_changes
mode_results:
    .skip 64
mode_paging_cr3:
    .skip 4
mode_paging_cr4:
    .skip 4
mode_cr0_changes: /* beside PG, and with it */
    .skip 4
mode_test_address: /* a linear address that paging leads elsewhere */
    .skip 4
mode_idtr:
    .skip 6
    .balign 8
mode_idt: /* 32-bit, for #PF only */
    .skip 15 * 8

    .text
    .code32
/* Without paging: a device by 32-bit code, CPUID, ports, the LMA bit. */
snippet protected_code
    movl $0xfec00000, %ebx
    movl $1, (%ebx)
    movl 0x10(%ebx), %eax
    movl %eax, mode_results
    movl $4, %esi
    movl $0xfee00000, %edi
    movl 0x10(%edi, %esi, 8), %eax /* 0xfee00030: version */
    movl %eax, mode_results + 4
    xorl %eax, %eax
    cpuid
    movl %ebx, mode_results + 8
    movl $0xc0000080, %ecx
    rdmsr
    movl %eax, mode_results + 12
    .byte 0x67, 0xa0 /* mov al, [disp16], 16-bit addressing in 32-bit code */
    .word 0x7000
    movzbl %al, %eax
    movl %eax, mode_results + 16
    ret

/* With the paging that mode_paging_* say: reads, writes, faults through mode_test_address. */
snippet paging_code
    movw $(15 * 8 - 1), mode_idtr
    movl $mode_idt, mode_idtr + 2
    movl $page_fault_32, %eax
    movw %ax, mode_idt + 14 * 8
    movw $CODE32, mode_idt + 14 * 8 + 2
    movw $0x8e00, mode_idt + 14 * 8 + 4
    shrl $16, %eax
    movw %ax, mode_idt + 14 * 8 + 6
    lidt mode_idtr
    movl mode_paging_cr4, %eax
    movl %eax, %cr4
    movl mode_paging_cr3, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    xorl mode_cr0_changes, %eax
    orl $CR0_PG, %eax
    movl %eax, %cr0
    jmp 1f
1:  movl mode_test_address, %ebx
    movl (%ebx), %eax
    movl %eax, mode_results
    movl $0xabcd1234, 4(%ebx)
    movl $0, mode_results + 4
    movl $2f, mode_results + 12
    movl 0x1000(%ebx), %eax /* not mapped */
2:  movl $3f, mode_results + 12
    movl %eax, 0x2000(%ebx) /* read-only */
3:  movl 0x3000(%ebx), %eax /* the I/O APIC: index 1 was chosen before */
    movl 0x3010(%ebx), %eax
    movl %eax, mode_results + 24
    xorl %eax, %eax
    cpuid
    ret

/* Calls the last two bytes of the address space. */
snippet wrapping_code
    movl mode_paging_cr4, %eax
    movl %eax, %cr4
    movl mode_paging_cr3, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $CR0_PG, %eax
    movl %eax, %cr0
    jmp 1f
1:  xorl %eax, %eax
    movl $0xfffffffe, %edx
    call *%edx
    movl %ebx, mode_results
    ret

/* Notes error code and address, goes on where mode_results[3] says. */
page_fault_32:
    popl %eax
    movl mode_results + 4, %ecx
    movl %eax, mode_results + 28(, %ecx, 8)
    movl %cr2, %eax
    movl %eax, mode_results + 32(, %ecx, 8)
    incl mode_results + 4
    movl mode_results + 12, %eax
    movl %eax, (%esp)
    iretl

/* To real mode and back; the 16-bit part lies at LOW_CODE. */
snippet real_mode_code
    lidt real_idtr
    ljmp $CODE16, $(real_entry - real_mode_start)

    .globl real_mode_back
real_mode_back:
    movl $KERNEL_DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $(LOW_STACK - 4), %esp /* the return address is still there */
    ret

    .section .rodata
real_idtr:
    .word 0x3ff
    .long 0

    .globl real_mode_start, real_mode_end, real_results
    .code16
real_mode_start:
real_entry:
    movl %cr0, %eax
    andb $0xfe, %al
    movw $KERNEL_DS, %cx /* big real mode: FS keeps base 0 and limit 4 GiB */
    movw %cx, %fs
    movw $DATA16, %cx
    movw %cx, %ds
    movw %cx, %es
    movw %cx, %ss
    movl %eax, %cr0
    ljmp $REAL_SEGMENT, $(1f - real_mode_start)
1:  movw $REAL_SEGMENT, %ax
    movw %ax, %ds
    movw %ax, %es
    movw $(LOW_STACK >> 4), %ax
    movw %ax, %ss
    movw $0x1000, %sp

    int $0x60 /* a handler of the IVT: see real_handler */
    movw %ax, real_results - real_mode_start
    movl $0xfec00000, %ebx
    movl $1, %fs:(%ebx)
    movl %fs:0x10(%ebx), %eax
    movl %eax, real_results - real_mode_start + 4
    xorl %eax, %eax
    cpuid
    movl %ebx, real_results - real_mode_start + 8
    inb $0x61, %al
    /* A string within its segment, words down to offset 0. */
    std
    movw $(real_words - real_mode_start + 2), %si
    movw $(real_results - real_mode_start + 14), %di
    movw $2, %cx
    rep movsw
    cld
    /* Segment arithmetic: the same byte by two segments. */
    movw $(REAL_SEGMENT + 1), %ax
    movw %ax, %es
    movl %es:(real_words - real_mode_start - 16), %eax
    movl %eax, real_results - real_mode_start + 16
    /* HLT until the 8254 interrupts by the 8259 and the IVT. */
    sti
    hlt
    cli
    movw real_ticks - real_mode_start, %ax
    movw %ax, real_results - real_mode_start + 20
    /* An offset beyond the limit: #GP, whose vector 13 has a handler. */
    movw $(2f - real_mode_start), real_resume - real_mode_start
    movw $0xffff, %bx
    movw (%bx), %ax
2:  movw real_faults - real_mode_start, %ax
    movw %ax, real_results - real_mode_start + 24

    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $CODE32, $real_mode_back

    .globl real_handler, real_timer, real_fault
real_handler:
    movw $0x4242, %ax
    iretw
real_timer:
    incw %cs:(real_ticks - real_mode_start)
    pushw %ax
    movb $0x20, %al
    outb %al, $0x20
    popw %ax
    iretw
real_fault:
    incw %cs:(real_faults - real_mode_start)
    addw $2, %sp
    pushw %cs:(real_resume - real_mode_start)
    iretw

    .balign 4
real_words:
    .word 0x1111, 0x2222
real_ticks:
    .word 0
real_faults:
    .word 0
real_resume:
    .word 0
    .balign 4
real_results:
    .skip 32
real_mode_end:

    .section .note.GNU-stack, "", @progbits
