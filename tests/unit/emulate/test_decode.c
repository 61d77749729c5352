#include <stdlib.h>
#include <string.h>

#include "guest/emulate/decode.h"
#include "tests/unit/support/cmocka.h"

#define NONE NO_REGISTER
#define B16  CPU_16_BIT
#define B32  CPU_32_BIT
#define B64  CPU_64_BIT

/* Instruction bytes, as an assembler gives them, and what they mean. */
struct expected {
    const char *bytes;
    unsigned length;
    enum cpu_bits bits;
    enum operation operation;
    enum operand_form form;
    uint8_t operand_size;
    uint8_t memory_size;
    uint8_t address_size;
    uint8_t segment;
    uint8_t reg;
    uint8_t base;
    uint8_t index;
    uint8_t scale_shift;
    int64_t displacement;
    uint64_t immediate;
};

#define BYTES(text) text, sizeof(text) - 1

static const struct expected table[] = {
    /* mov [rdi+0x10], eax */
    {BYTES("\x89\x47\x10"), B64, OP_MOV, FORM_MEMORY_REGISTER, 4, 4, 8, SEGMENT_DS, GPR_RAX,
     GPR_RDI, NONE, 0, 0x10, 0},
    /* mov r15, [r13+r14*8-0x80] */
    {BYTES("\x4f\x8b\x7c\xf5\x80"), B64, OP_MOV, FORM_REGISTER_MEMORY, 8, 8, 8, SEGMENT_DS, GPR_R15,
     GPR_R13, GPR_R14, 3, -0x80, 0},
    /* mov ax, gs:[0x12345678] (SIB without base and index) */
    {BYTES("\x65\x66\x8b\x04\x25\x78\x56\x34\x12"), B64, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 8,
     SEGMENT_GS, GPR_RAX, NONE, NONE, 0, 0x12345678, 0},
    /* mov ecx, [rip-4] */
    {BYTES("\x8b\x0d\xfc\xff\xff\xff"), B64, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 8, SEGMENT_DS,
     GPR_RCX, NONE, NONE, 0, -4, 0},
    /* the same bytes in 32-bit mode: mov ecx, [0xfffffffc] */
    {BYTES("\x8b\x0d\xfc\xff\xff\xff"), B32, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 4, SEGMENT_DS,
     GPR_RCX, NONE, NONE, 0, -4, 0},
    /* mov qword [rbp+0], -2 */
    {BYTES("\x48\xc7\x45\x00\xfe\xff\xff\xff"), B64, OP_MOV, FORM_MEMORY_IMMEDIATE, 8, 8, 8,
     SEGMENT_SS, 0, GPR_RBP, NONE, 0, 0, (uint64_t)-2},
    /* mov byte [rsp], 0x80 */
    {BYTES("\xc6\x04\x24\x80"), B64, OP_MOV, FORM_MEMORY_IMMEDIATE, 1, 1, 8, SEGMENT_SS, 0, GPR_RSP,
     NONE, 0, 0, (uint64_t)-128},
    /* mov eax, [0x1122334455667788]; 32-bit mode and address size 16 of the same */
    {BYTES("\xa1\x88\x77\x66\x55\x44\x33\x22\x11"), B64, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 8,
     SEGMENT_DS, GPR_RAX, NONE, NONE, 0, 0x1122334455667788, 0},
    {BYTES("\xa1\x00\x00\xc0\xfe"), B32, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 4, SEGMENT_DS, GPR_RAX,
     NONE, NONE, 0, (int32_t)0xfec00000, 0},
    {BYTES("\x67\xa2\x34\x12"), B32, OP_MOV, FORM_MEMORY_REGISTER, 1, 1, 2, SEGMENT_DS, GPR_RAX,
     NONE, NONE, 0, 0x1234, 0},
    /* 32-bit mode: add [ebx+esi*2], ecx; 40-4f are no REX */
    {BYTES("\x01\x0c\x73"), B32, OP_ADD, FORM_MEMORY_REGISTER, 4, 4, 4, SEGMENT_DS, GPR_RCX,
     GPR_RBX, GPR_RSI, 1, 0, 0},
    /* 16-bit mode: all eight forms of addressing */
    {BYTES("\x8b\x00"), B16, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 2, SEGMENT_DS, GPR_RAX, GPR_RBX,
     GPR_RSI, 0, 0, 0},
    {BYTES("\x8b\x01"), B16, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 2, SEGMENT_DS, GPR_RAX, GPR_RBX,
     GPR_RDI, 0, 0, 0},
    {BYTES("\x8b\x42\xff"), B16, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 2, SEGMENT_SS, GPR_RAX,
     GPR_RBP, GPR_RSI, 0, -1, 0},
    {BYTES("\x8b\x43\x7f"), B16, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 2, SEGMENT_SS, GPR_RAX,
     GPR_RBP, GPR_RDI, 0, 127, 0},
    {BYTES("\x8b\x84\x00\x80"), B16, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 2, SEGMENT_DS, GPR_RAX,
     GPR_RSI, NONE, 0, -0x8000, 0},
    {BYTES("\x8b\x05"), B16, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 2, SEGMENT_DS, GPR_RAX, GPR_RDI,
     NONE, 0, 0, 0},
    {BYTES("\x8b\x06\x34\x12"), B16, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 2, SEGMENT_DS, GPR_RAX,
     NONE, NONE, 0, 0x1234, 0},
    {BYTES("\x8b\x46\x00"), B16, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 2, SEGMENT_SS, GPR_RAX,
     GPR_RBP, NONE, 0, 0, 0},
    {BYTES("\x8b\x07"), B16, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 2, SEGMENT_DS, GPR_RAX, GPR_RBX,
     NONE, 0, 0, 0},
    /* 16-bit mode with both sizes overridden: mov es:[eax+4], 0x11223344 */
    {BYTES("\x26\x66\x67\xc7\x40\x04\x44\x33\x22\x11"), B16, OP_MOV, FORM_MEMORY_IMMEDIATE, 4, 4, 4,
     SEGMENT_ES, 0, GPR_RAX, NONE, 0, 4, 0x11223344},
    /* the last segment prefix counts; ES and its like do not in 64-bit mode */
    {BYTES("\x64\x2e\x8b\x07"), B32, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 4, SEGMENT_CS, GPR_RAX,
     GPR_RDI, NONE, 0, 0, 0},
    {BYTES("\x64\x2e\x8b\x07"), B64, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 8, SEGMENT_FS, GPR_RAX,
     GPR_RDI, NONE, 0, 0, 0},
    {BYTES("\x26\x8b\x07"), B64, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 8, SEGMENT_DS, GPR_RAX,
     GPR_RDI, NONE, 0, 0, 0},
    /* REX that is not right before the opcode is void: mov ax, [rdi]; a second REX replaces it */
    {BYTES("\x48\x66\x8b\x07"), B64, OP_MOV, FORM_REGISTER_MEMORY, 2, 2, 8, SEGMENT_DS, GPR_RAX,
     GPR_RDI, NONE, 0, 0, 0},
    {BYTES("\x48\x41\x8b\x07"), B64, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 8, SEGMENT_DS, GPR_RAX,
     GPR_R15, NONE, 0, 0, 0},
    /* addr32 mov r8d, [r9d+esp*?]: index 4 without REX.X is none; with it, R12 */
    {BYTES("\x67\x45\x8b\x04\x21"), B64, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 4, SEGMENT_DS, GPR_R8,
     GPR_R9, NONE, 0, 0, 0},
    {BYTES("\x47\x8b\x04\xa1"), B64, OP_MOV, FORM_REGISTER_MEMORY, 4, 4, 8, SEGMENT_DS, GPR_R8,
     GPR_R9, GPR_R12, 2, 0, 0},
    /* movzx edx, byte [rsi]; movsx rdx, word [rsi]; movsxd rax, [rsi]; movzx dx, byte [rsi] */
    {BYTES("\x0f\xb6\x16"), B64, OP_MOVZX, FORM_REGISTER_MEMORY, 4, 1, 8, SEGMENT_DS, GPR_RDX,
     GPR_RSI, NONE, 0, 0, 0},
    {BYTES("\x48\x0f\xbf\x16"), B64, OP_MOVSX, FORM_REGISTER_MEMORY, 8, 2, 8, SEGMENT_DS, GPR_RDX,
     GPR_RSI, NONE, 0, 0, 0},
    {BYTES("\x48\x63\x06"), B64, OP_MOVSX, FORM_REGISTER_MEMORY, 8, 4, 8, SEGMENT_DS, GPR_RAX,
     GPR_RSI, NONE, 0, 0, 0},
    {BYTES("\x66\x0f\xb6\x16"), B64, OP_MOVZX, FORM_REGISTER_MEMORY, 2, 1, 8, SEGMENT_DS, GPR_RDX,
     GPR_RSI, NONE, 0, 0, 0},
    /* or dword [rax], imm8 sign-extended; and [rax], imm32; lock btr [rdi], 5; test byte [rdi], 1
     */
    {BYTES("\x83\x08\xf0"), B64, OP_OR, FORM_MEMORY_IMMEDIATE, 4, 4, 8, SEGMENT_DS, 1, GPR_RAX,
     NONE, 0, 0, (uint64_t)-16},
    {BYTES("\x81\x20\x00\xff\x00\xff"), B32, OP_AND, FORM_MEMORY_IMMEDIATE, 4, 4, 4, SEGMENT_DS, 4,
     GPR_RAX, NONE, 0, 0, 0xffffffffff00ff00},
    {BYTES("\xf0\x0f\xba\x37\x05"), B64, OP_BTR, FORM_MEMORY_IMMEDIATE, 4, 4, 8, SEGMENT_DS, 6,
     GPR_RDI, NONE, 0, 0, 5},
    {BYTES("\xf6\x07\x01"), B64, OP_TEST, FORM_MEMORY_IMMEDIATE, 1, 1, 8, SEGMENT_DS, 0, GPR_RDI,
     NONE, 0, 0, 1},
    /* 16-bit immediate with a 66 prefix */
    {BYTES("\x66\xc7\x07\x34\x12"), B64, OP_MOV, FORM_MEMORY_IMMEDIATE, 2, 2, 8, SEGMENT_DS, 0,
     GPR_RDI, NONE, 0, 0, 0x1234},
    /* push qword [rax]; push word [rax]; push dword [eax] */
    {BYTES("\xff\x30"), B64, OP_PUSH, FORM_MEMORY, 8, 8, 8, SEGMENT_DS, 6, GPR_RAX, NONE, 0, 0, 0},
    {BYTES("\x66\xff\x30"), B64, OP_PUSH, FORM_MEMORY, 2, 2, 8, SEGMENT_DS, 6, GPR_RAX, NONE, 0, 0,
     0},
    {BYTES("\xff\x30"), B32, OP_PUSH, FORM_MEMORY, 4, 4, 4, SEGMENT_DS, 6, GPR_RAX, NONE, 0, 0, 0},
    /* rep movsd; fs lodsb; movbe eax, [rcx] */
    {BYTES("\xf3\xa5"), B64, OP_MOVS, FORM_STRING, 4, 4, 8, SEGMENT_DS, 0, NONE, NONE, 0, 0, 0},
    {BYTES("\x64\xac"), B16, OP_LODS, FORM_STRING, 1, 1, 2, SEGMENT_FS, 0, NONE, NONE, 0, 0, 0},
    {BYTES("\x0f\x38\xf0\x01"), B64, OP_MOVBE, FORM_REGISTER_MEMORY, 4, 4, 8, SEGMENT_DS, GPR_RAX,
     GPR_RCX, NONE, 0, 0, 0},
    /* rep insw, rep outsd */
    {BYTES("\xf3\x66\x6d"), B32, OP_INS, FORM_STRING, 2, 2, 4, SEGMENT_DS, 0, NONE, NONE, 0, 0, 0},
    {BYTES("\x2e\xf3\x67\x6f"), B32, OP_OUTS, FORM_STRING, 4, 4, 2, SEGMENT_CS, 0, NONE, NONE, 0, 0,
     0},
};

static enum decode_result decode(const char *bytes, unsigned length, enum cpu_bits bits,
                                 struct instruction *instruction)
{
    return decode_instruction((const uint8_t *)bytes, length, bits, instruction);
}

static void test_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct expected *expected = &table[i];
        struct instruction got;
        enum decode_result result = decode(expected->bytes, expected->length, expected->bits, &got);

        if (result != DECODE_OK || got.operation != expected->operation) {
            print_message("entry %u\n", i);
        }
        assert_int_equal(result, DECODE_OK);
        assert_int_equal(got.length, expected->length);
        assert_int_equal(got.operation, expected->operation);
        assert_int_equal(got.form, expected->form);
        assert_int_equal(got.operand_size, expected->operand_size);
        assert_int_equal(got.memory_size, expected->memory_size);
        assert_int_equal(got.address_size, expected->address_size);
        assert_int_equal(got.segment, expected->segment);
        assert_int_equal(got.reg, expected->reg);
        assert_int_equal(got.base, expected->base);
        assert_int_equal(got.index, expected->index);
        assert_int_equal(got.scale_shift, expected->scale_shift);
        assert_int_equal(got.displacement, expected->displacement);
        assert_int_equal(got.immediate, expected->immediate);
    }
}

/* Every prefix of an instruction is too short; nothing beyond it is looked at. */
static void test_truncated(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (unsigned length = 0; length < table[i].length; length++) {
            /* On the heap, so that the sanitizer sees a read past the end. */
            uint8_t *bytes = malloc(length + 1);
            struct instruction got;

            memcpy(bytes + 1, table[i].bytes, length);
            assert_int_equal(decode_instruction(bytes + 1, length, table[i].bits, &got),
                             DECODE_TRUNCATED);
            free(bytes);
        }
    }
}

static void test_flags(void **state)
{
    struct instruction got;

    (void)state;
    assert_int_equal(decode(BYTES("\x8b\x0d\xfc\xff\xff\xff"), B64, &got), DECODE_OK);
    assert_true(got.rip_relative);
    assert_int_equal(decode(BYTES("\x8b\x0d\xfc\xff\xff\xff"), B32, &got), DECODE_OK);
    assert_false(got.rip_relative);
    /* mov [rdi], ah; with REX it is SPL */
    assert_int_equal(decode(BYTES("\x88\x27"), B64, &got), DECODE_OK);
    assert_true(got.high_byte);
    assert_int_equal(got.reg, GPR_RAX);
    assert_int_equal(decode(BYTES("\x40\x88\x27"), B64, &got), DECODE_OK);
    assert_false(got.high_byte);
    assert_int_equal(got.reg, GPR_RSP);
    /* only byte operands have high halves */
    assert_int_equal(decode(BYTES("\x89\x27"), B64, &got), DECODE_OK);
    assert_false(got.high_byte);
    assert_int_equal(decode(BYTES("\xf0\x0f\xba\x37\x05"), B64, &got), DECODE_OK);
    assert_true(got.lock);
    assert_int_equal(decode(BYTES("\xf3\xa5"), B64, &got), DECODE_OK);
    assert_int_equal(got.repeat, REPEAT_E);
    assert_int_equal(decode(BYTES("\xf2\xa7"), B64, &got), DECODE_OK);
    assert_int_equal(got.repeat, REPEAT_NE);
}

static void test_unknown(void **state)
{
    static const struct {
        const char *bytes;
        unsigned length;
        enum cpu_bits bits;
    } unknown[] = {
        {BYTES("\x89\xc0"), B64},             /* register operand */
        {BYTES("\x0f\x6f\x07"), B64},         /* movq mm0, [rdi] */
        {BYTES("\x66\x0f\x7f\x07"), B64},     /* movdqa [rdi], xmm0 */
        {BYTES("\xf6\x27"), B64},             /* mul byte [rdi] */
        {BYTES("\xff\x27"), B64},             /* jmp [rdi] */
        {BYTES("\xc6\x4f\x00\x00"), B64},     /* c6 /1 */
        {BYTES("\x8f\x4f\x00"), B64},         /* 8f /1 */
        {BYTES("\x63\x07"), B32},             /* arpl [edi], ax */
        {BYTES("\x0f\xba\x07\x01"), B64},     /* 0f ba /0 */
        {BYTES("\xf2\x0f\x38\xf0\x07"), B64}, /* crc32 */
        {BYTES("\x0f\x38\x00\x07"), B64},
        {BYTES("\xc5\xf8\x77\x00"), B64}, /* vzeroupper */
        {BYTES("\x90"), B64},
    };
    struct instruction got;

    (void)state;
    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_int_equal(decode(unknown[i].bytes, unknown[i].length, unknown[i].bits, &got),
                         DECODE_UNKNOWN);
    }
    /* 15 bytes are the limit: thirteen prefixes and mov [rdi], eax fit, fourteen do not. */
    uint8_t prefixes[16];
    memset(prefixes, 0x66, sizeof(prefixes));
    prefixes[13] = 0x89;
    prefixes[14] = 0x07;
    assert_int_equal(decode_instruction(prefixes, 16, B64, &got), DECODE_OK);
    prefixes[14] = 0x89;
    prefixes[15] = 0x07;
    prefixes[13] = 0x66;
    assert_int_equal(decode_instruction(prefixes, 16, B64, &got), DECODE_UNKNOWN);
}

/* No bytes may make the decoder read past their end or give a form the emulator cannot trust. */
static void test_random_bytes(void **state)
{
    uint64_t seed = 88172645463325252u;
    unsigned decoded = 0;

    (void)state;
    for (unsigned i = 0; i < 2000000; i++) {
        uint8_t bytes[INSTRUCTION_MAX];
        struct instruction got;

        for (unsigned b = 0; b < INSTRUCTION_MAX; b++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes[b] = (uint8_t)seed;
        }
        if (decode_instruction(bytes, i % 16, (enum cpu_bits)(i % 3), &got) != DECODE_OK) {
            continue;
        }
        decoded++;
        assert_in_range(got.length, 1, i % 16);
        assert_in_range(got.operation, OP_ADD, OP_OUTS);
        assert_true(got.reg < GPR_COUNT);
        assert_true(got.base < GPR_COUNT || got.base == NO_REGISTER);
        assert_true(got.index < GPR_COUNT || got.index == NO_REGISTER);
        assert_true(got.segment <= SEGMENT_GS);
        assert_int_equal(__builtin_popcount(got.operand_size), 1);
        assert_int_equal(__builtin_popcount(got.memory_size), 1);
        assert_true(got.operand_size <= 8 && got.memory_size <= got.operand_size);
        assert_true(got.address_size == 2 || got.address_size == 4 || got.address_size == 8);
    }
    assert_true(decoded > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flags),        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
