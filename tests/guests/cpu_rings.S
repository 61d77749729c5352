/*
 * Code for the tests of rings: each runs at another privilege level and ends by a trap.
 */
#include "tests/guests/runtime/layout.h"

    .text
    .macro snippet name
    .globl \name
\name:
    .endm

snippet ring_return
    int $RETURN_VECTOR

snippet ring3_rdmsr
    movl $0xc0000080, %ecx
    rdmsr
    int $RETURN_VECTOR

snippet ring_hlt
    hlt
    int $RETURN_VECTOR

snippet ring_cli
    cli
    int $RETURN_VECTOR

snippet ring_in
    movl $0x61, %edx
    inb %dx, %al
    int $RETURN_VECTOR

snippet ring_mov_cr
    movq %cr0, %rax
    int $RETURN_VECTOR

snippet ring_mov_dr
    movq %dr7, %rax
    int $RETURN_VECTOR

snippet ring_cpuid
    xorl %eax, %eax
    cpuid
    int $RETURN_VECTOR

snippet ring_rdtsc
    rdtsc
    int $RETURN_VECTOR

snippet ring_xsetbv
    xorl %ecx, %ecx
    xorl %edx, %edx
    movl $3, %eax
    xsetbv
    int $RETURN_VECTOR

snippet ring_read_kernel
    movq 0x100000, %rax
    int $RETURN_VECTOR

snippet ring_int3
    int3
    int $RETURN_VECTOR

snippet ring_closed_gate
    int $0x81

snippet ring_misaligned
    movl 1(%rsp), %eax
    int $RETURN_VECTOR

snippet ring_non_canonical_stack
    movq $1, %rax
    shlq $47, %rax
    leaq 16(%rax), %rsp
    pushq %rax
    int $RETURN_VECTOR

snippet ring_vmcall
    vmcall
    int $RETURN_VECTOR

/* In 32-bit code these bytes are DEC and INC of EAX, in 64-bit code REX prefixes of NOP. */
snippet compatibility_code
    .code32
    movl $10, %eax
    .byte 0x48
    nop
    .byte 0x48
    nop
    .byte 0x40
    nop
    movl %eax, %ebx
    pushl $0x12345678
    popl %ecx
    int $RETURN_VECTOR
    .code64

/* SYSCALL into syscall_entry, which goes back by SYSRET with a value in RAX. */
snippet ring3_syscall
    movl $7, %eax
    movq %rsp, %rbx
    syscall
    int $RETURN_VECTOR

    .globl syscall_entry
syscall_entry:
    addl %eax, %eax
    movq %cs, %rdx
    sysretq

/* SYSENTER into sysenter_entry, back by SYSEXIT. RCX and RDX are the stack and RIP to return to. */
snippet ring3_sysenter
    movq %rsp, %rcx
    leaq 1f(%rip), %rdx
    movl $9, %eax
    sysenter
    ud2
1:  int $RETURN_VECTOR

    .globl sysenter_entry
sysenter_entry:
    addl %eax, %eax
    movq %rsp, %rbx
    rex.w sysexit

    .section .note.GNU-stack, "", @progbits
