#include "guest/emulate/emulate.h"

#include "guest/emulate/execute.h"
#include "kernel/cpu/x86_defs.h"

#define PAGE_OFFSET 0xfffu

/* A simple move whose operand is where the exit said, in a device: the case that counts. False: not
 * done, take the general way. */
static inline bool move_simply(struct emulate_context *context,
                               const struct instruction *instruction)
{
    uint64_t *gpr = context->vcpu->gpr;
    uint64_t base = instruction->base == NO_REGISTER ? 0 : gpr[instruction->base];
    uint64_t linear = base + (uint64_t)instruction->displacement;
    unsigned size = instruction->operand_size;

    uint64_t guest_phys = context->guest_phys;

    if (!context->guest_phys_valid || ((linear ^ guest_phys) & PAGE_OFFSET) != 0 ||
        (context->guest_linear_valid && linear != context->guest_linear) ||
        (linear & PAGE_OFFSET) + size > PAGE_OFFSET + 1) {
        return false;
    }
    const struct mmio_range *range = mmio_bus_find(context->mmio, guest_phys);
    if (range == NULL || guest_phys + size - 1 > range->last) {
        return false;
    }
    uint64_t offset = guest_phys - range->first;
    if (instruction->form == FORM_REGISTER_MEMORY) {
        uint64_t value = range->read(range->device, offset, size);
        gpr[instruction->reg] = size == 4 ? (uint32_t)value : value;
    } else {
        uint64_t value = instruction->form == FORM_MEMORY_IMMEDIATE ? instruction->immediate
                                                                    : gpr[instruction->reg];
        range->write(range->device, offset, size, size == 4 ? (uint32_t)value : value);
    }
    return true;
}

static enum emulate_result execute(struct emulate_context *context,
                                   const struct instruction *instruction)
{
    enum emulate_result result;

    switch (instruction->form) {
    case FORM_REGISTER_MEMORY:
        result = execute_load(context, instruction);
        break;
    case FORM_MEMORY_REGISTER:
        result = execute_store(context, instruction);
        break;
    case FORM_MEMORY_IMMEDIATE:
        result = execute_immediate(context, instruction);
        break;
    case FORM_MEMORY:
        result = execute_unary(context, instruction);
        break;
    default:
        return execute_string(context, instruction);
    }
    if (result == EMULATE_DONE) {
        virt->complete_instruction(context->vcpu, instruction->length);
    }
    return result;
}

/* Kept out of line, so that simple moves save and restore no registers for its sake. */
static __attribute__((noinline)) enum emulate_result emulate_any(struct emulate_context *context)
{
    const struct instruction *instruction;
    enum emulate_result result;

    virt->get_mode(context->vcpu, &context->mode);
    result = emulate_fetch(context, &instruction);
    return result == EMULATE_DONE ? execute(context, instruction) : result;
}

enum emulate_result emulate_instruction(struct emulate_context *context)
{
    struct virt_code_place place;

    virt->get_code_place(context->vcpu, &place);
    const struct code_cache_entry *entry = code_cache_slot(context->code_cache, place.rip);
    if (__builtin_expect(code_cache_has_move(entry, &place), 1) &&
        move_simply(context, &entry->instruction)) {
        virt->complete_instruction(context->vcpu, entry->instruction.length);
        return EMULATE_DONE;
    }
    return emulate_any(context);
}

void emulate_deliver_fault(struct emulate_context *context)
{
    const struct emulate_fault *fault = &context->fault;

    if (fault->vector == EXCEPTION_PF) {
        virt->set_register(context->vcpu, REGISTER_CR2, fault->address);
    }
    virt->inject_exception(context->vcpu, fault->vector, fault->has_error_code, fault->error_code);
}
