#include "guest/emulate/emulate.h"

#include <string.h>

#include "guest/emulate/execute.h"
#include "kernel/cpu/x86_defs.h"

#define PAGE_SIZE 4096u

/* Appends what one page holds of the instruction to context->bytes; false after a fault. Code that
 * is not in RAM adds nothing. */
static inline bool fetch_page(struct emulate_context *context, uint64_t linear)
{
    unsigned room = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));
    unsigned wanted = INSTRUCTION_MAX - context->byte_count;
    uint32_t access = PAGE_ACCESS_FETCH | (context->mode.cpl == 3 ? PAGE_ACCESS_USER : 0);
    struct page_walk_result walk =
        page_walk(context->memory, &context->mode, context->physical_bits, linear, access);

    if (__builtin_expect(walk.fault, 0)) {
        context->fault = (struct emulate_fault){.vector = EXCEPTION_PF,
                                                .has_error_code = true,
                                                .error_code = walk.error_code,
                                                .address = linear};
        return false;
    }
    if (__builtin_expect(room > INSTRUCTION_MAX && context->byte_count == 0, 1)) {
        /* A constant size is two moves. */
        const void *code =
            guest_memory_pointer(context->memory, walk.guest_phys, INSTRUCTION_MAX + 1);
        if (code != NULL) {
            memcpy(context->bytes, code, INSTRUCTION_MAX + 1);
            context->byte_count = INSTRUCTION_MAX;
        }
        return true;
    }
    unsigned part = wanted < room ? wanted : room;
    const void *code = guest_memory_pointer(context->memory, walk.guest_phys, part);
    if (code != NULL) {
        memcpy(context->bytes + context->byte_count, code, part);
        context->byte_count = (uint8_t)(context->byte_count + part);
    }
    return true;
}

enum emulate_result emulate_fetch(struct emulate_context *context, struct instruction *instruction)
{
    enum cpu_bits bits = linear_cpu_bits(&context->mode);
    uint64_t linear = context->mode.rip;
    enum decode_result decoded;

    if (bits != CPU_64_BIT) {
        linear = (linear + context->mode.cs_base) & UINT32_MAX;
    }
    context->byte_count = 0;
    if (!fetch_page(context, linear)) {
        return EMULATE_FAULT;
    }
    decoded = decode_instruction(context->bytes, context->byte_count, bits, instruction);
    if (__builtin_expect(decoded == DECODE_TRUNCATED && context->byte_count > 0, 0)) {
        uint64_t next = linear + context->byte_count;

        if (!fetch_page(context, bits == CPU_64_BIT ? next : next & UINT32_MAX)) {
            return EMULATE_FAULT;
        }
        decoded = decode_instruction(context->bytes, context->byte_count, bits, instruction);
    }
    return decoded == DECODE_OK ? EMULATE_DONE : EMULATE_UNDECODABLE;
}

enum emulate_result emulate_instruction(struct emulate_context *context)
{
    struct instruction instruction;
    enum emulate_result result;

    virt->get_mode(context->vcpu, &context->mode);
    result = emulate_fetch(context, &instruction);
    if (__builtin_expect(result != EMULATE_DONE, 0)) {
        return result;
    }
    switch (instruction.form) {
    case FORM_REGISTER_MEMORY:
        result = execute_load(context, &instruction);
        break;
    case FORM_MEMORY_REGISTER:
        result = execute_store(context, &instruction);
        break;
    case FORM_MEMORY_IMMEDIATE:
        result = execute_immediate(context, &instruction);
        break;
    case FORM_MEMORY:
        result = execute_unary(context, &instruction);
        break;
    default:
        return execute_string(context, &instruction);
    }
    if (__builtin_expect(result == EMULATE_DONE, 1)) {
        virt->complete_instruction(context->vcpu, instruction.length);
    }
    return result;
}

void emulate_deliver_fault(struct emulate_context *context)
{
    const struct emulate_fault *fault = &context->fault;

    if (fault->vector == EXCEPTION_PF) {
        virt->set_register(context->vcpu, REGISTER_CR2, fault->address);
    }
    virt->inject_exception(context->vcpu, fault->vector, fault->has_error_code, fault->error_code);
}
