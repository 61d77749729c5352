/*
 * The two ends of a switch between threads: thread_switch.S and thread.c.
 */
#ifndef KERNEL_THREAD_SWITCH_H
#define KERNEL_THREAD_SWITCH_H

#include <stdint.h>

/** Stores the stack pointer of the thread that runs, with its registers on its stack, and goes on
 * where `load` was stored. Interrupts off. */
void thread_switch(uint64_t *save, uint64_t load);

/** The address to which the first switch to a thread returns. Not to be called. */
void thread_first(void);

/** Entered from thread_first, on the new thread's stack. In thread.c. */
_Noreturn void thread_main(void);

#endif
