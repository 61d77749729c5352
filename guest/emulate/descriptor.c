#include "guest/emulate/descriptor.h"

#include "kernel/cpu/x86_defs.h"

#define SELECTOR_INDEX 0xfff8u

#define TYPE_CODE     8u
#define TYPE_EXPAND   4u /* conforming, for code */
#define TYPE_WRITABLE 2u /* readable, for code */
#define TYPE_ACCESSED 1u

static bool is_null(uint16_t selector)
{
    return (selector & ~SELECTOR_RPL) == 0;
}

bool descriptor_fault(struct descriptor_tables *tables, unsigned vector, uint16_t selector)
{
    tables->context->fault = (struct emulate_fault){
        .vector = (uint8_t)vector,
        .has_error_code = true,
        .error_code = (selector & ~SELECTOR_RPL) | (tables->external ? 1u : 0u),
    };
    return false;
}

bool descriptor_read(struct descriptor_tables *tables, uint16_t selector, unsigned vector,
                     struct descriptor *descriptor)
{
    uint64_t base = tables->gdtr.base;
    uint32_t limit = tables->gdtr.limit;
    uint32_t words[2];

    if ((selector & SELECTOR_TABLE) != 0) {
        struct virt_segment_state ldt;

        virt->get_segment(tables->context->vcpu, SEGMENT_LDTR, &ldt);
        base = ldt.base;
        limit = (ldt.attributes & SEGMENT_UNUSABLE) != 0 ? 0 : ldt.limit;
    }
    if (is_null(selector)) {
        return descriptor_fault(tables, vector, selector);
    }
    if ((selector & SELECTOR_INDEX) + 7u > limit) {
        return descriptor_fault(tables, vector, selector);
    }
    descriptor->address = (base + (selector & SELECTOR_INDEX)) & UINT32_MAX;
    if (!linear_read(tables->context, descriptor->address, words, sizeof(words),
                     PAGE_ACCESS_IMPLICIT)) {
        return false;
    }
    descriptor->base = (words[0] >> 16) | (words[1] & 0xff) << 16 | (words[1] & 0xff000000u);
    descriptor->limit = (words[0] & 0xffff) | (words[1] & 0xf0000);
    descriptor->attributes = (words[1] >> 8) & 0xf0ff;
    if ((descriptor->attributes & SEGMENT_G) != 0) {
        descriptor->limit = descriptor->limit << 12 | 0xfff;
    }
    return true;
}

bool descriptor_write_type(struct descriptor_tables *tables, const struct descriptor *descriptor)
{
    uint8_t byte = (uint8_t)descriptor->attributes;

    return linear_write(tables->context, descriptor->address + 5, &byte, 1, PAGE_ACCESS_IMPLICIT);
}

bool descriptor_load_ldt(struct descriptor_tables *tables, uint16_t selector)
{
    struct descriptor descriptor;
    const struct virt_segment_state null = {.selector = selector, .attributes = SEGMENT_UNUSABLE};

    virt->set_segment(tables->context->vcpu, SEGMENT_LDTR, &null);
    if (is_null(selector)) {
        return true;
    }
    if ((selector & SELECTOR_TABLE) != 0) {
        return descriptor_fault(tables, EXCEPTION_TS, selector);
    }
    if (!descriptor_read(tables, selector, EXCEPTION_TS, &descriptor)) {
        return false;
    }
    if ((descriptor.attributes & DESCRIPTOR_TYPE) != DESCRIPTOR_LDT ||
        (descriptor.attributes & SEGMENT_P) == 0) {
        return descriptor_fault(tables, EXCEPTION_TS, selector);
    }
    const struct virt_segment_state state = {.selector = selector,
                                             .attributes = descriptor.attributes,
                                             .limit = descriptor.limit,
                                             .base = descriptor.base};
    virt->set_segment(tables->context->vcpu, SEGMENT_LDTR, &state);
    return true;
}

/* May a segment of this type and privilege be loaded (SDM vol. 3, 7.3, table 7-1)? */
static bool type_fits(enum virt_segment which, uint16_t selector, uint32_t attributes, unsigned cpl)
{
    unsigned dpl = (attributes & SEGMENT_DPL_MASK) >> SEGMENT_DPL_SHIFT;
    unsigned rpl = selector & SELECTOR_RPL;
    bool code = (attributes & TYPE_CODE) != 0;

    if ((attributes & SEGMENT_S) == 0) {
        return false;
    }
    switch (which) {
    case SEGMENT_CS:
        return code && ((attributes & TYPE_EXPAND) != 0 ? dpl <= rpl : dpl == rpl);
    case SEGMENT_SS:
        return !code && (attributes & TYPE_WRITABLE) != 0 && dpl == cpl && rpl == cpl;
    default:
        if (code && (attributes & TYPE_WRITABLE) == 0) {
            return false;
        }
        return (code && (attributes & TYPE_EXPAND) != 0) || (cpl <= dpl && rpl <= dpl);
    }
}

bool descriptor_load_segment(struct descriptor_tables *tables, enum virt_segment which,
                             uint16_t selector, unsigned cpl)
{
    struct descriptor descriptor;

    if (is_null(selector)) {
        return which == SEGMENT_CS || which == SEGMENT_SS
                   ? descriptor_fault(tables, EXCEPTION_TS, selector)
                   : true;
    }
    if (!descriptor_read(tables, selector, EXCEPTION_TS, &descriptor)) {
        return false;
    }
    if (!type_fits(which, selector, descriptor.attributes, cpl)) {
        return descriptor_fault(tables, EXCEPTION_TS, selector);
    }
    if ((descriptor.attributes & SEGMENT_P) == 0) {
        return descriptor_fault(tables, which == SEGMENT_SS ? EXCEPTION_SS : EXCEPTION_NP,
                                selector);
    }
    if ((descriptor.attributes & TYPE_ACCESSED) == 0) {
        descriptor.attributes |= TYPE_ACCESSED;
        if (!descriptor_write_type(tables, &descriptor)) {
            return false;
        }
    }
    const struct virt_segment_state state = {.selector = selector,
                                             .attributes = descriptor.attributes,
                                             .limit = descriptor.limit,
                                             .base = descriptor.base};
    virt->set_segment(tables->context->vcpu, which, &state);
    return true;
}
