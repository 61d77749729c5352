/*
 * Exceptions and interrupts of the test guests.
 */
#ifndef TESTS_GUESTS_RUNTIME_TRAPS_H
#define TESTS_GUESTS_RUNTIME_TRAPS_H

#include "tests/guests/runtime/runtime.h"

/* The stack in a handler, from the lowest address. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector;
    uint64_t error_code; /* 0 if the vector has none */
    uint64_t rip, cs, rflags, rsp, ss;
};

typedef void (*trap_handler)(struct trap_frame *frame);

/** Installs a handler that returns to what was interrupted; NULL takes it away. */
void set_handler(unsigned vector, trap_handler handler);

#define NO_TRAP (-1)

/* The last exception that TRY or run_in_ring() caught. */
struct caught_trap {
    int vector; /* NO_TRAP: none */
    uint64_t error_code;
    uint64_t rip;
    uint64_t cr2;
    uint64_t rflags;
    uint64_t rsp;
    uint16_t cs;
};
extern volatile struct caught_trap trap;

#define OUT(...) __VA_ARGS__
#define IN(...)  __VA_ARGS__

/*
 * Executes instructions that may fault; the vector of the exception, or NO_TRAP. A handler for the
 * vector takes precedence. Execution goes on after the instructions.
 */
#define TRY(instructions, outputs, inputs)                          \
    ({                                                              \
        trap.vector = NO_TRAP;                                      \
        __asm__ volatile("movq $771f, trap_resume\n\t" instructions \
                         "\n771:\n\tmovq $0, trap_resume"           \
                         : outputs:inputs                           \
                         : "memory", "cc");                         \
        trap.vector;                                                \
    })

/** Runs code in a ring from 1 to 3 on a stack of its own until it traps; INT 0x80 is the regular
 * end. Ring 3 gets its code and stack at USER_ALIAS. The code may use any register. `rflags`: what
 * it starts with. Returns the vector. */
int run_in_ring(unsigned ring, void (*code)(void), uint64_t rflags);
/** As above, in 32-bit (compatibility) mode of ring 3. */
int run_in_compatibility_mode(void (*code)(void), uint64_t rflags);

/** The ring-3 address of an object. */
#define user_address(object) ((uint64_t)(uintptr_t)(object) + USER_ALIAS)

/* Interrupts counted by count_interrupt(), the usual handler; end of interrupt included. */
extern volatile unsigned interrupt_count[256];
extern volatile unsigned last_vector;
extern volatile uint64_t last_interrupt_rip;
void count_interrupt(struct trap_frame *frame);

/* Descriptor tables, as the runtime set them up. */
extern uint64_t gdt[GDT_SLOTS];
struct __attribute__((packed)) idt_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
extern struct idt_gate idt[256];
struct __attribute__((packed)) task_state {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_bitmap;
};
extern struct task_state tss;
/** Puts the runtime's descriptor tables in force (again). */
void load_descriptor_tables(void);
void traps_init(void);

#endif
