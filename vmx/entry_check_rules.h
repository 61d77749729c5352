/*
 * What the parts of the VM-entry check share. A rule is a condition that breaks it and its words;
 * each part lists its rules in the order the SDM gives them.
 */
#ifndef VMX_ENTRY_CHECK_RULES_H
#define VMX_ENTRY_CHECK_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmx/definitions.h"
#include "vmx/entry_check.h"

struct entry_rule {
    bool broken;
    const char *words;
};

/* The words of the first broken rule of an array, or NULL. */
#define FIRST_BROKEN(rules) first_broken(rules, sizeof(rules) / sizeof((rules)[0]))

static inline const char *first_broken(const struct entry_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rules[i].broken) {
            return rules[i].words;
        }
    }
    return NULL;
}

/* Bits 63:width-1 are all equal. */
static inline bool entry_canonical(const struct vmx_entry_state *state, uint64_t address)
{
    unsigned shift = 64 - state->capabilities.linear_bits;

    return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

/* A physical address that the CPU can reach and whose `low` bits are 0. */
static inline bool entry_physical(const struct vmx_entry_state *state, uint64_t address,
                                  uint64_t low)
{
    return !(address & low) && !(address >> state->capabilities.physical_bits);
}

/* Secondary controls, 0 when they are not activated. */
static inline uint32_t entry_proc2(const struct vmx_entry_state *state)
{
    return state->controls.proc & PROC_SECONDARY_CONTROLS ? state->controls.proc2 : 0;
}

/* Eight memory types, none of them reserved (SDM vol. 3, 12.12.2). */
static inline bool entry_pat_valid(uint64_t pat)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t type = (uint8_t)(pat >> 8 * i);

        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    return true;
}

/* The parts, by file; each gives the words of its first broken rule, or NULL. */
const char *entry_check_controls(const struct vmx_entry_state *state);  /* 27.2.1.1, 27.2.1.2 */
const char *entry_check_injection(const struct vmx_entry_state *state); /* 27.2.1.3 */
const char *entry_check_host(const struct vmx_entry_state *state);      /* 27.2.2 - 27.2.4 */
const char *entry_check_registers(const struct vmx_entry_state *state); /* 27.3.1.1 */
/* 27.3.1.2 */
const char *entry_check_segments(const struct vmx_entry_state *state,
                                 char text[ENTRY_CHECK_TEXT_SIZE]);
const char *entry_check_guest(const struct vmx_entry_state *state); /* 27.3.1.3 - 27.3.1.6 */

#endif
