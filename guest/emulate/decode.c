#include "guest/emulate/decode.h"

#include <stddef.h>

#include "guest/emulate/opcodes.h"

#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

struct cursor {
    const uint8_t *next;
    const uint8_t *end;
    bool truncated;
};

struct prefixes {
    uint8_t rex;     /* 0x40-0x4f, 0 if there is none */
    uint8_t segment; /* override, or NO_REGISTER */
    bool operand_size;
    bool address_size;
};

static inline uint8_t take_byte(struct cursor *cursor)
{
    if (__builtin_expect(cursor->next == cursor->end, 0)) {
        cursor->truncated = true;
        return 0;
    }
    return *cursor->next++;
}

/* A little-endian value of 1, 2, 4 or 8 bytes, sign-extended. */
static int64_t take_signed(struct cursor *cursor, unsigned size)
{
    uint64_t value = 0;
    unsigned unused_bits = 64 - 8 * size;

    if ((size_t)(cursor->end - cursor->next) < size) {
        cursor->truncated = true;
        return 0;
    }
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)cursor->next[i] << (8 * i);
    }
    cursor->next += size;
    return (int64_t)(value << unused_bits) >> unused_bits;
}

/* Takes the prefixes and returns the byte after them. */
static inline uint8_t take_prefixes(struct cursor *cursor, enum cpu_bits bits,
                                    struct prefixes *prefixes, struct instruction *instruction)
{
    for (;;) {
        uint8_t byte = take_byte(cursor);

        /* REX counts only right before the opcode. */
        if (bits == CPU_64_BIT && (byte & 0xf0) == 0x40) {
            prefixes->rex = byte;
            byte = take_byte(cursor);
            if (bits == CPU_64_BIT && (byte & 0xf0) == 0x40) {
                cursor->next--;
                prefixes->rex = 0;
                continue;
            }
        }
        switch (byte) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            /* ES, CS, SS, DS: bits 4:3. Without meaning in 64-bit mode. */
            if (bits != CPU_64_BIT) {
                prefixes->segment = (byte >> 3) & 3;
            }
            break;
        case 0x64:
            prefixes->segment = SEGMENT_FS;
            break;
        case 0x65:
            prefixes->segment = SEGMENT_GS;
            break;
        case 0x66:
            prefixes->operand_size = true;
            break;
        case 0x67:
            prefixes->address_size = true;
            break;
        case 0xf0:
            instruction->lock = true;
            break;
        case 0xf2:
            instruction->repeat = REPEAT_NE;
            break;
        case 0xf3:
            instruction->repeat = REPEAT_E;
            break;
        default:
            return byte;
        }
        prefixes->rex = 0;
    }
}

/* ModRM with 16-bit addressing: SDM vol. 2, table 2-1. */
static void decode_address_16(struct cursor *cursor, unsigned mod, unsigned rm,
                              struct instruction *instruction)
{
    static const uint8_t bases[8] = {GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP,
                                     GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX};
    static const uint8_t indexes[8] = {GPR_RSI,     GPR_RDI,     GPR_RSI,     GPR_RDI,
                                       NO_REGISTER, NO_REGISTER, NO_REGISTER, NO_REGISTER};

    if (mod == 0 && rm == 6) {
        instruction->displacement = take_signed(cursor, 2);
        return;
    }
    instruction->base = bases[rm];
    instruction->index = indexes[rm];
    if (mod != 0) {
        instruction->displacement = take_signed(cursor, mod == 1 ? 1 : 2);
    }
    if (instruction->base == GPR_RBP) {
        instruction->segment = SEGMENT_SS;
    }
}

/* ModRM with 32- or 64-bit addressing: SDM vol. 2, tables 2-2 and 2-3. */
static inline void decode_address(struct cursor *cursor, enum cpu_bits bits, unsigned rex,
                                  unsigned mod, unsigned rm, struct instruction *instruction)
{
    unsigned base = rm;

    if (rm == 4) {
        uint8_t sib = take_byte(cursor);
        unsigned index = ((sib >> 3) & 7) | ((rex & REX_X) != 0 ? 8 : 0);

        base = sib & 7;
        if (index != GPR_RSP) {
            instruction->index = (uint8_t)index;
            instruction->scale_shift = sib >> 6;
        }
    }
    if (mod == 0 && base == 5) {
        instruction->rip_relative = bits == CPU_64_BIT && rm == 5;
        instruction->displacement = take_signed(cursor, 4);
        return;
    }
    base |= (rex & REX_B) != 0 ? 8 : 0;
    instruction->base = (uint8_t)base;
    if (base == GPR_RSP || base == GPR_RBP) {
        instruction->segment = SEGMENT_SS;
    }
    if (mod != 0) {
        instruction->displacement = take_signed(cursor, mod == 1 ? 1 : 4);
    }
}

/* Looks up the opcode whose first byte is `byte`; E_NONE if it is not known. */
static inline struct opcode find_opcode(struct cursor *cursor, enum cpu_bits bits, uint8_t byte,
                                        const struct instruction *instruction)
{
    static const struct opcode unknown = {OP_INVALID, E_NONE};

    if (byte != 0x0f) {
        /* 63 is ARPL outside 64-bit mode. */
        return byte == 0x63 && bits != CPU_64_BIT ? unknown : opcodes_one_byte[byte];
    }
    byte = take_byte(cursor);
    if (byte != 0x38) {
        return opcodes_two_byte[byte];
    }
    byte = take_byte(cursor);
    /* With F2 the same opcodes are CRC32. */
    if ((byte != 0xf0 && byte != 0xf1) || instruction->repeat != REPEAT_NONE) {
        return unknown;
    }
    return (struct opcode){OP_MOVBE, byte == 0xf0 ? E_RM : E_MR};
}

static inline void set_operand_size(const struct prefixes *prefixes, enum cpu_bits bits,
                                    struct opcode opcode, struct instruction *instruction)
{
    bool wide = bits != CPU_16_BIT;

    if ((opcode.encoding & F_BYTE) != 0) {
        instruction->operand_size = 1;
    } else if ((prefixes->rex & REX_W) != 0) {
        instruction->operand_size = 8;
    } else if (prefixes->operand_size == wide) {
        instruction->operand_size = 2;
    } else {
        instruction->operand_size = (opcode.encoding & F_STACK) != 0 && bits == CPU_64_BIT ? 8 : 4;
    }
    instruction->memory_size = instruction->operand_size;
    if ((opcode.encoding & F_DWORD_SOURCE) != 0) {
        uint8_t size = (uint8_t)(1u << (opcode.encoding / F_BYTE_SOURCE - 1));

        if (size < instruction->operand_size) {
            instruction->memory_size = size;
        }
    }
}

static inline uint8_t address_size(const struct prefixes *prefixes, enum cpu_bits bits)
{
    switch (bits) {
    case CPU_64_BIT:
        return prefixes->address_size ? 4 : 8;
    case CPU_32_BIT:
        return prefixes->address_size ? 2 : 4;
    default:
        return prefixes->address_size ? 4 : 2;
    }
}

/* ModRM and what follows it. False: a register operand, or an opcode that is not known. */
static inline bool decode_modrm(struct cursor *cursor, enum cpu_bits bits,
                                const struct prefixes *prefixes, struct opcode *opcode,
                                struct instruction *instruction)
{
    uint8_t modrm = take_byte(cursor);
    unsigned mod = modrm >> 6;
    unsigned reg = (modrm >> 3) & 7;

    if (opcode->encoding == E_GROUP) {
        *opcode = opcode_groups[opcode->operation][reg];
    }
    if (mod == 3 || opcode->operation == OP_INVALID) {
        return false;
    }
    if (instruction->address_size == 2) {
        decode_address_16(cursor, mod, modrm & 7, instruction);
    } else {
        decode_address(cursor, bits, prefixes->rex, mod, modrm & 7, instruction);
    }
    if ((opcode->encoding & F_BYTE) != 0 && prefixes->rex == 0 && reg >= 4) {
        instruction->high_byte = true;
        reg -= 4;
    }
    instruction->reg = (uint8_t)(reg | ((prefixes->rex & REX_R) != 0 ? 8 : 0));
    return true;
}

/* The rest of an instruction of the given encoding: immediate, and the form it has for execution.
 */
static inline void decode_form(struct cursor *cursor, unsigned kind,
                               struct instruction *instruction)
{
    switch (kind) {
    case E_MR:
        instruction->form = FORM_MEMORY_REGISTER;
        break;
    case E_RM:
        instruction->form = FORM_REGISTER_MEMORY;
        break;
    case E_M:
        instruction->form = FORM_MEMORY;
        break;
    case E_MI:
        instruction->form = FORM_MEMORY_IMMEDIATE;
        instruction->immediate = (uint64_t)take_signed(
            cursor, instruction->operand_size == 8 ? 4 : instruction->operand_size);
        break;
    case E_MB:
        instruction->form = FORM_MEMORY_IMMEDIATE;
        instruction->immediate = (uint64_t)take_signed(cursor, 1);
        break;
    case E_LOAD_OFFSET:
    case E_STORE_OFFSET:
        instruction->form = kind == E_LOAD_OFFSET ? FORM_REGISTER_MEMORY : FORM_MEMORY_REGISTER;
        instruction->reg = GPR_RAX;
        instruction->displacement = take_signed(cursor, instruction->address_size);
        break;
    default:
        instruction->form = FORM_STRING;
        break;
    }
}

static bool is_simple_move(const struct instruction *instruction)
{
    return instruction->operation == OP_MOV && instruction->operand_size >= 4 &&
           instruction->address_size == 8 && instruction->segment < SEGMENT_FS &&
           instruction->reg != GPR_RSP && instruction->base != GPR_RSP &&
           instruction->index == NO_REGISTER && !instruction->rip_relative;
}

enum decode_result decode_instruction(const uint8_t *bytes, unsigned count, enum cpu_bits bits,
                                      struct instruction *instruction)
{
    unsigned limit = count < INSTRUCTION_MAX ? count : INSTRUCTION_MAX;
    struct cursor cursor = {.next = bytes, .end = bytes + limit};
    struct prefixes prefixes = {.segment = NO_REGISTER};

    *instruction =
        (struct instruction){.segment = SEGMENT_DS, .base = NO_REGISTER, .index = NO_REGISTER};

    uint8_t first = take_prefixes(&cursor, bits, &prefixes, instruction);
    struct opcode opcode = find_opcode(&cursor, bits, first, instruction);
    bool known = opcode.encoding != E_NONE;

    instruction->address_size = address_size(&prefixes, bits);
    if (known && ((opcode.encoding & E_KIND) < E_LOAD_OFFSET || opcode.encoding == E_GROUP)) {
        known = decode_modrm(&cursor, bits, &prefixes, &opcode, instruction);
    }
    if (known) {
        set_operand_size(&prefixes, bits, opcode, instruction);
        instruction->operation = opcode.operation;
        decode_form(&cursor, opcode.encoding & E_KIND, instruction);
    }
    if (prefixes.segment != NO_REGISTER) {
        instruction->segment = prefixes.segment;
    }
    if (cursor.truncated) {
        return limit < INSTRUCTION_MAX ? DECODE_TRUNCATED : DECODE_UNKNOWN;
    }
    instruction->length = (uint8_t)(cursor.next - bytes);
    instruction->simple_move = is_simple_move(instruction);
    return known ? DECODE_OK : DECODE_UNKNOWN;
}
