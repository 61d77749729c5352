/*
 * What CPUID tells a guest: the host's answers, minus what the guest does not get, made consistent
 * with its number of vCPUs and the measured speed of the TSC. All of it is worked out once, when
 * the VM is made; an exit is a table look-up.
 */
#ifndef GUEST_POLICY_CPUID_H
#define GUEST_POLICY_CPUID_H

#include <stdbool.h>
#include <stdint.h>

struct cpuid_registers {
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
};

#define CPUID_BASIC_LEAVES      0x20u /* 0 .. 0x1f */
#define CPUID_HYPERVISOR_LEAVES 0x11u /* 0x40000000 .. 0x40000010: as KVM's */
#define CPUID_OWN_NAME          0x40000100u
#define CPUID_EXTENDED_LEAVES   0x09u /* 0x80000000 .. 0x80000008 */
#define CPUID_CACHE_SUBLEAVES   8u
#define CPUID_XSAVE_SUBLEAVES   20u

struct cpuid_config {
    /* The host's own answer (the CPUID instruction, or a test's table). */
    void (*host)(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *answer);
    unsigned vcpus;             /* APIC ids are 0..vcpus-1, one package, a core each */
    uint64_t tsc_khz;           /* the TSC's speed as measured; the host's leaf 0x15 may lie */
    uint32_t crystal_hz;        /* input clock of the guest's local APIC timer */
    uint64_t xcr0_host;         /* state components that the host switches: XCR0 bits */
    uint64_t arch_capabilities; /* the host's IA32_ARCH_CAPABILITIES, 0 if it has none */
    bool rdtscp;                /* the back end lets guests use it */
    bool invpcid;
};

enum cpuid_leaf_kind {
    CPUID_STATIC,        /* the stored answer is all there is */
    CPUID_CACHE,         /* leaf 4: by subleaf */
    CPUID_PER_VCPU,      /* leaf 1: apic_id, apic_enabled, cr4.OSXSAVE */
    CPUID_STRUCTURED,    /* leaf 7: subleaf 0; cr4.PKE */
    CPUID_TOPOLOGY,      /* leaves 0xb and 0x1f: apic_id */
    CPUID_XSAVE,         /* leaf 0xd: xcr0 */
    CPUID_EXTENDED_VCPU, /* leaf 0x80000001: long_mode, for SYSCALL */
};

struct cpuid_leaf {
    struct cpuid_registers answer;
    uint8_t kind; /* enum cpuid_leaf_kind */
};

struct cpuid_policy {
    struct cpuid_leaf basic[CPUID_BASIC_LEAVES]; /* unknown ones: as the highest one */
    struct cpuid_leaf extended[CPUID_EXTENDED_LEAVES];
    struct cpuid_leaf hypervisor[CPUID_HYPERVISOR_LEAVES];
    struct cpuid_leaf own_name;                              /* CPUID_OWN_NAME */
    struct cpuid_registers cache[CPUID_CACHE_SUBLEAVES + 1]; /* the last: any other subleaf */
    struct cpuid_registers xsave[CPUID_XSAVE_SUBLEAVES];
    uint64_t xcr0_allowed;      /* what XSETBV(0) may set */
    uint64_t arch_capabilities; /* IA32_ARCH_CAPABILITIES, if leaf 7 has it */
    unsigned vcpus;
    unsigned physical_bits; /* MAXPHYADDR */
    unsigned linear_bits;
};

/* What the answer of a leaf that is not static depends on. */
struct cpuid_vcpu {
    uint32_t apic_id;
    bool apic_enabled; /* IA32_APIC_BASE.EN */
    bool long_mode;    /* executing 64-bit code (CS.L with EFER.LMA) */
    uint64_t cr4;      /* as the guest reads it */
    uint64_t xcr0;
};

/** Works out all leaves. */
void cpuid_policy_init(struct cpuid_policy *policy, const struct cpuid_config *config);

/** The leaf's entry in the tables; an unknown leaf is, as on Intel's CPUs, the highest basic one.
 */
static inline const struct cpuid_leaf *cpuid_find(const struct cpuid_policy *policy, uint32_t leaf)
{
    if (__builtin_expect(leaf < CPUID_BASIC_LEAVES, 1)) {
        return &policy->basic[leaf];
    }
    if (leaf - 0x80000000u < CPUID_EXTENDED_LEAVES) {
        return &policy->extended[leaf - 0x80000000u];
    }
    if (leaf - 0x40000000u < CPUID_HYPERVISOR_LEAVES) {
        return &policy->hypervisor[leaf - 0x40000000u];
    }
    if (leaf == CPUID_OWN_NAME) {
        return &policy->own_name;
    }
    return &policy->basic[CPUID_BASIC_LEAVES - 1];
}

/** The answer of the leaf whose kind is CPUID_CACHE. */
static inline const struct cpuid_registers *cpuid_cache(const struct cpuid_policy *policy,
                                                        uint32_t subleaf)
{
    return &policy->cache[subleaf < CPUID_CACHE_SUBLEAVES ? subleaf : CPUID_CACHE_SUBLEAVES];
}

/** The whole answer for one vCPU. Of `vcpu`, only what the kind of the leaf names is looked at. The
 * answer of a leaf of kind CPUID_STATIC is the one in cpuid_find's entry. */
void guest_cpuid(const struct cpuid_policy *policy, uint32_t leaf, uint32_t subleaf,
                 const struct cpuid_vcpu *vcpu, struct cpuid_registers *answer);

#endif
