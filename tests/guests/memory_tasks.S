/*
 * Hardware task switches in 32-bit protected mode: see memory_tasks.c. Task A is the one that
 * calls; its TSS needs no contents.
 */
#include "tests/guests/runtime/layout.h"

    .bss
    .balign 16
    .globl tss_a, tss_b, tss_c, task_results
tss_a:
    .skip 104
    .balign 16
tss_b:
    .skip 104
    .balign 16
tss_c:
    .skip 104
    .balign 16
    .skip 512
stack_b:
    .skip 512
stack_c:
task_results: /* words of 32 bits */
    .skip 64
task_idtr:
    .skip 6
    .balign 8
task_idt:
    .skip 0x31 * 8

    .text
    .code32
    .macro task_gate vector, selector
    movl $((\selector) << 16), task_idt + 8 * (\vector)
    movl $0x8500, task_idt + 8 * (\vector) + 4
    .endm

    .globl task_code
task_code:
    movw $(0x31 * 8 - 1), task_idtr
    movl $task_idt, task_idtr + 2
    task_gate 13, TASK_C
    task_gate 0x30, TASK_C
    lidt task_idtr
    movl $TASK_A, %eax
    ltr %ax

    movl $0x1111, %ebx
    lcall $TASK_B, $0
    movl %ebx, task_results         /* A's own again */
    lcall $TASK_B, $0               /* B goes on behind its IRET */
    ljmp $TASK_B, $0                /* and comes back by a jump */
    movl %cr0, %eax
    movl %eax, task_results + 4
    clts
    str task_results + 8
    int $0x30
1:  movl $1b, task_results + 12     /* where INT's return address must lead */
    movl $0xfff8, %eax
2:  movl %eax, %ds                  /* #GP with an error code */
    movl $2b, task_results + 16
    ret

/* B counts, notes whether it is nested, and returns each way. */
    .globl task_b, task_c
task_b:
    movl $stack_b, %esp
    incl task_results + 20
    pushfl
    popl task_results + 24
    movw tss_b, %ax
    movw %ax, task_results + 28
    iretl
    incl task_results + 20
    pushfl
    popl task_results + 32
    iretl
    incl task_results + 20
    pushfl
    popl task_results + 36
    ljmp $TASK_A, $0

/* C is entered by gates: first by INT 30h, then by #GP, whose error code it pops. */
task_c:
    movl tss_a + 32, %eax           /* A's EIP */
    movl %eax, task_results + 40
    iretl
    popl task_results + 44
    movl tss_a + 32, %eax
    movl %eax, task_results + 48
    addl $2, tss_a + 32             /* past the MOV */
    iretl

    .section .note.GNU-stack, "", @progbits
