/*
 * Which writes to control, debug and extended control registers a CPU with the guest's CPUID would
 * accept, and which fault it raises otherwise (SDM vol. 2, MOV CR/DR and XSETBV; vol. 3, 2.5, 2.6,
 * 18.2). Pure checks: nothing is written here.
 */
#ifndef GUEST_POLICY_CONTROL_REGISTERS_H
#define GUEST_POLICY_CONTROL_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/policy/cpuid.h"

/* What the guest gets; every fault with an error code has error code 0. */
enum control_result {
    CONTROL_OK,
    CONTROL_GP, /* #GP(0) */
    CONTROL_UD, /* #UD */
    CONTROL_DB, /* #DB with DR6.BD set and DR7.GD cleared (general detect) */
};

/* What the guest's CPUID allows, worked out once per VM. */
struct control_policy {
    uint64_t cr4_allowed;  /* bits that may be set */
    uint64_t efer_allowed; /* bits that may be set (LMA is read-only and not among them) */
    uint64_t xcr0_allowed;
    uint64_t cr3_reserved; /* bits of CR3 that must be 0 in long mode */
    bool rtm;              /* DR7.RTM may be set */
};

/* The CPU's state before the write, as the guest sees it. */
struct control_state {
    uint64_t cr0;
    uint64_t cr3;
    uint64_t cr4;
    uint64_t efer;
    bool cs_long; /* CS.L */
    uint8_t cpl;
};

void control_policy_init(struct control_policy *policy, const struct cpuid_policy *cpuid);

/** CR4 bits that must reach the policy whatever the guest does (virt_ops.intercept_cr_bits): those
 * it may not set, OSXSAVE (CPUID shows it) and those that take part in rules between registers. */
uint64_t control_cr4_intercepts(const struct control_policy *policy);

/* MOV to CR0 (with CR0.ET forced to 1 and unknown low bits dropped, see cr0_effective), LMSW, CLTS.
 * The checks of CPL have been done by the CPU before the exit (they come first). */
enum control_result cr0_write_check(const struct control_policy *policy,
                                    const struct control_state *state, uint64_t value);
/** What CR0 holds after a MOV of `value`: ET reads as 1, reserved bits of the low half as 0. */
uint64_t cr0_effective(uint64_t value);
enum control_result cr3_write_check(const struct control_policy *policy,
                                    const struct control_state *state, uint64_t value);
enum control_result cr4_write_check(const struct control_policy *policy,
                                    const struct control_state *state, uint64_t value);
enum control_result cr8_write_check(uint64_t value);
/** WRMSR to IA32_EFER; LMA in `value` does not count. */
enum control_result efer_write_check(const struct control_policy *policy,
                                     const struct control_state *state, uint64_t value);
/** XSETBV of register `index` (ECX). */
enum control_result xcr_write_check(const struct control_policy *policy,
                                    const struct control_state *state, uint32_t index,
                                    uint64_t value);

/** MOV to or from debug register `number` (0-7, as encoded). `*real` is the register meant: DR4 and
 * DR5 are names of DR6 and DR7 while CR4.DE is 0. `value` counts only when writing. */
enum control_result dr_access_check(const struct control_policy *policy,
                                    const struct control_state *state, uint64_t dr7,
                                    unsigned number, bool write, uint64_t value, unsigned *real);
/** What DR6 and DR7 hold after a write: fixed bits as the SDM has them (vol. 3, 18.2). */
uint64_t dr6_effective(const struct control_policy *policy, uint64_t value);
uint64_t dr7_effective(const struct control_policy *policy, uint64_t value);

#endif
