/*
 * The opcode maps of the decoder (SDM vol. 2, appendix A), reduced to what it knows.
 */
#ifndef GUEST_EMULATE_OPCODES_H
#define GUEST_EMULATE_OPCODES_H

#include <stdint.h>

/* How an opcode's operands are encoded: one of the first, with flags. */
enum encoding {
    E_NONE,
    E_MR,          /* memory, register */
    E_RM,          /* register, memory */
    E_M,           /* memory */
    E_MI,          /* memory, immediate of operand size, at most 32 bits */
    E_MB,          /* memory, sign-extended immediate byte */
    E_LOAD_OFFSET, /* accumulator, absolute offset */
    E_STORE_OFFSET,
    E_STRING,
    E_GROUP, /* operation is a group: the /reg field of ModRM chooses from it */
    E_KIND = 0xf,
    F_BYTE = 0x10,        /* operand size is 1 */
    F_STACK = 0x20,       /* operand size is 8 by default in 64-bit mode */
    F_BYTE_SOURCE = 0x40, /* memory operand is narrower than the register */
    F_WORD_SOURCE = 0x80,
    F_DWORD_SOURCE = F_BYTE_SOURCE | F_WORD_SOURCE,
};

struct opcode {
    uint8_t operation;
    uint8_t encoding;
};

enum group {
    GROUP_80,
    GROUP_81,
    GROUP_83,
    GROUP_8F,
    GROUP_C6,
    GROUP_C7,
    GROUP_F6,
    GROUP_F7,
    GROUP_FE,
    GROUP_FF,
    GROUP_0F_BA
};

/* Opcodes of one byte, and those after 0f; unknown ones are OP_INVALID, E_NONE. */
extern const struct opcode opcodes_one_byte[256];
extern const struct opcode opcodes_two_byte[256];
/* By enum group and the /reg field. */
extern const struct opcode opcode_groups[][8];

#endif
