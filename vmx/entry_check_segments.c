/* VM-entry checks of the guest's segment registers (SDM vol. 3, 27.3.1.2). */
#include <stdio.h>

#include "kernel/cpu/x86_defs.h"
#include "vmx/entry_check_rules.h"

#define SELECTOR_RPL 3u
#define SELECTOR_TI  4u

#define TYPE_ACCESSED  1u
#define TYPE_READABLE  2u /* of code */
#define TYPE_CODE      8u
#define TYPE_DATA      3u /* read/write, accessed */
#define TYPE_DATA_DOWN 7u /* the same, expand-down */

#define ATTRIBUTES_V8086         0xf3u
#define ATTRIBUTES_RESERVED_LOW  0x0f00u
#define ATTRIBUTES_RESERVED_HIGH 0xfffe0000u

/* Which it is, is said in front of a rule's words. */
static const char *const names[SEGMENT_COUNT] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"};

static bool usable(const struct virt_segment_state *segment)
{
    return !(segment->attributes & SEGMENT_UNUSABLE);
}

static uint32_t type_of(const struct virt_segment_state *segment)
{
    return segment->attributes & SEGMENT_TYPE_MASK;
}

static uint32_t dpl_of(const struct virt_segment_state *segment)
{
    return (segment->attributes & SEGMENT_DPL_MASK) >> SEGMENT_DPL_SHIFT;
}

static bool unrestricted(const struct vmx_entry_state *state)
{
    return entry_proc2(state) & PROC2_UNRESTRICTED_GUEST;
}

/* What holds for every segment register in use. */
static const char *check_common(const struct vmx_entry_state *state, enum virt_segment which)
{
    const struct virt_segment_state *segment = &state->guest.segments[which];
    bool system = which == SEGMENT_LDTR || which == SEGMENT_TR;
    bool pages = segment->attributes & SEGMENT_G;
    const struct entry_rule rules[] = {
        {system && (segment->attributes & SEGMENT_S), "not a system segment (S is 1)"},
        {!system && !(segment->attributes & SEGMENT_S), "a system segment (S is 0)"},
        {!(segment->attributes & SEGMENT_P), "not present"},
        {segment->attributes & ATTRIBUTES_RESERVED_LOW, "access-rights bits 11:8 are not 0"},
        {pages && (segment->limit & 0xfffu) != 0xfffu,
         "limit bits 11:0 are not all 1 while the granularity is pages"},
        {!pages && (segment->limit & 0xfff00000u),
         "limit bits 31:20 are not all 0 while the granularity is bytes"},
        {segment->attributes & ATTRIBUTES_RESERVED_HIGH, "access-rights bits 31:17 are not 0"},
    };

    return FIRST_BROKEN(rules);
}

static const char *check_v8086(const struct vmx_entry_state *state, enum virt_segment which)
{
    const struct virt_segment_state *segment = &state->guest.segments[which];
    const struct entry_rule rules[] = {
        {segment->base != (uint64_t)segment->selector << 4,
         "the base is not the selector times 16 in virtual-8086 mode"},
        {segment->limit != 0xffffu, "the limit is not 0xffff in virtual-8086 mode"},
        {segment->attributes != ATTRIBUTES_V8086,
         "the access rights are not 0xf3 in virtual-8086 mode"},
    };

    return FIRST_BROKEN(rules);
}

static const char *check_cs(const struct vmx_entry_state *state)
{
    const struct virt_segment_state *cs = &state->guest.segments[SEGMENT_CS];
    uint32_t stack_dpl = dpl_of(&state->guest.segments[SEGMENT_SS]);
    uint32_t type = type_of(cs);
    bool code = (type & (TYPE_CODE | TYPE_ACCESSED)) == (TYPE_CODE | TYPE_ACCESSED);
    bool data = type == TYPE_DATA;
    bool conforming = type & 4u;
    const struct entry_rule rules[] = {
        {!usable(cs), "unusable"},
        {cs->base >> 32, "base bits 63:32 are not 0"},
        {!code && !unrestricted(state), "the type is not accessed code"},
        {!code && !data, "the type is neither accessed code nor read/write data"},
        {data && dpl_of(cs) != 0, "DPL is not 0 while the type is data"},
        {code && !conforming && dpl_of(cs) != stack_dpl,
         "DPL is not that of SS (non-conforming code)"},
        {code && conforming && dpl_of(cs) > stack_dpl, "DPL is above that of SS (conforming code)"},
        {(state->controls.entry & ENTRY_IA32E_GUEST) && (cs->attributes & SEGMENT_L) &&
             (cs->attributes & SEGMENT_DB),
         "both L and D/B are 1 in IA-32e mode"},
    };
    const char *words = FIRST_BROKEN(rules);

    return words ? words : check_common(state, SEGMENT_CS);
}

static const char *check_ss(const struct vmx_entry_state *state)
{
    const struct virt_segment_state *cs = &state->guest.segments[SEGMENT_CS];
    const struct virt_segment_state *ss = &state->guest.segments[SEGMENT_SS];
    uint32_t rpl = ss->selector & SELECTOR_RPL;
    const struct entry_rule rules[] = {
        {!unrestricted(state) && rpl != (cs->selector & SELECTOR_RPL), "RPL is not that of CS"},
        {usable(ss) && (ss->base >> 32), "base bits 63:32 are not 0"},
        {usable(ss) && type_of(ss) != TYPE_DATA && type_of(ss) != TYPE_DATA_DOWN,
         "the type is not read/write, accessed data"},
        {!unrestricted(state) && dpl_of(ss) != rpl, "DPL is not the selector's RPL"},
        {type_of(cs) == TYPE_DATA && dpl_of(ss) != 0, "DPL is not 0 while the type of CS is data"},
        {!(state->guest.cr0 & CR0_PE) && dpl_of(ss) != 0, "DPL is not 0 while CR0.PE is 0"},
    };
    const char *words = FIRST_BROKEN(rules);

    return words || !usable(ss) ? words : check_common(state, SEGMENT_SS);
}

static const char *check_data(const struct vmx_entry_state *state, enum virt_segment which)
{
    const struct virt_segment_state *segment = &state->guest.segments[which];
    uint32_t type = type_of(segment);
    bool high_base_allowed = which == SEGMENT_FS || which == SEGMENT_GS;
    bool conforming = type >= 12;
    const struct entry_rule rules[] = {
        {!high_base_allowed && (segment->base >> 32), "base bits 63:32 are not 0"},
        {!(type & TYPE_ACCESSED), "the type is not accessed"},
        {(type & TYPE_CODE) && !(type & TYPE_READABLE), "the type is unreadable code"},
        {!unrestricted(state) && !conforming &&
             dpl_of(segment) < (segment->selector & SELECTOR_RPL),
         "DPL is below the selector's RPL"},
    };
    const char *words = FIRST_BROKEN(rules);

    return words ? words : check_common(state, which);
}

static const char *check_tr(const struct vmx_entry_state *state)
{
    const struct virt_segment_state *tr = &state->guest.segments[SEGMENT_TR];
    bool long_mode = state->controls.entry & ENTRY_IA32E_GUEST;
    const struct entry_rule rules[] = {
        {tr->selector & SELECTOR_TI, "the selector's TI is not 0"},
        {!entry_canonical(state, tr->base), "the base is not canonical"},
        {!usable(tr), "unusable"},
        {type_of(tr) != 11 && long_mode, "the type is not a busy 64-bit TSS"},
        {type_of(tr) != 11 && type_of(tr) != 3, "the type is not a busy TSS"},
    };
    const char *words = FIRST_BROKEN(rules);

    return words ? words : check_common(state, SEGMENT_TR);
}

static const char *check_ldtr(const struct vmx_entry_state *state)
{
    const struct virt_segment_state *ldtr = &state->guest.segments[SEGMENT_LDTR];
    const struct entry_rule rules[] = {
        {ldtr->selector & SELECTOR_TI, "the selector's TI is not 0"},
        {!entry_canonical(state, ldtr->base), "the base is not canonical"},
        {type_of(ldtr) != 2, "the type is not an LDT"},
    };
    const char *words;

    if (!usable(ldtr)) {
        return NULL;
    }
    words = FIRST_BROKEN(rules);
    return words ? words : check_common(state, SEGMENT_LDTR);
}

static const char *check_one(const struct vmx_entry_state *state, enum virt_segment which)
{
    const struct virt_segment_state *segment = &state->guest.segments[which];

    switch (which) {
    case SEGMENT_TR:
        return check_tr(state);
    case SEGMENT_LDTR:
        return check_ldtr(state);
    case SEGMENT_FS:
    case SEGMENT_GS:
        /* 64-bit code can use these bases while the segment is unusable. */
        if (!entry_canonical(state, segment->base)) {
            return "the base is not canonical";
        }
        break;
    default:
        break;
    }
    if (state->guest.rflags & RFLAGS_VM) {
        return check_v8086(state, which);
    }
    if (which == SEGMENT_CS) {
        return check_cs(state);
    }
    if (which == SEGMENT_SS) {
        return check_ss(state);
    }
    return usable(segment) ? check_data(state, which) : NULL;
}

const char *entry_check_segments(const struct vmx_entry_state *state,
                                 char text[ENTRY_CHECK_TEXT_SIZE])
{
    /* SS before CS, whose privilege is measured by it. */
    static const uint8_t order[] = {SEGMENT_TR, SEGMENT_LDTR, SEGMENT_SS, SEGMENT_CS,
                                    SEGMENT_DS, SEGMENT_ES,   SEGMENT_FS, SEGMENT_GS};

    for (size_t i = 0; i < sizeof(order); i++) {
        const char *words = check_one(state, (enum virt_segment)order[i]);

        if (words) {
            snprintf(text, ENTRY_CHECK_TEXT_SIZE, "guest %s: %s", names[order[i]], words);
            return text;
        }
    }
    return NULL;
}
