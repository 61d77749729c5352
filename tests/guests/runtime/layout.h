/*
 * Selectors and addresses of the test guests, for C and assembly.
 */
#ifndef TESTS_GUESTS_RUNTIME_LAYOUT_H
#define TESTS_GUESTS_RUNTIME_LAYOUT_H

#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define CODE32    0x18
#define CODE16    0x20 /* 64 KiB from LOW_CODE, for the way to real mode */
#define DATA16    0x28
#define USER_DS   0x33
#define USER_CS   0x3b
#define USER_CS32 0x43
#define RING1_CS  0x49
#define RING1_DS  0x51
#define RING2_CS  0x5a
#define RING2_DS  0x62
#define TSS       0x68
#define SPARE     0x78 /* for tests that want a descriptor of their own: two slots */
#define TASK_A    0x88 /* 32-bit TSSs of the tests of task switches */
#define TASK_B    0x90
#define TASK_C    0x98
#define GDT_SLOTS 24

/* The first GiB again, accessible to ring 3, and within reach of 32-bit code. */
#define USER_ALIAS            0x80000000
#define USER_ALIAS_PDPT_INDEX 2

/* Ends code that runs in another ring: see run_in_ring(). */
#define RETURN_VECTOR 0x80

/* Memory below 1 MiB for code in real mode; free in every boot loader's layout. */
#define LOW_CODE  0x10000
#define LOW_STACK 0x20000

#define AP_STACK_SIZE 16384

#endif
