#include "guest/emulate/opcodes.h"

#include "guest/emulate/decode.h"

#define ARITHMETIC(encoding)                                                               \
    {OP_ADD, (encoding)}, {OP_OR, (encoding)}, {OP_ADC, (encoding)}, {OP_SBB, (encoding)}, \
        {OP_AND, (encoding)}, {OP_SUB, (encoding)}, {OP_XOR, (encoding)},                  \
    {                                                                                      \
        OP_CMP, (encoding)                                                                 \
    }

const struct opcode opcode_groups[][8] = {
    [GROUP_80] = {ARITHMETIC(E_MB | F_BYTE)},
    [GROUP_81] = {ARITHMETIC(E_MI)},
    [GROUP_83] = {ARITHMETIC(E_MB)},
    [GROUP_8F] = {{OP_POP, E_M | F_STACK}},
    [GROUP_C6] = {{OP_MOV, E_MB | F_BYTE}},
    [GROUP_C7] = {{OP_MOV, E_MI}},
    [GROUP_F6] = {{OP_TEST, E_MB | F_BYTE},
                  {OP_TEST, E_MB | F_BYTE},
                  {OP_NOT, E_M | F_BYTE},
                  {OP_NEG, E_M | F_BYTE}},
    [GROUP_F7] = {{OP_TEST, E_MI}, {OP_TEST, E_MI}, {OP_NOT, E_M}, {OP_NEG, E_M}},
    [GROUP_FE] = {{OP_INC, E_M | F_BYTE}, {OP_DEC, E_M | F_BYTE}},
    [GROUP_FF] = {{OP_INC, E_M}, {OP_DEC, E_M}, [6] = {OP_PUSH, E_M | F_STACK}},
    [GROUP_0F_BA] = {[4] = {OP_BT, E_MB}, {OP_BTS, E_MB}, {OP_BTR, E_MB}, {OP_BTC, E_MB}},
};

#define ARITHMETIC_ROW(first, operation)                                           \
    [(first)] = {(operation), E_MR | F_BYTE}, [(first) + 1] = {(operation), E_MR}, \
    [(first) + 2] = {(operation), E_RM | F_BYTE}, [(first) + 3] = {(operation), E_RM}

const struct opcode opcodes_one_byte[256] = {
    ARITHMETIC_ROW(0x00, OP_ADD),
    ARITHMETIC_ROW(0x08, OP_OR),
    ARITHMETIC_ROW(0x10, OP_ADC),
    ARITHMETIC_ROW(0x18, OP_SBB),
    ARITHMETIC_ROW(0x20, OP_AND),
    ARITHMETIC_ROW(0x28, OP_SUB),
    ARITHMETIC_ROW(0x30, OP_XOR),
    ARITHMETIC_ROW(0x38, OP_CMP),
    [0x63] = {OP_MOVSX, E_RM | F_DWORD_SOURCE},
    [0x6c] = {OP_INS, E_STRING | F_BYTE},
    [0x6d] = {OP_INS, E_STRING},
    [0x6e] = {OP_OUTS, E_STRING | F_BYTE},
    [0x6f] = {OP_OUTS, E_STRING},
    [0x80] = {GROUP_80, E_GROUP},
    [0x81] = {GROUP_81, E_GROUP},
    [0x83] = {GROUP_83, E_GROUP},
    [0x84] = {OP_TEST, E_MR | F_BYTE},
    [0x85] = {OP_TEST, E_MR},
    [0x86] = {OP_XCHG, E_MR | F_BYTE},
    [0x87] = {OP_XCHG, E_MR},
    [0x88] = {OP_MOV, E_MR | F_BYTE},
    [0x89] = {OP_MOV, E_MR},
    [0x8a] = {OP_MOV, E_RM | F_BYTE},
    [0x8b] = {OP_MOV, E_RM},
    [0x8f] = {GROUP_8F, E_GROUP},
    [0xa0] = {OP_MOV, E_LOAD_OFFSET | F_BYTE},
    [0xa1] = {OP_MOV, E_LOAD_OFFSET},
    [0xa2] = {OP_MOV, E_STORE_OFFSET | F_BYTE},
    [0xa3] = {OP_MOV, E_STORE_OFFSET},
    [0xa4] = {OP_MOVS, E_STRING | F_BYTE},
    [0xa5] = {OP_MOVS, E_STRING},
    [0xa6] = {OP_CMPS, E_STRING | F_BYTE},
    [0xa7] = {OP_CMPS, E_STRING},
    [0xaa] = {OP_STOS, E_STRING | F_BYTE},
    [0xab] = {OP_STOS, E_STRING},
    [0xac] = {OP_LODS, E_STRING | F_BYTE},
    [0xad] = {OP_LODS, E_STRING},
    [0xae] = {OP_SCAS, E_STRING | F_BYTE},
    [0xaf] = {OP_SCAS, E_STRING},
    [0xc6] = {GROUP_C6, E_GROUP},
    [0xc7] = {GROUP_C7, E_GROUP},
    [0xf6] = {GROUP_F6, E_GROUP},
    [0xf7] = {GROUP_F7, E_GROUP},
    [0xfe] = {GROUP_FE, E_GROUP},
    [0xff] = {GROUP_FF, E_GROUP},
};

const struct opcode opcodes_two_byte[256] = {
    [0xa3] = {OP_BT, E_MR},
    [0xab] = {OP_BTS, E_MR},
    [0xb0] = {OP_CMPXCHG, E_MR | F_BYTE},
    [0xb1] = {OP_CMPXCHG, E_MR},
    [0xb3] = {OP_BTR, E_MR},
    [0xb6] = {OP_MOVZX, E_RM | F_BYTE_SOURCE},
    [0xb7] = {OP_MOVZX, E_RM | F_WORD_SOURCE},
    [0xba] = {GROUP_0F_BA, E_GROUP},
    [0xbb] = {OP_BTC, E_MR},
    [0xbe] = {OP_MOVSX, E_RM | F_BYTE_SOURCE},
    [0xbf] = {OP_MOVSX, E_RM | F_WORD_SOURCE},
    [0xc0] = {OP_XADD, E_MR | F_BYTE},
    [0xc1] = {OP_XADD, E_MR},
    [0xc3] = {OP_MOV, E_MR}, /* MOVNTI */
};
