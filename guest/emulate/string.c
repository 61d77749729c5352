#include "guest/emulate/alu.h"
#include "guest/emulate/execute.h"
#include "kernel/cpu/x86_defs.h"

/* A repeated string instruction under way: its registers, cut to the address size. */
struct string_state {
    struct emulate_context *context;
    const struct instruction *instruction;
    uint64_t source;      /* SI */
    uint64_t destination; /* DI */
    uint64_t count;       /* CX, 1 without a repeat prefix */
    uint64_t step;        /* one element on, by the direction flag */
    uint64_t rflags;
};

static bool resolve_source(struct string_state *state, struct linear_operand *operand)
{
    unsigned size = state->instruction->operand_size;
    uint64_t linear;

    return linear_address(state->context, state->instruction->segment, state->source, size, false,
                          &linear) &&
           linear_resolve(state->context, linear, size, 0, operand);
}

static bool resolve_destination(struct string_state *state, bool write,
                                struct linear_operand *operand)
{
    unsigned size = state->instruction->operand_size;
    uint64_t linear;

    return linear_address(state->context, SEGMENT_ES, state->destination, size, write, &linear) &&
           linear_resolve(state->context, linear, size, write ? PAGE_ACCESS_WRITE : 0, operand);
}

/* One iteration without its register updates; false after a fault. */
static bool execute_element(struct string_state *state)
{
    struct emulate_context *context = state->context;
    unsigned size = state->instruction->operand_size;
    enum operation operation = state->instruction->operation;
    struct linear_operand source;
    struct linear_operand destination;
    uint64_t value;

    if (operation == OP_STOS || operation == OP_SCAS) {
        value = vcpu_read_gpr(context->vcpu, GPR_RAX);
    } else if (!resolve_source(state, &source)) {
        return false;
    }
    if (operation != OP_LODS &&
        !resolve_destination(state, operation == OP_MOVS || operation == OP_STOS, &destination)) {
        return false;
    }
    if (operation != OP_STOS && operation != OP_SCAS) {
        value = linear_operand_read(context, &source);
    }
    switch (operation) {
    case OP_LODS:
        emulate_write_gpr(context->vcpu, GPR_RAX, size, value);
        break;
    case OP_CMPS:
    case OP_SCAS:
        alu_binary(OP_CMP, size, value, linear_operand_read(context, &destination), &state->rflags);
        break;
    default:
        linear_operand_write(context, &destination, value);
        break;
    }
    return true;
}

/* After a comparison, does the repeat prefix end the instruction? */
static bool comparison_ends(const struct string_state *state)
{
    bool equal = (state->rflags & RFLAGS_ZF) != 0;

    if (state->instruction->operation != OP_CMPS && state->instruction->operation != OP_SCAS) {
        return false;
    }
    return equal != (state->instruction->repeat == REPEAT_E);
}

static void write_back(const struct string_state *state)
{
    struct virt_vcpu *vcpu = state->context->vcpu;
    unsigned size = state->instruction->address_size;
    enum operation operation = state->instruction->operation;

    if (operation != OP_STOS && operation != OP_SCAS) {
        emulate_write_gpr(vcpu, GPR_RSI, size, state->source);
    }
    if (operation != OP_LODS) {
        emulate_write_gpr(vcpu, GPR_RDI, size, state->destination);
    }
    if (state->instruction->repeat != REPEAT_NONE) {
        emulate_write_gpr(vcpu, GPR_RCX, size, state->count);
    }
    if (state->rflags != state->context->mode.rflags) {
        virt->set_register(vcpu, REGISTER_RFLAGS, state->rflags);
    }
}

enum emulate_result execute_string(struct emulate_context *context,
                                   const struct instruction *instruction)
{
    unsigned size = instruction->address_size;
    uint64_t rflags = context->mode.rflags;
    bool repeat = instruction->repeat != REPEAT_NONE;
    bool trap = (rflags & RFLAGS_TF) != 0;
    unsigned budget = trap ? 1 : EMULATE_REPEAT_MAX;
    unsigned executed = 0;
    bool faulted = false;
    bool ended = false;
    struct string_state state = {
        .context = context,
        .instruction = instruction,
        .source = low_bytes(vcpu_read_gpr(context->vcpu, GPR_RSI), size),
        .destination = low_bytes(vcpu_read_gpr(context->vcpu, GPR_RDI), size),
        .count = repeat ? low_bytes(vcpu_read_gpr(context->vcpu, GPR_RCX), size) : 1,
        .step = (rflags & RFLAGS_DF) != 0 ? UINT64_C(0) - instruction->operand_size
                                          : instruction->operand_size,
        .rflags = rflags,
    };

    if (instruction->operation == OP_INS || instruction->operation == OP_OUTS) {
        return EMULATE_UNDECODABLE; /* on a port the guest owns; emulate_string_io has the others */
    }
    while (state.count > 0 && executed < budget && !ended) {
        faulted = !execute_element(&state);
        if (faulted) {
            break;
        }
        state.source = low_bytes(state.source + state.step, size);
        state.destination = low_bytes(state.destination + state.step, size);
        state.count--;
        executed++;
        ended = comparison_ends(&state);
    }
    if (executed > 0) {
        write_back(&state);
    }
    if (faulted) {
        return EMULATE_FAULT;
    }
    if (state.count == 0 || ended || !repeat) {
        virt->complete_instruction(context->vcpu, instruction->length);
    } else if (trap) {
        /* Each iteration of a repeated instruction is followed by a single-step trap. */
        virt->complete_instruction(context->vcpu, 0);
    }
    return EMULATE_DONE;
}
