/*
 * From one thread's stack to another's. What lies on the stack of a thread that does not run: where
 * it goes on, and above that its frame pointer.
 */
#ifndef KERNEL_THREAD_SWITCH_H
#define KERNEL_THREAD_SWITCH_H

#include <stdint.h>

/** Stores the stack pointer of the thread that runs, and goes on where `load` was stored. Of the
 * registers it keeps none but the frame pointer, so that the compiler saves those that are in use,
 * and only once. Interrupts off. */
__attribute__((always_inline)) static inline void thread_switch(uint64_t *save, uint64_t load)
{
    __asm__ volatile("push %%rbp\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "mov %%rsp, (%0)\n\t"
                     "mov %1, %%rsp\n\t"
                     "ret\n"
                     "1:\n\t"
                     "pop %%rbp"
                     : "+D"(save), "+S"(load)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "cc", "memory");
}

/** Where a new thread's first switch goes on. Not to be called. */
void thread_first(void);

/** Entered from thread_first, on the new thread's stack. In thread.c. */
_Noreturn void thread_main(void);

#endif
