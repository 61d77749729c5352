/*
 * Integer arithmetic of x86 with its status flags (SDM vol. 1, 3.4.3.1 and appendix A).
 */
#ifndef GUEST_EMULATE_ALU_H
#define GUEST_EMULATE_ALU_H

#include <stdint.h>

#include "guest/emulate/decode.h"
#include "kernel/cpu/x86_defs.h"

#define STATUS_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/** The low `size` (1, 2, 4, 8) bytes of `value`. */
static inline uint64_t low_bytes(uint64_t value, unsigned size)
{
    return value & (~UINT64_C(0) >> (64 - 8 * size));
}

/**
 * Result of an operation on two operands of `size` bytes: OP_ADD to OP_CMP, OP_TEST, and OP_XADD
 * as an addition. Reads CF from *rflags (ADC, SBB) and replaces the status flags there. CMP and
 * TEST return a result too, which the instruction drops.
 */
uint64_t alu_binary(enum operation operation, unsigned size, uint64_t left, uint64_t right,
                    uint64_t *rflags);

/** OP_NOT (flags stay), OP_NEG, OP_INC and OP_DEC (CF stays). */
uint64_t alu_unary(enum operation operation, unsigned size, uint64_t value, uint64_t *rflags);

/** OP_BT, OP_BTS, OP_BTR, OP_BTC on bit `bit` (0 to 8 * size - 1): CF becomes the old bit. */
uint64_t alu_bit(enum operation operation, uint64_t value, unsigned bit, uint64_t *rflags);

#endif
