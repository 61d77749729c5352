/*
 * Runs one instruction on the machine the test runs on.
 */
#ifndef TESTS_UNIT_EMULATE_NATIVE_H
#define TESTS_UNIT_EMULATE_NATIVE_H

#include <stdint.h>

/* Registers before and after native_run(), by their encoding in instructions. */
struct native_state {
    uint64_t gpr[16];
    uint64_t rflags;
    uint64_t code; /* where to jump to: must come back by a jump to native_return */
    uint64_t host_rsp;
};

extern struct native_state native;

/** Loads the registers from `native`, jumps to native.code, stores them back. */
void native_run(void);
void native_return(void);

#endif
