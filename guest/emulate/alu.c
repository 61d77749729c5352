#include "guest/emulate/alu.h"

static uint64_t sign_bit(unsigned size)
{
    return UINT64_C(1) << (8 * size - 1);
}

/* PF, ZF and SF follow from the result alone. */
static uint64_t result_flags(uint64_t result, unsigned size)
{
    uint64_t flags = 0;

    if (__builtin_parity((unsigned)result & 0xff) == 0) {
        flags |= RFLAGS_PF;
    }
    if (result == 0) {
        flags |= RFLAGS_ZF;
    }
    if ((result & sign_bit(size)) != 0) {
        flags |= RFLAGS_SF;
    }
    return flags;
}

/* CF, OF and AF from the carries out of each bit and the change of sign. */
static uint64_t carry_flags(uint64_t carries, uint64_t overflows, uint64_t nibble, unsigned size)
{
    uint64_t flags = nibble & RFLAGS_AF; /* both are bit 4 */

    if ((carries & sign_bit(size)) != 0) {
        flags |= RFLAGS_CF;
    }
    if ((overflows & sign_bit(size)) != 0) {
        flags |= RFLAGS_OF;
    }
    return flags;
}

uint64_t alu_binary(enum operation operation, unsigned size, uint64_t left, uint64_t right,
                    uint64_t *rflags)
{
    uint64_t carry = *rflags & RFLAGS_CF;
    uint64_t flags = 0;
    uint64_t result;

    left = low_bytes(left, size);
    right = low_bytes(right, size);
    switch (operation) {
    case OP_OR:
        result = left | right;
        break;
    case OP_AND:
    case OP_TEST:
        result = left & right;
        break;
    case OP_XOR:
        result = left ^ right;
        break;
    case OP_SBB:
    case OP_SUB:
    case OP_CMP:
        result = low_bytes(left - right - (operation == OP_SBB ? carry : 0), size);
        flags = carry_flags((~left & right) | ((~left | right) & result),
                            (left ^ right) & (left ^ result), left ^ right ^ result, size);
        break;
    default:
        result = low_bytes(left + right + (operation == OP_ADC ? carry : 0), size);
        flags = carry_flags((left & right) | ((left | right) & ~result),
                            (left ^ result) & (right ^ result), left ^ right ^ result, size);
        break;
    }
    *rflags = (*rflags & ~STATUS_FLAGS) | flags | result_flags(result, size);
    return result;
}

uint64_t alu_unary(enum operation operation, unsigned size, uint64_t value, uint64_t *rflags)
{
    uint64_t carry = *rflags & RFLAGS_CF;
    uint64_t result;

    switch (operation) {
    case OP_NOT:
        return low_bytes(~value, size);
    case OP_NEG:
        return alu_binary(OP_SUB, size, 0, value, rflags);
    default:
        result = alu_binary(operation == OP_INC ? OP_ADD : OP_SUB, size, value, 1, rflags);
        *rflags = (*rflags & ~RFLAGS_CF) | carry;
        return result;
    }
}

uint64_t alu_bit(enum operation operation, uint64_t value, unsigned bit, uint64_t *rflags)
{
    uint64_t mask = UINT64_C(1) << bit;

    *rflags &= ~RFLAGS_CF;
    if ((value & mask) != 0) {
        *rflags |= RFLAGS_CF;
    }
    switch (operation) {
    case OP_BTS:
        return value | mask;
    case OP_BTR:
        return value & ~mask;
    case OP_BTC:
        return value ^ mask;
    default:
        return value;
    }
}
