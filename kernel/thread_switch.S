/*
 * The beginning of a thread.
 */
    .text

/* Where a new thread's first switch goes on; its stack is made by thread_create. */
    .globl thread_first
    .type thread_first, @function
thread_first:
    xor %ebp, %ebp /* the backtrace ends here */
    push %rbp      /* as a return address: ends the backtrace, aligns the stack */
    jmp thread_main
    .size thread_first, . - thread_first

    .section .note.GNU-stack, "", @progbits
