/* The VM-entry check's rules for the guest's segment registers: each is named by a state that is
 * right but for it. */
#include "tests/unit/vmx/entry_states.h"

#include <stdio.h>

#define SEGMENT(name, field) guest.segments[SEGMENT_##name].field

static void test_segments(void **context)
{
    static const struct edited cases[] = {
        BREAKS(long_mode, "guest TR: the selector's TI is not 0", SET(SEGMENT(TR, selector), 0x44)),
        BREAKS(long_mode, "guest TR: the base is not canonical",
               SET(SEGMENT(TR, base), CANONICAL_EDGE)),
        BREAKS(long_mode, "guest TR: unusable",
               SET(SEGMENT(TR, attributes), TSS | SEGMENT_UNUSABLE)),
        BREAKS(long_mode, "guest TR: the type is not a busy 64-bit TSS",
               SET(SEGMENT(TR, attributes), 0x83)),
        RIGHT(protected_mode, SET(SEGMENT(TR, attributes), 0x83)),
        BREAKS(protected_mode, "guest TR: the type is not a busy TSS",
               SET(SEGMENT(TR, attributes), 0x89)),

        BREAKS(protected_mode, "guest LDTR: the selector's TI is not 0",
               SET(SEGMENT(LDTR, selector), 0x54)),
        BREAKS(protected_mode, "guest LDTR: the base is not canonical",
               SET(SEGMENT(LDTR, base), CANONICAL_EDGE)),
        BREAKS(protected_mode, "guest LDTR: the type is not an LDT",
               SET(SEGMENT(LDTR, attributes), 0x83)),
        RIGHT(protected_mode, SET(SEGMENT(LDTR, attributes), 0x83 | SEGMENT_UNUSABLE),
              SET(SEGMENT(LDTR, base), CANONICAL_EDGE), SET(SEGMENT(LDTR, selector), 4)),

        BREAKS(long_mode, "guest CS: unusable",
               SET(SEGMENT(CS, attributes), CODE64 | SEGMENT_UNUSABLE)),
        BREAKS(long_mode, "guest CS: base bits 63:32 are not 0",
               SET(SEGMENT(CS, base), UINT64_C(1) << 32)),
        BREAKS(protected_mode, "guest CS: the type is not accessed code",
               SET(SEGMENT(CS, attributes), DATA32)),
        BREAKS(protected_mode, "guest CS: the type is not accessed code",
               SET(SEGMENT(CS, attributes), 0xc09a)),
        RIGHT(real_mode, SET(SEGMENT(CS, attributes), DATA16)), /* unrestricted guests may */
        BREAKS(real_mode, "guest CS: the type is neither accessed code nor read/write data",
               SET(SEGMENT(CS, attributes), 0x91)),
        BREAKS(long_mode_user, "guest CS: DPL is not 0 while the type is data",
               SET(SEGMENT(CS, attributes), 0xf3), SET(SEGMENT(SS, attributes), DATA32)),
        BREAKS(long_mode, "guest CS: DPL is not that of SS (non-conforming code)",
               SET(SEGMENT(CS, attributes), CODE64 | 0x60)),
        BREAKS(long_mode, "guest CS: DPL is above that of SS (conforming code)",
               SET(SEGMENT(CS, attributes), CODE64 | 0x64)),
        RIGHT(long_mode_user, SET(SEGMENT(CS, attributes), CODE64 | 4)),
        RIGHT(long_mode_user, SET(SEGMENT(CS, attributes), CODE64 | 0x64)),
        BREAKS(long_mode, "guest CS: both L and D/B are 1 in IA-32e mode",
               SET(SEGMENT(CS, attributes), CODE64 | SEGMENT_DB)),

        BREAKS(protected_mode, "guest SS: RPL is not that of CS", SET(SEGMENT(CS, selector), 0x11)),
        RIGHT(long_mode, SET(SEGMENT(CS, selector), 0x11)),
        BREAKS(long_mode, "guest SS: base bits 63:32 are not 0",
               SET(SEGMENT(SS, base), UINT64_C(1) << 32)),
        BREAKS(long_mode, "guest SS: the type is not read/write, accessed data",
               SET(SEGMENT(SS, attributes), 0xc091)),
        RIGHT(long_mode, SET(SEGMENT(SS, attributes), 0xc097)),
        RIGHT(long_mode, SET(SEGMENT(SS, attributes), SEGMENT_UNUSABLE)),
        BREAKS(protected_mode, "guest SS: DPL is not the selector's RPL",
               SET(SEGMENT(SS, attributes), DATA32 | 0x20)),
        BREAKS(long_mode, "guest SS: DPL is not 0 while the type of CS is data",
               SET(SEGMENT(SS, attributes), DATA32 | 0x60), SET(SEGMENT(CS, attributes), DATA16)),
        BREAKS(real_mode, "guest SS: DPL is not 0 while CR0.PE is 0",
               SET(SEGMENT(SS, attributes), DATA16 | 0x60)),

        BREAKS(long_mode, "guest DS: base bits 63:32 are not 0",
               SET(SEGMENT(DS, base), UINT64_C(1) << 32)),
        RIGHT(long_mode_user, SET(SEGMENT(DS, base), UINT64_C(1) << 32)), /* unusable */
        BREAKS(long_mode, "guest ES: base bits 63:32 are not 0",
               SET(SEGMENT(ES, base), UINT64_C(1) << 32)),
        BREAKS(long_mode, "guest FS: the base is not canonical",
               SET(SEGMENT(FS, base), CANONICAL_EDGE)),
        /* even unusable */
        BREAKS(long_mode_user, "guest GS: the base is not canonical",
               SET(SEGMENT(GS, base), CANONICAL_EDGE)),
        BREAKS(long_mode, "guest DS: the type is not accessed",
               SET(SEGMENT(DS, attributes), 0xc092)),
        BREAKS(long_mode, "guest GS: the type is not accessed",
               SET(SEGMENT(GS, attributes), 0xc092)),
        BREAKS(long_mode, "guest ES: the type is unreadable code",
               SET(SEGMENT(ES, attributes), 0xc099)),
        RIGHT(long_mode, SET(SEGMENT(ES, attributes), 0xc09b)),
        BREAKS(protected_mode, "guest FS: DPL is below the selector's RPL",
               SET(SEGMENT(FS, selector), 0x1b)),
        /* conforming code */
        RIGHT(protected_mode, SET(SEGMENT(FS, selector), 0x1b),
              SET(SEGMENT(FS, attributes), 0xc09f)),
        RIGHT(long_mode, SET(SEGMENT(FS, selector), 0x1b)), /* unrestricted guest */
    };

    (void)context;
    CHECK_ALL(cases);
}

static const char *const segment_names[SEGMENT_COUNT] = {"ES", "CS", "SS",   "DS",
                                                         "FS", "GS", "LDTR", "TR"};

/* The rules that every segment register shares name the one that breaks them. */
static void test_shared_segment_rules(void **context)
{
    static const struct {
        const char *words;
        uint32_t clear, set;
        uint32_t limit;
    } cases[] = {
        {"not present", SEGMENT_P, 0, 0xffff},
        {"access-rights bits 11:8 are not 0", 0, 0x100, 0xffff},
        {"limit bits 11:0 are not all 1 while the granularity is pages", 0, SEGMENT_G, 0xffff000},
        {"limit bits 31:20 are not all 0 while the granularity is bytes", SEGMENT_G, 0, 0x100000},
        {"access-rights bits 31:17 are not 0", 0, 0x20000, 0xffff},
    };

    (void)context;
    for (int which = 0; which < SEGMENT_COUNT; which++) {
        bool system = which == SEGMENT_LDTR || which == SEGMENT_TR;
        struct vmx_entry_state state = protected_mode();
        char words[128];

        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            state = protected_mode();
            state.guest.segments[which].limit = cases[i].limit;
            state.guest.segments[which].attributes &= ~cases[i].clear;
            state.guest.segments[which].attributes |= cases[i].set;
            snprintf(words, sizeof(words), "guest %s: %s", segment_names[which], cases[i].words);
            assert_breaks(&state, words);
        }
        state = protected_mode();
        state.guest.segments[which].attributes ^= SEGMENT_S;
        snprintf(words, sizeof(words), "guest %s: %s", segment_names[which],
                 system ? "not a system segment (S is 1)" : "a system segment (S is 0)");
        assert_breaks(&state, words);
    }
}

static void test_v8086_segments(void **context)
{
    (void)context;
    for (int which = SEGMENT_ES; which <= SEGMENT_GS; which++) {
        struct vmx_entry_state state = v8086();
        char words[128];

        state.guest.segments[which].base += 16;
        snprintf(words, sizeof(words),
                 "guest %s: the base is not the selector times 16 in virtual-8086 mode",
                 segment_names[which]);
        assert_breaks(&state, words);

        state = v8086();
        state.guest.segments[which].limit = 0x1ffff;
        snprintf(words, sizeof(words), "guest %s: the limit is not 0xffff in virtual-8086 mode",
                 segment_names[which]);
        assert_breaks(&state, words);

        state = v8086();
        state.guest.segments[which].attributes = 0x93;
        snprintf(words, sizeof(words),
                 "guest %s: the access rights are not 0xf3 in virtual-8086 mode",
                 segment_names[which]);
        assert_breaks(&state, words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_shared_segment_rules),
        cmocka_unit_test(test_v8086_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
