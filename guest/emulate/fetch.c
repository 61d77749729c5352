#include <string.h>

#include "guest/emulate/execute.h"
#include "kernel/cpu/x86_defs.h"

#define PAGE_SIZE 4096u

#define FETCH_SIZE (INSTRUCTION_MAX + 1)

static inline struct code_cache_entry *cache_slot(struct emulate_context *context, uint64_t linear)
{
    return &context->code_cache[(linear ^ (linear >> 4)) % CODE_CACHE_SIZE];
}

/* Would a fetch at `linear` and its decoding find what they found when the entry was made? */
static inline bool cache_hit(const struct code_cache_entry *entry, const struct virt_mode *mode,
                             uint64_t linear)
{
    if (((entry->linear ^ linear) | (entry->cr0 ^ mode->cr0) | (entry->cr3 ^ mode->cr3) |
         (entry->cr4 ^ mode->cr4) | (entry->efer ^ mode->efer) |
         (entry->cs_attributes ^ mode->cs_attributes) | (uint64_t)(entry->cpl ^ mode->cpl)) != 0 ||
        entry->code == NULL) {
        return false;
    }
    for (unsigned i = 0; i < entry->trace.count; i++) {
        if (__atomic_load_n(entry->trace.words[i], __ATOMIC_RELAXED) != entry->trace.values[i]) {
            return false;
        }
    }
    /* Unaligned loads, which a plain assignment may not be. */
    uint64_t bytes[2];
    __builtin_memcpy(bytes, entry->code, sizeof(bytes));
    return ((bytes[0] ^ entry->bytes[0]) | (bytes[1] ^ entry->bytes[1])) == 0;
}

static void cache_fill(struct emulate_context *context, uint64_t linear, const void *code,
                       const struct page_walk_trace *trace)
{
    const struct virt_mode *mode = &context->mode;
    struct code_cache_entry *entry = cache_slot(context, linear);

    entry->linear = linear;
    entry->cr0 = mode->cr0;
    entry->cr3 = mode->cr3;
    entry->cr4 = mode->cr4;
    entry->efer = mode->efer;
    entry->cs_attributes = mode->cs_attributes;
    entry->cpl = mode->cpl;
    memcpy(entry->bytes, context->bytes, FETCH_SIZE);
    entry->code = code;
    entry->trace = *trace;
    entry->instruction = context->decoded;
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
    struct code_cache_entry *entry = cache_slot(context, linear);
    if (__builtin_expect(cache_hit(entry, &context->mode, linear), 1)) {
        *instruction = &entry->instruction;
        return EMULATE_DONE;
    }
    *instruction = &context->decoded;
    return fetch_and_decode(context, bits, linear);
}
