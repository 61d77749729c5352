/*
 * Decoder for the x86 instructions with which guests access memory that is a device: moves,
 * read-modify-write arithmetic, string instructions (SDM vol. 2). Bytes in, one plain structure
 * out; nothing is executed and no state is read.
 */
#ifndef GUEST_EMULATE_DECODE_H
#define GUEST_EMULATE_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "virt/vcpu.h"

#define INSTRUCTION_MAX 15 /* bytes; a longer one is #GP on any CPU */

enum operation {
    OP_INVALID,
    /* In the order of the opcodes 00-3f and of the /reg field of 80-83. */
    OP_ADD,
    OP_OR,
    OP_ADC,
    OP_SBB,
    OP_AND,
    OP_SUB,
    OP_XOR,
    OP_CMP,
    OP_TEST,
    OP_NOT,
    OP_NEG,
    OP_INC,
    OP_DEC,
    OP_MOV,
    OP_MOVZX,
    OP_MOVSX,
    OP_MOVBE,
    OP_XCHG,
    OP_CMPXCHG,
    OP_XADD,
    /* In the order of the /reg field of 0f ba. */
    OP_BT,
    OP_BTS,
    OP_BTR,
    OP_BTC,
    OP_PUSH,
    OP_POP,
    OP_MOVS,
    OP_CMPS,
    OP_STOS,
    OP_LODS,
    OP_SCAS,
    OP_INS,
    OP_OUTS,
};

/* Where the operands are. */
enum operand_form {
    FORM_MEMORY,           /* one operand, in memory */
    FORM_MEMORY_REGISTER,  /* destination memory, source `reg` */
    FORM_REGISTER_MEMORY,  /* destination `reg`, source memory */
    FORM_MEMORY_IMMEDIATE, /* destination memory, source `immediate` */
    FORM_STRING,           /* by RSI, RDI and RAX, implied */
};

enum repeat_prefix { REPEAT_NONE, REPEAT_NE, REPEAT_E };

enum cpu_bits { CPU_16_BIT, CPU_32_BIT, CPU_64_BIT };

#define NO_REGISTER 0xff

struct instruction {
    uint8_t length; /* bytes, prefixes included */
    uint8_t operation;
    uint8_t form;
    uint8_t operand_size; /* bytes: 1, 2, 4, 8 */
    uint8_t memory_size;  /* bytes of the memory operand: differs for MOVZX, MOVSX */
    uint8_t address_size; /* bytes: 2, 4, 8 */
    uint8_t segment;      /* enum virt_segment of the memory operand (strings: of the source) */
    uint8_t repeat;       /* enum repeat_prefix, string instructions only */
    bool lock;
    /* MOV of 4 or 8 bytes between a register or an immediate and [register + displacement] or
     * [displacement] with 64-bit addresses in a segment without base, no register being RSP: nearly
     * all that drivers do to devices. */
    bool simple_move;
    bool rip_relative;
    bool high_byte;      /* `reg` is AH, CH, DH or BH: bits 15:8 of register reg */
    uint8_t reg;         /* enum gpr */
    uint8_t base;        /* enum gpr or NO_REGISTER */
    uint8_t index;       /* enum gpr or NO_REGISTER */
    uint8_t scale_shift; /* 0-3 */
    int64_t displacement;
    uint64_t immediate; /* sign-extended from its encoding, then as wide as the operand allows */
};

enum decode_result {
    DECODE_OK,
    DECODE_UNKNOWN,   /* not an instruction that this decoder knows, or no memory operand */
    DECODE_TRUNCATED, /* more bytes are needed than were given */
};

/** Decodes the instruction at the start of `bytes`, of which `count` (at most INSTRUCTION_MAX
 * matter) are readable. */
enum decode_result decode_instruction(const uint8_t *bytes, unsigned count, enum cpu_bits bits,
                                      struct instruction *instruction);

#endif
