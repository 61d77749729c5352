/*
 * States that VM entry accepts, and edits that make them break one rule.
 */
#ifndef TESTS_UNIT_VMX_ENTRY_STATES_H
#define TESTS_UNIT_VMX_ENTRY_STATES_H

#include "tests/unit/support/cmocka.h"

#include "kernel/cpu/x86_defs.h"
#include "vmx/definitions.h"
#include "vmx/entry_check.h"

#define CODE64 0xa09bu
#define CODE32 0xc09bu
#define DATA32 0xc093u
#define CODE16 0x009bu
#define DATA16 0x0093u
#define TSS    0x008bu
#define LDT    0x0082u

/* The first address that is not canonical with 48 bits. */
#define CANONICAL_EDGE UINT64_C(0x0000800000000000)

/* The control words of all these states, for edits that add or drop a bit. */
#define PIN_ALL   (0x16u | 0x69u)
#define PROC_ALL  (0x04006172u | PROC_TPR_SHADOW | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | (1u << 31))
#define PROC2_ALL (PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED_GUEST)
#define EXIT_ALL  (0x36dfbu | EXIT_HOST_64BIT | EXIT_LOAD_PAT | EXIT_LOAD_EFER)
#define ENTRY_ALL (0x11fbu | ENTRY_IA32E_GUEST | ENTRY_LOAD_EFER)

#define VALID        INTERRUPTION_VALID
#define ERROR        INTERRUPTION_ERROR_CODE
#define TYPE(number) ((uint32_t)(number) << 8)

/** 64-bit kernel code of an unrestricted guest; all controls that have rules are in use. */
struct vmx_entry_state long_mode(void);
/** 64-bit user code: flat data segments are not loaded. */
struct vmx_entry_state long_mode_user(void);
/** 32-bit protected mode with PAE paging and an LDT, not an unrestricted guest. */
struct vmx_entry_state protected_mode(void);
/** The reset state (SDM vol. 3, table 10-1): real mode. */
struct vmx_entry_state real_mode(void);
/** Virtual-8086 mode. */
struct vmx_entry_state v8086(void);

void assert_passes(const struct vmx_entry_state *state);
void assert_breaks(const struct vmx_entry_state *state, const char *words);

struct edit {
    size_t offset;
    size_t size;
    uint64_t value;
};

#define MAX_EDITS 4

struct edited {
    const char *words; /* the rule broken; NULL: still right */
    struct vmx_entry_state (*start)(void);
    struct edit edits[MAX_EDITS];
};

#define SET(field, to)                                                                            \
    {                                                                                             \
        offsetof(struct vmx_entry_state, field), sizeof(((struct vmx_entry_state *)NULL)->field), \
            (uint64_t)(to)                                                                        \
    }
#define BREAKS(start, words, ...) \
    {                             \
        words, start,             \
        {                         \
            __VA_ARGS__           \
        }                         \
    }
#define RIGHT(start, ...) \
    {                     \
        NULL, start,      \
        {                 \
            __VA_ARGS__   \
        }                 \
    }

/** Makes the edits of each case and checks what entry_check says. */
void check_edited(const struct edited *cases, size_t count);
#define CHECK_ALL(cases) check_edited(cases, sizeof(cases) / sizeof((cases)[0]))

#endif
