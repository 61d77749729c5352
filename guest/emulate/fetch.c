#include <string.h>

#include "guest/emulate/execute.h"
#include "kernel/cpu/x86_defs.h"

#define PAGE_SIZE 4096u

#define FETCH_SIZE (INSTRUCTION_MAX + 1)

/* True if in 64-bit code the outcome depends on nothing but virt_code_place. With EFER.LMA, CR0 and
 * CR4 settle nothing of a fetch but SMEP, which is about the supervisor on a user's page. The CPL
 * is that of a code segment which is not conforming (SDM vol. 3, 27.3.1.2). */
static bool place_says_all(const struct virt_mode *mode, const struct page_walk_trace *trace)
{
    uint32_t type = mode->cs_attributes & SEGMENT_TYPE_MASK;

    return linear_cpu_bits(mode) == CPU_64_BIT &&
           (type & (SEGMENT_TYPE_CODE | SEGMENT_TYPE_CONFORMING)) == SEGMENT_TYPE_CODE &&
           trace->user_page == (mode->cpl == 3);
}

static void cache_fill(struct emulate_context *context, uint64_t linear, const void *code,
                       const struct page_walk_trace *trace)
{
    const struct virt_mode *mode = &context->mode;
    struct code_cache_entry *entry = code_cache_slot(context->code_cache, linear);

    *entry = (struct code_cache_entry){
        .linear = linear,
        .cr3 = mode->cr3,
        .efer = mode->efer,
        .cs_attributes = mode->cs_attributes,
        .cpl = mode->cpl,
        .placed_move = context->decoded.simple_move && place_says_all(mode, trace),
        .cr0 = mode->cr0,
        .cr4 = mode->cr4,
        .code = code,
        .instruction = context->decoded,
    };
    memcpy(entry->bytes, context->bytes, FETCH_SIZE);
    for (unsigned i = 0; i < PAGE_WALK_LEVELS_MAX; i++) {
        entry->words[i] = i < trace->count ? trace->words[i] : &entry->values[i];
        entry->values[i] = i < trace->count ? trace->values[i] : 0;
    }
}

/* Appends what one page holds of the instruction to context->bytes; false after a fault. Code that
 * is not in RAM adds nothing. *code: where all of it lies, if one page has FETCH_SIZE bytes. */
static bool fetch_page(struct emulate_context *context, uint64_t linear,
                       struct page_walk_trace *trace, const void **code)
{
    unsigned room = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));
    unsigned wanted = FETCH_SIZE - context->byte_count;
    unsigned part = wanted < room ? wanted : room;
    uint32_t access = PAGE_ACCESS_FETCH | (context->mode.cpl == 3 ? PAGE_ACCESS_USER : 0);
    struct page_walk_result walk = page_walk_traced(context->memory, &context->mode,
                                                    context->physical_bits, linear, access, trace);

    if (walk.fault) {
        context->fault = (struct emulate_fault){.vector = EXCEPTION_PF,
                                                .has_error_code = true,
                                                .error_code = walk.error_code,
                                                .address = linear};
        return false;
    }
    const void *bytes = guest_memory_pointer(context->memory, walk.guest_phys, part);
    if (bytes != NULL) {
        memcpy(context->bytes + context->byte_count, bytes, part);
        context->byte_count = (uint8_t)(context->byte_count + part);
    }
    *code = part == FETCH_SIZE ? bytes : NULL;
    return true;
}

static __attribute__((noinline)) enum emulate_result fetch_and_decode(
    struct emulate_context *context, enum cpu_bits bits, uint64_t linear)
{
    struct page_walk_trace trace;
    const void *code;
    enum decode_result decoded;

    context->byte_count = 0;
    if (!fetch_page(context, linear, &trace, &code)) {
        return EMULATE_FAULT;
    }
    decoded = decode_instruction(context->bytes, context->byte_count, bits, &context->decoded);
    if (decoded == DECODE_TRUNCATED && context->byte_count > 0) {
        uint64_t next = linear + context->byte_count;

        if (!fetch_page(context, bits == CPU_64_BIT ? next : next & UINT32_MAX, &trace, &code)) {
            return EMULATE_FAULT;
        }
        decoded = decode_instruction(context->bytes, context->byte_count, bits, &context->decoded);
        code = NULL;
    }
    if (decoded != DECODE_OK) {
        return EMULATE_UNDECODABLE;
    }
    if (code != NULL && trace.complete) {
        cache_fill(context, linear, code, &trace);
    }
    return EMULATE_DONE;
}

enum emulate_result emulate_fetch(struct emulate_context *context,
                                  const struct instruction **instruction)
{
    enum cpu_bits bits = linear_cpu_bits(&context->mode);
    uint64_t linear = context->mode.rip;

    if (bits != CPU_64_BIT) {
        linear = (linear + context->mode.cs_base) & UINT32_MAX;
    }
    struct code_cache_entry *entry = code_cache_slot(context->code_cache, linear);
    if (__builtin_expect(code_cache_hit(entry, &context->mode, linear), 1)) {
        *instruction = &entry->instruction;
        return EMULATE_DONE;
    }
    *instruction = &context->decoded;
    return fetch_and_decode(context, bits, linear);
}
