/*
 * From one thread's stack to another's. What a C function may change, the caller has saved; the
 * kernel uses no other registers.
 */
    .text

/* void thread_switch(uint64_t *save, uint64_t load): both are stack pointers. */
    .globl thread_switch
    .type thread_switch, @function
thread_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size thread_switch, . - thread_switch

/* Where a new thread's first switch returns to; its stack is made by thread_create. */
    .globl thread_first
    .type thread_first, @function
thread_first:
    xor %ebp, %ebp /* the backtrace ends here */
    push %rbp      /* as a return address: ends the backtrace, aligns the stack */
    jmp thread_main
    .size thread_first, . - thread_first

    .section .note.GNU-stack, "", @progbits
