/* See native.h. All accesses to `native` are RIP-relative: no register is free. */
    .bss
    .balign 16
    .globl native
native:
    .zero 19 * 8

    .macro for_each_gpr operation
    \operation 0, %rax
    \operation 1, %rcx
    \operation 2, %rdx
    \operation 3, %rbx
    \operation 5, %rbp
    \operation 6, %rsi
    \operation 7, %rdi
    \operation 8, %r8
    \operation 9, %r9
    \operation 10, %r10
    \operation 11, %r11
    \operation 12, %r12
    \operation 13, %r13
    \operation 14, %r14
    \operation 15, %r15
    \operation 4, %rsp
    .endm

    .macro load number, register
    movq native + 8 * \number(%rip), \register
    .endm

    .macro store number, register
    movq \register, native + 8 * \number(%rip)
    .endm

    .text
    .globl native_run
native_run:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushfq
    movq %rsp, native + 8 * 18(%rip)
    pushq native + 8 * 16(%rip)
    popfq
    for_each_gpr load
    jmpq *native + 8 * 17(%rip)

    .globl native_return
native_return:
    for_each_gpr store
    movq native + 8 * 18(%rip), %rsp
    pushfq
    popq native + 8 * 16(%rip)
    popfq
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    retq

    .section .note.GNU-stack, "", @progbits
