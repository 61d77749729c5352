#include "guest/policy/control_registers.h"

#include "guest/policy/cpuid_bits.h"
#include "kernel/cpu/x86_defs.h"

/* CR0 bits that hold what is written; others of the low half read as 0, and ET as 1. */
#define CR0_KEPT \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

#define CR3_NO_FLUSH (UINT64_C(1) << 63) /* with PCIDE: keep the TLB; not stored */
#define CR3_PCID     UINT64_C(0xfff)
#define CR8_MASK     UINT64_C(0xf)

#define DR6_FIXED_ONES UINT64_C(0xffff0ff0)
#define DR6_KEPT       UINT64_C(0xe00f)
#define DR7_FIXED_ONES UINT64_C(0x400)
#define DR7_KEPT       UINT64_C(0xffff23ff)
#define DR7_GD         (UINT64_C(1) << 13)
#define DR_UPPER       UINT64_C(0xffffffff00000000)
/* RTM: 0 in DR6 and 1 in DR7 where the CPU has restricted transactional memory. */
#define DR6_RTM   (UINT64_C(1) << 16)
#define DR7_RTM   (UINT64_C(1) << 11)
#define CPUID_RTM CPUID_BIT(11) /* leaf 7, EBX */

struct feature_bits {
    uint32_t feature;
    uint64_t bits;
};

/* What may be set for the features in `has`. */
static uint64_t bits_for(const struct feature_bits *map, unsigned count, uint32_t has)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < count; i++) {
        if (has & map[i].feature) {
            bits |= map[i].bits;
        }
    }
    return bits;
}

#define BITS_FOR(map, has) bits_for(map, sizeof(map) / sizeof((map)[0]), has)

static uint64_t allowed_cr4(const struct cpuid_policy *cpuid)
{
    static const struct feature_bits from_1_edx[] = {
        {CPUID1_EDX_VME, CR4_VME | CR4_PVI},
        {CPUID1_EDX_TSC, CR4_TSD},
        {CPUID1_EDX_DE, CR4_DE},
        {CPUID1_EDX_PSE, CR4_PSE},
        {CPUID1_EDX_PAE, CR4_PAE},
        {CPUID1_EDX_MCE, CR4_MCE},
        {CPUID1_EDX_PGE, CR4_PGE},
        {CPUID1_EDX_FXSR, CR4_OSFXSR},
        {CPUID1_EDX_SSE, CR4_OSXMMEXCPT},
    };
    static const struct feature_bits from_1_ecx[] = {
        {CPUID1_ECX_PCID, CR4_PCIDE},
        {CPUID1_ECX_XSAVE, CR4_OSXSAVE},
    };
    static const struct feature_bits from_7_ebx[] = {
        {CPUID7_EBX_FSGSBASE, CR4_FSGSBASE},
        {CPUID7_EBX_SMEP, CR4_SMEP},
        {CPUID7_EBX_SMAP, CR4_SMAP},
    };
    static const struct feature_bits from_7_ecx[] = {
        {CPUID7_ECX_UMIP, CR4_UMIP},
        {CPUID7_ECX_PKU, CR4_PKE},
    };
    const struct cpuid_registers *leaf_1 = &cpuid->basic[1].answer;
    const struct cpuid_registers *leaf_7 = &cpuid->basic[7].answer;

    /* PCE belongs to RDPMC, which has no feature bit; it may be set where there is no counter. */
    return CR4_PCE | BITS_FOR(from_1_edx, leaf_1->edx) | BITS_FOR(from_1_ecx, leaf_1->ecx) |
           BITS_FOR(from_7_ebx, leaf_7->ebx) | BITS_FOR(from_7_ecx, leaf_7->ecx);
}

void control_policy_init(struct control_policy *policy, const struct cpuid_policy *cpuid)
{
    static const struct feature_bits efer_bits[] = {
        {CPUIDX_EDX_SYSCALL, EFER_SCE},
        {CPUIDX_EDX_LM, EFER_LME},
        {CPUIDX_EDX_NX, EFER_NXE},
    };

    policy->cr4_allowed = allowed_cr4(cpuid);
    policy->efer_allowed = BITS_FOR(efer_bits, cpuid->extended[1].answer.edx);
    policy->xcr0_allowed = cpuid->xcr0_allowed;
    policy->cr3_reserved = ~((UINT64_C(1) << cpuid->physical_bits) - 1);
    policy->rtm = cpuid->basic[7].answer.ebx & CPUID_RTM;
}

uint64_t control_cr4_intercepts(const struct control_policy *policy)
{
    return ~policy->cr4_allowed;
}

enum control_result cr0_write_check(const struct control_policy *policy,
                                    const struct control_state *state, uint64_t value)
{
    bool paging = value & CR0_PG;

    (void)policy;
    if (value >> 32) {
        return CONTROL_GP;
    }
    if ((paging && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD))) {
        return CONTROL_GP;
    }
    if (paging && !(state->cr0 & CR0_PG) && (state->efer & EFER_LME) &&
        (!(state->cr4 & CR4_PAE) || state->cs_long)) {
        return CONTROL_GP; /* long mode cannot be entered like that */
    }
    if (!paging && (state->cr0 & CR0_PG) &&
        ((state->cr4 & CR4_PCIDE) || ((state->efer & EFER_LMA) && state->cs_long))) {
        return CONTROL_GP;
    }
    return CONTROL_OK;
}

uint64_t cr0_effective(uint64_t value)
{
    return (value & CR0_KEPT) | CR0_ET;
}

enum control_result cr3_write_check(const struct control_policy *policy,
                                    const struct control_state *state, uint64_t value)
{
    uint64_t reserved = policy->cr3_reserved;

    if (state->cr4 & CR4_PCIDE) {
        reserved &= ~CR3_NO_FLUSH;
    }
    return value & reserved ? CONTROL_GP : CONTROL_OK;
}

enum control_result cr4_write_check(const struct control_policy *policy,
                                    const struct control_state *state, uint64_t value)
{
    bool long_mode = state->efer & EFER_LMA;

    if (value & ~policy->cr4_allowed) {
        return CONTROL_GP;
    }
    if (long_mode && !(value & CR4_PAE)) {
        return CONTROL_GP;
    }
    if ((value & CR4_PCIDE) && !(state->cr4 & CR4_PCIDE) &&
        (!long_mode || (state->cr3 & CR3_PCID))) {
        return CONTROL_GP;
    }
    return CONTROL_OK;
}

enum control_result cr8_write_check(uint64_t value)
{
    return value & ~CR8_MASK ? CONTROL_GP : CONTROL_OK;
}

enum control_result efer_write_check(const struct control_policy *policy,
                                     const struct control_state *state, uint64_t value)
{
    if (value & ~(policy->efer_allowed | EFER_LMA)) {
        return CONTROL_GP;
    }
    if (((value ^ state->efer) & EFER_LME) && (state->cr0 & CR0_PG)) {
        return CONTROL_GP;
    }
    return CONTROL_OK;
}

enum control_result xcr_write_check(const struct control_policy *policy,
                                    const struct control_state *state, uint32_t index,
                                    uint64_t value)
{
    uint64_t avx512 = value & XCR0_AVX512;

    if (!(state->cr4 & CR4_OSXSAVE)) {
        return CONTROL_UD;
    }
    if (state->cpl != 0 || index != 0) {
        return CONTROL_GP;
    }
    if ((value & ~policy->xcr0_allowed) || !(value & XCR0_X87)) {
        return CONTROL_GP;
    }
    if ((value & XCR0_AVX) && !(value & XCR0_SSE)) {
        return CONTROL_GP;
    }
    if (avx512 && (avx512 != XCR0_AVX512 || !(value & XCR0_AVX))) {
        return CONTROL_GP;
    }
    return CONTROL_OK;
}

enum control_result dr_access_check(const struct control_policy *policy,
                                    const struct control_state *state, uint64_t dr7,
                                    unsigned number, bool write, uint64_t value, unsigned *real)
{
    (void)policy;
    *real = number;
    if (number == 4 || number == 5) {
        if (state->cr4 & CR4_DE) {
            return CONTROL_UD;
        }
        *real = number + 2;
    }
    if (state->cpl != 0) {
        return CONTROL_GP;
    }
    if (dr7 & DR7_GD) {
        return CONTROL_DB;
    }
    if (write && *real >= 6 && (value & DR_UPPER)) {
        return CONTROL_GP;
    }
    return CONTROL_OK;
}

uint64_t dr6_effective(const struct control_policy *policy, uint64_t value)
{
    uint64_t kept = DR6_KEPT | (policy->rtm ? DR6_RTM : 0);

    return (DR6_FIXED_ONES & ~kept) | (value & kept);
}

uint64_t dr7_effective(const struct control_policy *policy, uint64_t value)
{
    return DR7_FIXED_ONES | (value & (DR7_KEPT | (policy->rtm ? DR7_RTM : 0)));
}
