/*
 * The emulator against the machine this test runs on: random instructions, registers and memory,
 * executed once by the CPU and once by the emulator (on RAM and on a device), must end alike.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/cpu/x86_defs.h"
#include "tests/unit/emulate/fake_cpu.h"
#include "tests/unit/emulate/native.h"
#include "tests/unit/support/cmocka.h"

#define DATA       UINT64_C(0x10000000)
#define DATA_SIZE  0x4000u
#define CODE       UINT64_C(0x20000000)
#define DATA_RAM   UINT64_C(0x200000)
#define CODE_RAM   UINT64_C(0x300000)
#define ITERATIONS 150000
#define STATUS     (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

enum shape { MEMORY_REGISTER, REGISTER_MEMORY, MEMORY, IMMEDIATE_8, IMMEDIATE, OFFSET, STRING };

/* One instruction by its encoding in the SDM, vol. 2. */
struct candidate {
    uint8_t opcode[3];
    uint8_t opcode_length;
    enum shape shape;
    uint8_t extension; /* the /digit */
    bool bytes;        /* operands of one byte */
    bool lockable;
    bool bit_string; /* reaches memory at a distance given by its register */
    bool stack;
    bool no_operand_prefix;
    uint64_t undefined; /* flags the SDM leaves undefined */
};

#define LOGIC_UNDEFINED RFLAGS_AF
#define BIT_UNDEFINED   (RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF)

static struct candidate candidates[256];
static unsigned candidate_count;

static struct candidate *add(enum shape shape, unsigned length, unsigned opcode)
{
    struct candidate *candidate = &candidates[candidate_count++];

    *candidate = (struct candidate){.shape = shape, .opcode_length = (uint8_t)length};
    for (unsigned i = 0; i < length; i++) {
        candidate->opcode[i] = (uint8_t)(opcode >> (8 * (length - 1 - i)));
    }
    return candidate;
}

/* An opcode pair: operands of one byte at `opcode`, wider ones at opcode + 1. */
static void add_pair(enum shape shape, unsigned length, unsigned opcode, unsigned extension,
                     bool lockable, uint64_t undefined)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct candidate *candidate = add(shape, length, opcode + wide);

        candidate->extension = (uint8_t)extension;
        candidate->bytes = wide == 0;
        candidate->lockable = lockable;
        candidate->undefined = undefined;
    }
}

static void list_candidates(void)
{
    for (unsigned i = 0; i < 8; i++) {
        bool logic = i == 1 || i == 4 || i == 6;
        uint64_t undefined = logic ? LOGIC_UNDEFINED : 0;

        add_pair(MEMORY_REGISTER, 1, 8 * i, 0, i != 7, undefined);
        add_pair(REGISTER_MEMORY, 1, 8 * i + 2, 0, false, undefined);
        add_pair(IMMEDIATE, 1, 0x80, i, i != 7, undefined);
        add(IMMEDIATE_8, 1, 0x83)->extension = (uint8_t)i;
        candidates[candidate_count - 1].undefined = undefined;
    }
    add_pair(MEMORY_REGISTER, 1, 0x84, 0, false, LOGIC_UNDEFINED);
    add_pair(MEMORY_REGISTER, 1, 0x86, 0, true, 0);
    add_pair(MEMORY_REGISTER, 1, 0x88, 0, false, 0);
    add_pair(REGISTER_MEMORY, 1, 0x8a, 0, false, 0);
    add_pair(OFFSET, 1, 0xa0, 0, false, 0);
    add_pair(OFFSET, 1, 0xa2, 0, false, 0);
    add_pair(IMMEDIATE, 1, 0xc6, 0, false, 0);
    add_pair(IMMEDIATE, 1, 0xf6, 0, false, LOGIC_UNDEFINED);
    add_pair(MEMORY, 1, 0xf6, 2, true, 0);
    add_pair(MEMORY, 1, 0xf6, 3, true, 0);
    add_pair(MEMORY, 1, 0xfe, 0, true, 0);
    add_pair(MEMORY, 1, 0xfe, 1, true, 0);
    add_pair(MEMORY_REGISTER, 2, 0x0fb0, 0, true, 0);
    add_pair(MEMORY_REGISTER, 2, 0x0fc0, 0, true, 0);
    for (unsigned i = 4; i < 8; i++) {
        struct candidate *candidate = add(IMMEDIATE_8, 2, 0x0fba);
        candidate->extension = (uint8_t)i;
        candidate->undefined = BIT_UNDEFINED;
        candidate->lockable = i != 4;
        candidate = add(MEMORY_REGISTER, 2, 0x0f83 + 8 * i);
        candidate->bit_string = true;
        candidate->undefined = BIT_UNDEFINED;
        candidate->lockable = i != 4;
    }
    add(REGISTER_MEMORY, 2, 0x0fb6);
    add(REGISTER_MEMORY, 2, 0x0fb7);
    add(REGISTER_MEMORY, 2, 0x0fbe);
    add(REGISTER_MEMORY, 2, 0x0fbf);
    add(REGISTER_MEMORY, 1, 0x63);
    add(MEMORY_REGISTER, 2, 0x0fc3)->no_operand_prefix = true;
    add(REGISTER_MEMORY, 3, 0x0f38f0);
    add(MEMORY_REGISTER, 3, 0x0f38f1);
    struct candidate *push = add(MEMORY, 1, 0xff);
    push->extension = 6;
    push->stack = true;
    add(MEMORY, 1, 0x8f)->stack = true;
    add_pair(STRING, 1, 0xa4, 0, false, 0);
    add_pair(STRING, 1, 0xa6, 0, false, 0);
    add_pair(STRING, 1, 0xaa, 0, false, 0);
    add_pair(STRING, 1, 0xac, 0, false, 0);
    add_pair(STRING, 1, 0xae, 0, false, 0);
}

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static bool chance(unsigned percent)
{
    return random_bits() % 100 < percent;
}

/* An instruction in the making. */
struct program {
    uint8_t bytes[16];
    unsigned length;
    uint64_t gpr[16];
    uint64_t target; /* linear address of the operand, 0 for strings */
};

static void emit(struct program *program, uint64_t value, unsigned size)
{
    memcpy(program->bytes + program->length, &value, size);
    program->length += size;
}

/* ModRM, SIB and displacement of a random form; registers are set so that they lead to `target`.
 * `after` bytes follow. False when the registers drawn cannot. */
static bool emit_operand(struct program *program, const struct candidate *candidate, unsigned rex,
                         bool narrow, unsigned reg, unsigned after)
{
    unsigned form = (unsigned)(random_bits() % 10);
    bool stack = candidate->stack;
    uint64_t offset_mask = narrow ? UINT32_MAX : UINT64_MAX;

    if (form == 0) { /* RIP-relative */
        uint64_t next = CODE + program->length + 5 + after;
        emit(program, reg << 3 | 5, 1);
        emit(program, (program->target - next) & UINT32_MAX, 4);
        return true;
    }
    unsigned base_low = (unsigned)(random_bits() % 8);
    unsigned base = base_low | ((rex & 1) != 0 ? 8 : 0);
    unsigned mod = (unsigned)(random_bits() % 3);
    int64_t displacement = 0;

    if (mod == 1) {
        displacement = (int64_t)(random_bits() % 256) - 128;
    } else if (mod == 2) {
        displacement = (int32_t)random_bits();
    }
    if (form < 5 && base_low != 4 && !(mod == 0 && base_low == 5)) { /* base alone */
        if ((candidate->bit_string && base == (reg | ((rex & 4) != 0 ? 8 : 0)))) {
            return false;
        }
        emit(program, mod << 6 | reg << 3 | base_low, 1);
        program->gpr[base] = (program->gpr[base] & ~offset_mask) |
                             ((program->target - (uint64_t)displacement) & offset_mask);
    } else {
        unsigned index_low = (unsigned)(random_bits() % 8);
        unsigned index = index_low | ((rex & 2) != 0 ? 8 : 0);
        unsigned scale = (unsigned)(random_bits() % 4);
        bool has_base = !(mod == 0 && base_low == 5);
        bool has_index = index != GPR_RSP;
        unsigned full_reg = reg | ((rex & 4) != 0 ? 8 : 0);

        if (!has_base) {
            displacement = (int32_t)(has_index ? random_bits() : program->target);
        }
        if ((has_base && has_index && base == index) ||
            (stack && base == GPR_RSP && (mod != 1 || has_index)) ||
            (candidate->bit_string &&
             ((has_base && base == full_reg) || (has_index && index == full_reg)))) {
            return false;
        }
        emit(program, mod << 6 | reg << 3 | 4, 1);
        emit(program, scale << 6 | index_low << 3 | base_low, 1);
        uint64_t rest = program->target - (uint64_t)displacement;
        if (has_base) {
            rest -= has_index ? program->gpr[index] << scale : 0;
            program->gpr[base] = (program->gpr[base] & ~offset_mask) | (rest & offset_mask);
        } else if (has_index) {
            if (!narrow || (rest & ((1u << scale) - 1)) != 0) {
                return false; /* in 64 bits the index cannot make up for any displacement */
            }
            program->gpr[index] =
                (program->gpr[index] & ~offset_mask) | ((rest & offset_mask) >> scale);
        }
        if (!has_base) {
            mod = 2;
        }
    }
    if (mod == 1) {
        emit(program, (uint64_t)displacement, 1);
    } else if (mod == 2) {
        emit(program, (uint64_t)displacement, 4);
    }
    return true;
}

static bool make_program(struct program *program, const struct candidate *candidate)
{
    static const uint8_t segments[4] = {0x26, 0x2e, 0x36, 0x3e};
    bool narrow = chance(20);
    bool operand_prefix = !candidate->no_operand_prefix && chance(30);
    bool string = candidate->shape == STRING;
    unsigned rex = chance(60) ? (unsigned)(0x40 | (random_bits() & 15)) : 0;
    unsigned size = candidate->bytes ? 1 : (rex & 8) != 0 ? 8 : operand_prefix ? 2 : 4;
    unsigned reg = (unsigned)(random_bits() % 8);
    unsigned immediate = candidate->shape == IMMEDIATE_8 ? 1
                         : candidate->shape == IMMEDIATE ? (size == 8 ? 4 : size)
                                                         : 0;

    program->length = 0;
    program->target = DATA + 0x1000 + random_bits() % 0x1000;
    if (chance(30)) { /* across two pages */
        program->target = DATA + 0x2000 - 1 - random_bits() % 7;
    }
    for (unsigned i = 0; i < 16; i++) {
        program->gpr[i] = random_bits();
    }
    if ((candidate->opcode[1] & 0xfe) == 0xb0 && chance(50)) { /* let CMPXCHG succeed */
        memcpy(&program->gpr[GPR_RAX], (const void *)program->target, 8);
    }
    program->gpr[GPR_RSP] = DATA + 0x1ff0 + random_bits() % 32;
    if (operand_prefix) {
        emit(program, 0x66, 1);
    }
    if (narrow) {
        emit(program, 0x67, 1);
    }
    if (chance(10)) {
        emit(program, segments[random_bits() % 4], 1);
    }
    if (candidate->lockable && chance(20)) {
        emit(program, 0xf0, 1);
    }
    if (string && chance(80)) {
        emit(program, chance(50) ? 0xf2 : 0xf3, 1);
    }
    if (rex != 0) {
        emit(program, rex, 1);
    }
    for (unsigned i = 0; i < candidate->opcode_length; i++) {
        emit(program, candidate->opcode[i], 1);
    }
    if (candidate->shape == OFFSET) {
        emit(program, program->target, narrow ? 4 : 8);
        return true;
    }
    if (string) {
        uint64_t high = narrow ? random_bits() << 32 : 0;
        program->gpr[GPR_RSI] = high | (DATA + 0x1f80 + random_bits() % 0x100);
        program->gpr[GPR_RDI] = high | (DATA + 0x1f80 + random_bits() % 0x100);
        program->gpr[GPR_RCX] = (high | random_bits() % 20);
        program->target = 0;
        return !narrow || (program->gpr[GPR_RCX] & 0xff) != 0; /* else the upper half may vary */
    }
    if (candidate->shape == MEMORY || immediate != 0) {
        reg = candidate->extension;
    }
    if (candidate->bit_string) {
        unsigned number = reg | ((rex & 4) != 0 ? 8 : 0);
        uint64_t mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
        uint64_t distance = random_bits() % 1024 - 512;
        program->gpr[number] = (program->gpr[number] & ~mask) | (distance & mask);
    }
    if (!emit_operand(program, candidate, rex, narrow, reg, immediate)) {
        return false;
    }
    emit(program, random_bits(), immediate);
    return program->length <= 15;
}

struct arena {
    struct fake_cpu *cpu;
    uint8_t *data; /* the CPU's */
    uint8_t *code;
};

static int set_up(void **state)
{
    static struct arena arena;
    int protection = PROT_READ | PROT_WRITE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

    arena.data = mmap((void *)DATA, DATA_SIZE, protection, flags, -1, 0);
    arena.code = mmap((void *)CODE, 4096, protection | PROT_EXEC, flags, -1, 0);
    assert_ptr_equal(arena.data, (void *)DATA);
    assert_ptr_equal(arena.code, (void *)CODE);
    arena.cpu = fake_cpu_create();
    list_candidates();
    fake_cpu_map(arena.cpu, CODE, CODE_RAM, 0x63);
    *state = &arena;
    return 0;
}

static int tear_down(void **state)
{
    struct arena *arena = *state;

    fake_cpu_destroy(arena->cpu);
    munmap(arena->data, DATA_SIZE);
    munmap(arena->code, 4096);
    return 0;
}

static void run_native(const struct arena *arena, const struct program *program, uint64_t rflags)
{
    void (*end)(void) = native_return;

    memcpy(arena->code, program->bytes, program->length);
    memcpy(arena->code + program->length, "\xff\x25\0\0\0\0", 6); /* jmp *0(%rip) */
    memcpy(arena->code + program->length + 6, &end, 8);
    memcpy(native.gpr, program->gpr, sizeof(native.gpr));
    native.rflags = rflags;
    native.code = CODE;
    native_run();
}

static void run_emulated(struct fake_cpu *cpu, const struct program *program, uint64_t rflags,
                         uint64_t data_phys)
{
    memcpy(fake_cpu_ram(cpu, CODE_RAM), program->bytes, program->length);
    memcpy(cpu->vcpu.gpr, program->gpr, sizeof(cpu->vcpu.gpr));
    cpu->registers[REGISTER_RSP] = program->gpr[GPR_RSP];
    cpu->registers[REGISTER_RFLAGS] = rflags;
    cpu->mode.rflags = rflags;
    cpu->mode.rip = CODE;
    cpu->completed = 0;
    cpu->context.guest_phys_valid = program->target != 0 && chance(50);
    cpu->context.guest_linear_valid = cpu->context.guest_phys_valid && chance(70);
    cpu->context.guest_phys = data_phys + (program->target - DATA);
    cpu->context.guest_linear = program->target;
    enum emulate_result result = emulate_instruction(&cpu->context);
    cpu->vcpu.gpr[GPR_RSP] = cpu->registers[REGISTER_RSP];
    assert_int_equal(result, EMULATE_DONE);
    assert_int_equal(cpu->completed, 1);
    assert_int_equal(cpu->completed_length, program->length);
}

static void show(const struct program *program, uint64_t rflags)
{
    for (unsigned i = 0; i < program->length; i++) {
        print_message("%02x ", program->bytes[i]);
    }
    print_message(" target %" PRIx64 " flags %" PRIx64 "\n", program->target, rflags);
}

/* Random bytes, in half of the memory of few values so that comparisons find equal ones. */
static void fill(uint8_t *data)
{
    for (unsigned i = 0; i < DATA_SIZE; i++) {
        uint64_t bits = random_bits();
        data[i] = (uint8_t)((i & 64) != 0 ? bits & 1 : bits);
    }
}

static void compare_runs(struct arena *arena, bool device)
{
    struct fake_cpu *cpu = arena->cpu;
    uint64_t data_phys = device ? FAKE_MMIO : DATA_RAM;
    uint8_t *emulated_data = device ? cpu->device : fake_cpu_ram(cpu, DATA_RAM);

    for (unsigned i = 0; i < DATA_SIZE; i += 4096) {
        fake_cpu_map(cpu, DATA + i, data_phys + i, 0x63);
    }
    fill(arena->data);
    memcpy(emulated_data, arena->data, DATA_SIZE);
    for (unsigned i = 0; i < ITERATIONS; i++) {
        const struct candidate *candidate = &candidates[i % candidate_count];
        uint64_t rflags = RFLAGS_FIXED1 | RFLAGS_IF | (random_bits() & STATUS) |
                          (candidate->shape == STRING && chance(50) ? RFLAGS_DF : 0);
        uint64_t compared = (STATUS | RFLAGS_DF) & ~candidate->undefined;
        struct program program;

        if (!make_program(&program, candidate)) {
            continue;
        }
        run_native(arena, &program, rflags);
        run_emulated(cpu, &program, rflags, data_phys);
        if (memcmp(native.gpr, cpu->vcpu.gpr, sizeof(native.gpr)) != 0 ||
            ((native.rflags ^ cpu->mode.rflags) & compared) != 0 ||
            memcmp(arena->data, emulated_data, DATA_SIZE) != 0) {
            show(&program, rflags);
            for (unsigned g = 0; g < 16; g++) {
                assert_int_equal(native.gpr[g], cpu->vcpu.gpr[g]);
            }
            assert_int_equal(native.rflags & compared, cpu->mode.rflags & compared);
            assert_memory_equal(arena->data, emulated_data, DATA_SIZE);
        }
        if ((i & 1023) == 0) {
            fill(arena->data);
            memcpy(emulated_data, arena->data, DATA_SIZE);
        }
    }
}

static void test_ram(void **state)
{
    compare_runs(*state, false);
}

static void test_device(void **state)
{
    compare_runs(*state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ram),
        cmocka_unit_test(test_device),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
