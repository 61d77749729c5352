#include "guest/emulate/execute.h"

#include "guest/emulate/alu.h"
#include "kernel/cpu/x86_defs.h"

#define PAGE_OFFSET 0xfffu

/* Offset of the memory operand in its segment. */
static inline uint64_t effective_address(struct emulate_context *context,
                                         const struct instruction *instruction)
{
    uint64_t offset = (uint64_t)instruction->displacement;

    if (instruction->base != NO_REGISTER) {
        offset += vcpu_read_gpr(context->vcpu, instruction->base);
    }
    if (instruction->index != NO_REGISTER) {
        offset += vcpu_read_gpr(context->vcpu, instruction->index) << instruction->scale_shift;
    }
    if (instruction->rip_relative) {
        offset += context->mode.rip + instruction->length;
    }
    return low_bytes(offset, instruction->address_size);
}

static inline bool resolve_at(struct emulate_context *context,
                              const struct instruction *instruction, uint64_t offset, bool write,
                              struct linear_operand *operand)
{
    unsigned size = instruction->memory_size;
    uint64_t linear;

    /* The usual case: 64-bit mode, a flat segment, and the operand whose access made the CPU stop;
     * so it has been checked and translated just now. */
    if (__builtin_expect(context->guest_linear_valid && offset == context->guest_linear &&
                             instruction->segment < SEGMENT_FS &&
                             linear_cpu_bits(&context->mode) == CPU_64_BIT &&
                             (offset & PAGE_OFFSET) + size <= PAGE_OFFSET + 1,
                         1)) {
        operand->guest_phys = context->guest_phys;
        operand->size = (uint8_t)size;
        operand->first_size = (uint8_t)size;
        return true;
    }
    if (!linear_address(context, instruction->segment, offset, size, write, &linear)) {
        return false;
    }
    /* An exit may tell the physical address alone; with one operand in memory it is this one's. */
    if (context->guest_phys_valid && !context->guest_linear_valid &&
        ((context->guest_phys ^ linear) & PAGE_OFFSET) == 0 && instruction->form != FORM_MEMORY) {
        context->guest_linear_valid = true;
        context->guest_linear = linear;
    }
    return linear_resolve(context, linear, size, write ? PAGE_ACCESS_WRITE : 0, operand);
}

static inline bool resolve(struct emulate_context *context, const struct instruction *instruction,
                           bool write, struct linear_operand *operand)
{
    return resolve_at(context, instruction, effective_address(context, instruction), write,
                      operand);
}

static inline uint64_t read_register(struct emulate_context *context,
                                     const struct instruction *instruction)
{
    uint64_t value = vcpu_read_gpr(context->vcpu, instruction->reg);

    return low_bytes(instruction->high_byte ? value >> 8 : value, instruction->operand_size);
}

static inline void write_register(struct emulate_context *context,
                                  const struct instruction *instruction, uint64_t value)
{
    if (__builtin_expect(instruction->high_byte, 0)) {
        uint64_t old = vcpu_read_gpr(context->vcpu, instruction->reg);

        vcpu_write_gpr(context->vcpu, instruction->reg,
                       (old & ~UINT64_C(0xff00)) | (value & 0xff) << 8);
        return;
    }
    emulate_write_gpr(context->vcpu, instruction->reg, instruction->operand_size, value);
}

static void write_flags(struct emulate_context *context, uint64_t rflags)
{
    if (rflags != context->mode.rflags) {
        virt->set_register(context->vcpu, REGISTER_RFLAGS, rflags);
    }
}

static uint64_t swap_bytes(uint64_t value, unsigned size)
{
    return __builtin_bswap64(value) >> (64 - 8 * size);
}

/* register <- memory */
enum emulate_result execute_load(struct emulate_context *context,
                                 const struct instruction *instruction)
{
    unsigned unused_bits = 64 - 8u * instruction->memory_size;
    uint64_t rflags = context->mode.rflags;
    struct linear_operand operand;
    uint64_t value;

    if (!resolve(context, instruction, false, &operand)) {
        return EMULATE_FAULT;
    }
    value = linear_operand_read(context, &operand);
    switch (instruction->operation) {
    case OP_MOV:
    case OP_MOVZX:
        break;
    case OP_MOVSX:
        value = (uint64_t)((int64_t)(value << unused_bits) >> unused_bits);
        break;
    case OP_MOVBE:
        value = swap_bytes(value, instruction->operand_size);
        break;
    default:
        value = alu_binary(instruction->operation, instruction->operand_size,
                           read_register(context, instruction), value, &rflags);
        write_flags(context, rflags);
        if (instruction->operation == OP_CMP) {
            return EMULATE_DONE;
        }
        break;
    }
    write_register(context, instruction, value);
    return EMULATE_DONE;
}

/* CMPXCHG: SDM vol. 2. Memory is written in either case, as the bus sees it. */
static enum emulate_result compare_exchange(struct emulate_context *context,
                                            const struct instruction *instruction,
                                            const struct linear_operand *operand)
{
    unsigned size = instruction->operand_size;
    uint64_t rflags = context->mode.rflags;
    uint64_t old = linear_operand_read(context, operand);

    alu_binary(OP_CMP, size, vcpu_read_gpr(context->vcpu, GPR_RAX), old, &rflags);
    if ((rflags & RFLAGS_ZF) != 0) {
        linear_operand_write(context, operand, read_register(context, instruction));
    } else {
        linear_operand_write(context, operand, old);
        emulate_write_gpr(context->vcpu, GPR_RAX, size, old);
    }
    write_flags(context, rflags);
    return EMULATE_DONE;
}

/* BT and its kin with the bit's number in a register: any distance from the operand, either way. */
static enum emulate_result bit_by_register(struct emulate_context *context,
                                           const struct instruction *instruction)
{
    unsigned size = instruction->operand_size;
    unsigned unused_bits = 64 - 8 * size;
    uint64_t number = read_register(context, instruction);
    int64_t distance = (int64_t)(number << unused_bits) >> unused_bits;
    int64_t elements = distance >> (size == 8 ? 6 : size == 4 ? 5 : 4);
    uint64_t offset = effective_address(context, instruction) + (uint64_t)elements * size;
    uint64_t rflags = context->mode.rflags;
    struct linear_operand operand;

    if (!resolve_at(context, instruction, low_bytes(offset, instruction->address_size),
                    instruction->operation != OP_BT, &operand)) {
        return EMULATE_FAULT;
    }
    uint64_t value = alu_bit(instruction->operation, linear_operand_read(context, &operand),
                             (unsigned)number & (8 * size - 1), &rflags);
    if (instruction->operation != OP_BT) {
        linear_operand_write(context, &operand, value);
    }
    write_flags(context, rflags);
    return EMULATE_DONE;
}

/* memory <- register */
enum emulate_result execute_store(struct emulate_context *context,
                                  const struct instruction *instruction)
{
    unsigned size = instruction->operand_size;
    enum operation operation = instruction->operation;
    bool write = operation != OP_CMP && operation != OP_TEST;
    uint64_t rflags = context->mode.rflags;
    struct linear_operand operand;
    uint64_t old;
    uint64_t value;

    if (operation >= OP_BT && operation <= OP_BTC) {
        return bit_by_register(context, instruction);
    }
    if (!resolve(context, instruction, write, &operand)) {
        return EMULATE_FAULT;
    }
    switch (operation) {
    case OP_MOV:
        linear_operand_write(context, &operand, read_register(context, instruction));
        return EMULATE_DONE;
    case OP_MOVBE:
        linear_operand_write(context, &operand,
                             swap_bytes(read_register(context, instruction), size));
        return EMULATE_DONE;
    case OP_XCHG:
        old = linear_operand_read(context, &operand);
        linear_operand_write(context, &operand, read_register(context, instruction));
        write_register(context, instruction, old);
        return EMULATE_DONE;
    case OP_CMPXCHG:
        return compare_exchange(context, instruction, &operand);
    case OP_XADD:
        old = linear_operand_read(context, &operand);
        value = alu_binary(OP_ADD, size, old, read_register(context, instruction), &rflags);
        linear_operand_write(context, &operand, value);
        write_register(context, instruction, old);
        break;
    default:
        value = alu_binary(operation, size, linear_operand_read(context, &operand),
                           read_register(context, instruction), &rflags);
        if (write) {
            linear_operand_write(context, &operand, value);
        }
        break;
    }
    write_flags(context, rflags);
    return EMULATE_DONE;
}

/* memory <- immediate */
enum emulate_result execute_immediate(struct emulate_context *context,
                                      const struct instruction *instruction)
{
    unsigned size = instruction->operand_size;
    enum operation operation = instruction->operation;
    bool write = operation != OP_CMP && operation != OP_TEST && operation != OP_BT;
    uint64_t rflags = context->mode.rflags;
    struct linear_operand operand;
    uint64_t value;

    if (!resolve(context, instruction, write, &operand)) {
        return EMULATE_FAULT;
    }
    if (operation == OP_MOV) {
        linear_operand_write(context, &operand, instruction->immediate);
        return EMULATE_DONE;
    }
    value = linear_operand_read(context, &operand);
    if (operation >= OP_BT && operation <= OP_BTC) {
        value =
            alu_bit(operation, value, (unsigned)instruction->immediate & (8 * size - 1), &rflags);
    } else {
        value = alu_binary(operation, size, value, instruction->immediate, &rflags);
    }
    if (write) {
        linear_operand_write(context, &operand, value);
    }
    write_flags(context, rflags);
    return EMULATE_DONE;
}

/* Bytes of the stack pointer: 8 in 64-bit mode, else as the stack segment says. */
static unsigned stack_address_size(struct emulate_context *context)
{
    struct virt_segment_state state;

    if (linear_cpu_bits(&context->mode) == CPU_64_BIT) {
        return 8;
    }
    virt->get_segment(context->vcpu, SEGMENT_SS, &state);
    return (state.attributes & SEGMENT_DB) != 0 ? 4 : 2;
}

static enum emulate_result push_or_pop(struct emulate_context *context,
                                       const struct instruction *instruction)
{
    bool push = instruction->operation == OP_PUSH;
    unsigned size = instruction->operand_size;
    unsigned pointer_size = stack_address_size(context);
    uint64_t old = vcpu_read_gpr(context->vcpu, GPR_RSP);
    uint64_t top = low_bytes(push ? old - size : old, pointer_size);
    uint64_t linear;
    struct linear_operand stack;
    struct linear_operand operand;

    if (!linear_address(context, SEGMENT_SS, top, size, push, &linear) ||
        !linear_resolve(context, linear, size, push ? PAGE_ACCESS_WRITE : 0, &stack)) {
        return EMULATE_FAULT;
    }
    /* POP computes an address by RSP after it has moved RSP (SDM vol. 2). */
    emulate_write_gpr(context->vcpu, GPR_RSP, pointer_size, push ? top : top + size);
    if (push) {
        uint64_t offset = effective_address(context, instruction);

        offset += instruction->base == GPR_RSP ? old - vcpu_read_gpr(context->vcpu, GPR_RSP) : 0;
        if (resolve_at(context, instruction, low_bytes(offset, instruction->address_size), false,
                       &operand)) {
            linear_operand_write(context, &stack, linear_operand_read(context, &operand));
            return EMULATE_DONE;
        }
    } else if (resolve(context, instruction, true, &operand)) {
        linear_operand_write(context, &operand, linear_operand_read(context, &stack));
        return EMULATE_DONE;
    }
    vcpu_write_gpr(context->vcpu, GPR_RSP, old);
    return EMULATE_FAULT;
}

enum emulate_result execute_unary(struct emulate_context *context,
                                  const struct instruction *instruction)
{
    uint64_t rflags = context->mode.rflags;
    struct linear_operand operand;

    if (instruction->operation == OP_PUSH || instruction->operation == OP_POP) {
        return push_or_pop(context, instruction);
    }
    if (!resolve(context, instruction, true, &operand)) {
        return EMULATE_FAULT;
    }
    linear_operand_write(context, &operand,
                         alu_unary(instruction->operation, instruction->operand_size,
                                   linear_operand_read(context, &operand), &rflags));
    write_flags(context, rflags);
    return EMULATE_DONE;
}
