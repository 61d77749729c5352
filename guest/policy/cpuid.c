#include "guest/policy/cpuid.h"

#include <string.h>

#include "guest/policy/arch_capabilities.h"
#include "guest/policy/cpuid_bits.h"
#include "guest/pvclock.h"
#include "kernel/cpu/x86_defs.h"

/* What a guest may get if the host has it. Everything else is withheld: VMX, SMX and SGX; MONITOR;
 * the performance counters and everything that needs them or their MSRs (DS, PDCM, PT, LBR);
 * thermal and power control; TSX, MPX, CET, protection keys for supervisor pages, 57-bit linear
 * addresses, WAITPKG, RDT, AMX; and the speculation controls, whose MSRs nobody switches. */
#define ALLOWED_1_ECX                                                              \
    (CPUID1_ECX_SSE3 | CPUID1_ECX_PCLMULQDQ | CPUID1_ECX_SSSE3 | CPUID1_ECX_CX16 | \
     CPUID1_ECX_PCID | CPUID1_ECX_SSE4_1 | CPUID1_ECX_SSE4_2 | CPUID1_ECX_MOVBE |  \
     CPUID1_ECX_POPCNT | CPUID1_ECX_AES | CPUID1_ECX_XSAVE | CPUID1_ECX_RDRAND | AVX_1_ECX)
#define ALLOWED_1_EDX                                                                            \
    (CPUID1_EDX_FPU | CPUID1_EDX_VME | CPUID1_EDX_DE | CPUID1_EDX_PSE | CPUID1_EDX_TSC |         \
     CPUID1_EDX_MSR | CPUID1_EDX_PAE | CPUID1_EDX_MCE | CPUID1_EDX_CX8 | CPUID1_EDX_APIC |       \
     CPUID1_EDX_SEP | CPUID1_EDX_MTRR | CPUID1_EDX_PGE | CPUID1_EDX_MCA | CPUID1_EDX_CMOV |      \
     CPUID1_EDX_PAT | CPUID1_EDX_PSE36 | CPUID1_EDX_CLFLUSH | CPUID1_EDX_MMX | CPUID1_EDX_FXSR | \
     CPUID1_EDX_SSE | CPUID1_EDX_SSE2 | CPUID1_EDX_SS)
#define ALLOWED_7_EBX                                                                      \
    (CPUID7_EBX_FSGSBASE | CPUID7_EBX_BMI1 | CPUID7_EBX_FDP_EXCEPTIONS | CPUID7_EBX_SMEP | \
     CPUID7_EBX_BMI2 | CPUID7_EBX_ERMS | CPUID7_EBX_INVPCID | CPUID7_EBX_FPU_NO_CS_DS |    \
     CPUID7_EBX_RDSEED | CPUID7_EBX_ADX | CPUID7_EBX_SMAP | CPUID7_EBX_CLFLUSHOPT |        \
     CPUID7_EBX_CLWB | CPUID7_EBX_SHA | AVX_7_EBX | AVX512_7_EBX)
#define ALLOWED_7_ECX                                                                     \
    (CPUID7_ECX_PREFETCHWT1 | CPUID7_ECX_UMIP | CPUID7_ECX_PKU | CPUID7_ECX_GFNI |        \
     CPUID7_ECX_RDPID | CPUID7_ECX_CLDEMOTE | CPUID7_ECX_MOVDIRI | CPUID7_ECX_MOVDIR64B | \
     AVX_7_ECX | AVX512_7_ECX)
#define ALLOWED_7_EDX        (CPUID7_EDX_FSRM | CPUID7_EDX_MD_CLEAR | CPUID7_EDX_SERIALIZE | AVX512_7_EDX)
#define ALLOWED_D_1          (CPUIDD_EAX_XSAVEOPT | CPUIDD_EAX_XSAVEC | CPUIDD_EAX_XGETBV1)
#define ALLOWED_EXTENDED_ECX (CPUIDX_ECX_LAHF | CPUIDX_ECX_LZCNT | CPUIDX_ECX_PREFETCHW)
#define ALLOWED_EXTENDED_EDX \
    (CPUIDX_EDX_SYSCALL | CPUIDX_EDX_NX | CPUIDX_EDX_PAGE_1G | CPUIDX_EDX_RDTSCP | CPUIDX_EDX_LM)

/* What lives in state that XCR0 must have. */
#define AVX_1_ECX (CPUID1_ECX_FMA | CPUID1_ECX_AVX | CPUID1_ECX_F16C)
#define AVX_7_EBX CPUID7_EBX_AVX2
#define AVX_7_ECX (CPUID7_ECX_VAES | CPUID7_ECX_VPCLMULQDQ)
#define AVX512_7_EBX                                                                           \
    (CPUID7_EBX_AVX512F | CPUID7_EBX_AVX512DQ | CPUID7_EBX_AVX512_IFMA | CPUID7_EBX_AVX512PF | \
     CPUID7_EBX_AVX512ER | CPUID7_EBX_AVX512CD | CPUID7_EBX_AVX512BW | CPUID7_EBX_AVX512VL)
#define AVX512_7_ECX                                                             \
    (CPUID7_ECX_AVX512_VBMI | CPUID7_ECX_AVX512_VBMI2 | CPUID7_ECX_AVX512_VNNI | \
     CPUID7_ECX_AVX512_BITALG | CPUID7_ECX_AVX512_VPOPCNT)
#define AVX512_7_EDX                                                                  \
    (CPUID7_EDX_AVX512_4VNNIW | CPUID7_EDX_AVX512_4FMAPS | CPUID7_EDX_AVX512_VP2INT | \
     CPUID7_EDX_AVX512_FP16)

#define XCR0_LEGACY (XCR0_X87 | XCR0_SSE)

/* The least highest leaf: the TSC's speed must be told. */
#define LEAST_BASIC_LEAF 0x16u

#define XSAVE_LEGACY_SIZE 576u /* FXSAVE area and XSAVE header */

#define HYPERVISOR_BASE          0x40000000u
#define HYPERVISOR_FEATURES_LEAF 0x1u
#define HYPERVISOR_TIMING_LEAF   0x10u
/* No asynchronous page faults, no EOI, IPIs, TLB flushes or spinlocks by way of memory and
 * hypercalls: what the CPU does itself is quicker here. */
#define PARAVIRTUAL_FEATURES                                                         \
    (KVM_FEATURE_CLOCKSOURCE | KVM_FEATURE_CLOCKSOURCE2 | KVM_FEATURE_NOP_IO_DELAY | \
     KVM_FEATURE_STEAL_TIME | KVM_FEATURE_CLOCKSOURCE_STABLE_BIT)
#define EXTENDED_BASE 0x80000000u
#define BUS_MHZ       100u

#define CACHE_TYPE          0x1fu
#define CACHE_LEVEL_SHIFT   5
#define CACHE_LEVEL         7u
#define CACHE_SHARING_SHIFT 14
#define CACHE_SHARING_MASK  0xfffu
#define CACHE_CORES_SHIFT   26
#define CACHE_CORES_MASK    0x3fu

#define TOPOLOGY_SMT        1u
#define TOPOLOGY_CORE       2u
#define TOPOLOGY_TYPE_SHIFT 8

/* Bits of an APIC id that number the vCPUs. */
static unsigned apic_id_bits(unsigned vcpus)
{
    unsigned bits = 0;

    while (1u << bits < vcpus) {
        bits++;
    }
    return bits;
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

/* The state components a guest may enable: whole features, and only with what they build on. */
static uint64_t allowed_xcr0(const struct cpuid_config *config)
{
    struct cpuid_registers leaf_1;
    struct cpuid_registers leaf_d;
    uint64_t allowed;

    config->host(1, 0, &leaf_1);
    if (!(leaf_1.ecx & CPUID1_ECX_XSAVE)) {
        return 0;
    }
    config->host(0xd, 0, &leaf_d);
    allowed = ((uint64_t)leaf_d.edx << 32 | leaf_d.eax) & config->xcr0_host &
              (XCR0_LEGACY | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU);
    if ((allowed & XCR0_LEGACY) != XCR0_LEGACY) {
        return 0;
    }
    if (!(allowed & XCR0_AVX) || (allowed & XCR0_AVX512) != XCR0_AVX512) {
        allowed &= ~XCR0_AVX512;
    }
    return allowed;
}

static void init_features(struct cpuid_policy *policy, const struct cpuid_config *config)
{
    struct cpuid_registers *answer = &policy->basic[1].answer;
    unsigned logical = 1u << apic_id_bits(config->vcpus);

    config->host(1, 0, answer);
    policy->basic[1].kind = CPUID_PER_VCPU;
    /* CLFLUSH line size stays; APIC id 31:24 is each vCPU's own. */
    answer->ebx = (answer->ebx & 0xff00u) | at_most(logical, 0xff) << 16;
    answer->ecx &= ALLOWED_1_ECX;
    answer->ecx |= CPUID1_ECX_HYPERVISOR | CPUID1_ECX_X2APIC | CPUID1_ECX_TSC_DEADLINE;
    answer->edx &= ALLOWED_1_EDX;
    if (config->vcpus > 1) {
        answer->edx |= CPUID1_EDX_HTT;
    }
    if (!policy->xcr0_allowed) {
        answer->ecx &= ~CPUID1_ECX_XSAVE;
    }
    if (!(policy->xcr0_allowed & XCR0_AVX)) {
        answer->ecx &= ~AVX_1_ECX;
    }
}

static void init_structured_features(struct cpuid_policy *policy, const struct cpuid_config *config)
{
    struct cpuid_registers *answer = &policy->basic[7].answer;

    config->host(7, 0, answer);
    policy->basic[7].kind = CPUID_STRUCTURED;
    answer->eax = 0; /* no further subleaves */
    answer->ebx = (answer->ebx & ALLOWED_7_EBX) | CPUID7_EBX_TSC_ADJUST;
    answer->ecx &= ALLOWED_7_ECX;
    answer->edx = (answer->edx & ALLOWED_7_EDX) | CPUID7_EDX_ARCH_CAPABILITIES;
    policy->arch_capabilities = guest_arch_capabilities(config->host, config->arch_capabilities);
    if (!(policy->xcr0_allowed & XCR0_AVX)) {
        answer->ebx &= ~AVX_7_EBX;
        answer->ecx &= ~AVX_7_ECX;
    }
    if (!(policy->xcr0_allowed & XCR0_AVX512)) {
        answer->ebx &= ~AVX512_7_EBX;
        answer->ecx &= ~AVX512_7_ECX;
        answer->edx &= ~AVX512_7_EDX;
    }
    if (!(policy->xcr0_allowed & XCR0_PKRU)) {
        answer->ecx &= ~CPUID7_ECX_PKU;
    }
    if (!config->invpcid) {
        answer->ebx &= ~CPUID7_EBX_INVPCID;
    }
    if (!config->rdtscp) { /* one control of the CPU withholds both */
        answer->ecx &= ~CPUID7_ECX_RDPID;
    }
}

/* Caches: those of a core belong to one vCPU, the last level to all. */
static void init_caches(struct cpuid_policy *policy, const struct cpuid_config *config)
{
    uint32_t ids = (1u << apic_id_bits(config->vcpus)) - 1;

    policy->basic[4].kind = CPUID_CACHE;
    for (unsigned i = 0; i < CPUID_CACHE_SUBLEAVES; i++) {
        struct cpuid_registers *cache = &policy->cache[i];
        uint32_t sharing;

        config->host(4, i, cache);
        if (!(cache->eax & CACHE_TYPE)) {
            memset(cache, 0, sizeof(*cache));
            break;
        }
        sharing = (cache->eax >> CACHE_LEVEL_SHIFT & CACHE_LEVEL) >= 3 ? ids : 0;
        cache->eax &= (1u << CACHE_SHARING_SHIFT) - 1;
        cache->eax |= at_most(sharing, CACHE_SHARING_MASK) << CACHE_SHARING_SHIFT;
        cache->eax |= at_most(ids, CACHE_CORES_MASK) << CACHE_CORES_SHIFT;
    }
}

/* Size of the standard form: each component has its place (SDM vol. 1, 13.4.2). */
static uint32_t standard_size(const struct cpuid_policy *policy, uint64_t xcr0)
{
    uint32_t size = XSAVE_LEGACY_SIZE;

    for (unsigned i = 2; i < CPUID_XSAVE_SUBLEAVES; i++) {
        uint32_t end = policy->xsave[i].ebx + policy->xsave[i].eax;

        if ((xcr0 & UINT64_C(1) << i) && end > size) {
            size = end;
        }
    }
    return size;
}

static void init_xsave(struct cpuid_policy *policy, const struct cpuid_config *config)
{
    struct cpuid_registers host;

    policy->basic[0xd].kind = CPUID_XSAVE;
    if (!policy->xcr0_allowed) {
        return;
    }
    policy->xsave[0].eax = (uint32_t)policy->xcr0_allowed;
    policy->xsave[0].edx = (uint32_t)(policy->xcr0_allowed >> 32);
    config->host(0xd, 1, &host);
    policy->xsave[1].eax = host.eax & ALLOWED_D_1;
    for (unsigned i = 2; i < CPUID_XSAVE_SUBLEAVES; i++) {
        if (policy->xcr0_allowed & UINT64_C(1) << i) {
            config->host(0xd, i, &policy->xsave[i]);
        }
    }
    policy->xsave[0].ecx = standard_size(policy, policy->xcr0_allowed);
}

/* Leaves 0x15 and 0x16: the TSC is the crystal's clock times EBX / EAX. */
static void init_frequencies(struct cpuid_policy *policy, const struct cpuid_config *config)
{
    uint32_t mhz = (uint32_t)((config->tsc_khz + 500) / 1000);

    policy->basic[0x15].answer = (struct cpuid_registers){
        .eax = config->crystal_hz / 1000,
        .ebx = (uint32_t)config->tsc_khz,
        .ecx = config->crystal_hz,
    };
    policy->basic[0x16].answer = (struct cpuid_registers){.eax = mhz, .ebx = mhz, .ecx = BUS_MHZ};
}

static void init_basic(struct cpuid_policy *policy, const struct cpuid_config *config)
{
    struct cpuid_registers *first = &policy->basic[0].answer;
    uint32_t highest;

    config->host(0, 0, first);
    highest = at_most(first->eax, CPUID_BASIC_LEAVES - 1);
    if (highest < LEAST_BASIC_LEAF) {
        highest = LEAST_BASIC_LEAF;
    }
    /* The leaves that a real CPU of this maximum has and that are not set below read as zeros:
     * serial number, MONITOR, DCA, performance counters, RDT, SGX, PT, ... */
    init_features(policy, config);
    if (first->eax >= 2) {
        config->host(2, 0, &policy->basic[2].answer);
    }
    if (first->eax >= 4) {
        init_caches(policy, config);
    }
    policy->basic[6].answer.eax = CPUID6_EAX_ARAT; /* the APIC timer never stops */
    if (first->eax >= 7) {
        init_structured_features(policy, config);
    }
    policy->basic[0xb].kind = CPUID_TOPOLOGY;
    init_xsave(policy, config);
    init_frequencies(policy, config);
    policy->basic[0x1f].kind = CPUID_TOPOLOGY;
    first->eax = highest;
    for (unsigned i = highest + 1; i < CPUID_BASIC_LEAVES; i++) {
        policy->basic[i] = policy->basic[highest];
    }
}

/* The first of a range of hypervisor leaves: the last one, and a name of at most 12 letters. */
static struct cpuid_registers hypervisor_name(uint32_t last, const char *name)
{
    struct cpuid_registers answer = {.eax = last};
    char letters[12] = "";

    memcpy(letters, name, strnlen(name, sizeof(letters)));
    memcpy(&answer.ebx, letters, 4);
    memcpy(&answer.ecx, letters + 4, 4);
    memcpy(&answer.edx, letters + 8, 4);
    return answer;
}

/* What guests are offered is KVM's interface, or the part of it that pays (guest/pvclock.h); it
 * comes first, because some look at the first range only. */
static void init_hypervisor(struct cpuid_policy *policy, const struct cpuid_config *config)
{
    struct cpuid_registers *timing = &policy->hypervisor[HYPERVISOR_TIMING_LEAF].answer;

    policy->hypervisor[0].answer =
        hypervisor_name(HYPERVISOR_BASE + CPUID_HYPERVISOR_LEAVES - 1, "KVMKVMKVM");
    policy->hypervisor[HYPERVISOR_FEATURES_LEAF].answer.eax = PARAVIRTUAL_FEATURES;
    policy->own_name.answer = hypervisor_name(CPUID_OWN_NAME, "InnkeeperVMM");
    timing->eax = (uint32_t)config->tsc_khz;
    timing->ebx = config->crystal_hz / 1000;
}

static void init_extended(struct cpuid_policy *policy, const struct cpuid_config *config)
{
    struct cpuid_leaf *leaves = policy->extended;
    struct cpuid_registers host;

    config->host(EXTENDED_BASE, 0, &host);
    leaves[0].answer.eax = EXTENDED_BASE + CPUID_EXTENDED_LEAVES - 1;

    config->host(EXTENDED_BASE + 1, 0, &host);
    leaves[1].kind = CPUID_EXTENDED_VCPU;
    leaves[1].answer.ecx = host.ecx & ALLOWED_EXTENDED_ECX;
    /* Hosts that are asked outside 64-bit mode hide SYSCALL; this host never is. */
    leaves[1].answer.edx = host.edx & ALLOWED_EXTENDED_EDX;
    if (!config->rdtscp) {
        leaves[1].answer.edx &= ~CPUIDX_EDX_RDTSCP;
    }
    for (unsigned i = 2; i <= 4; i++) { /* the brand string */
        config->host(EXTENDED_BASE + i, 0, &leaves[i].answer);
    }
    config->host(EXTENDED_BASE + 6, 0, &leaves[6].answer);
    leaves[7].answer.edx = CPUIDX7_EDX_INVARIANT_TSC;

    config->host(EXTENDED_BASE + 8, 0, &host);
    policy->physical_bits = host.eax & 0xff;
    policy->linear_bits = 48; /* no 57-bit linear addresses */
    leaves[8].answer.eax = policy->linear_bits << 8 | policy->physical_bits;
}

void cpuid_policy_init(struct cpuid_policy *policy, const struct cpuid_config *config)
{
    memset(policy, 0, sizeof(*policy));
    policy->vcpus = config->vcpus;
    policy->xcr0_allowed = allowed_xcr0(config);
    init_basic(policy, config);
    init_hypervisor(policy, config);
    init_extended(policy, config);
}

/* Size of the compacted form (SDM vol. 1, 13.4.3). */
static uint32_t compacted_size(const struct cpuid_policy *policy, uint64_t xcr0)
{
    uint32_t size = XSAVE_LEGACY_SIZE;

    for (unsigned i = 2; i < CPUID_XSAVE_SUBLEAVES; i++) {
        if (!(xcr0 & UINT64_C(1) << i)) {
            continue;
        }
        if (policy->xsave[i].ecx & CPUIDD_ECX_ALIGNED) {
            size = (size + 63) & ~63u;
        }
        size += policy->xsave[i].eax;
    }
    return size;
}

static void topology_answer(const struct cpuid_policy *policy, uint32_t subleaf, uint32_t apic_id,
                            struct cpuid_registers *answer)
{
    *answer = (struct cpuid_registers){.ecx = subleaf & 0xff, .edx = apic_id};
    if (subleaf == 0) { /* one thread per core */
        answer->ebx = 1;
        answer->ecx |= TOPOLOGY_SMT << TOPOLOGY_TYPE_SHIFT;
    } else if (subleaf == 1) {
        answer->eax = apic_id_bits(policy->vcpus);
        answer->ebx = policy->vcpus;
        answer->ecx |= TOPOLOGY_CORE << TOPOLOGY_TYPE_SHIFT;
    }
}

static void xsave_answer(const struct cpuid_policy *policy, uint32_t subleaf, uint64_t xcr0,
                         struct cpuid_registers *answer)
{
    if (subleaf >= CPUID_XSAVE_SUBLEAVES || !policy->xcr0_allowed) {
        *answer = (struct cpuid_registers){0};
        return;
    }
    *answer = policy->xsave[subleaf];
    if (subleaf == 0) {
        answer->ebx = standard_size(policy, xcr0);
    } else if (subleaf == 1 && (answer->eax & CPUIDD_EAX_XSAVEC)) {
        answer->ebx = compacted_size(policy, xcr0);
    }
}

void guest_cpuid(const struct cpuid_policy *policy, uint32_t leaf, uint32_t subleaf,
                 const struct cpuid_vcpu *vcpu, struct cpuid_registers *answer)
{
    const struct cpuid_leaf *entry = cpuid_find(policy, leaf);

    *answer = entry->answer;
    switch (entry->kind) {
    case CPUID_STATIC:
        break;
    case CPUID_PER_VCPU:
        answer->ebx |= vcpu->apic_id << 24;
        answer->ecx |= vcpu->cr4 & CR4_OSXSAVE ? CPUID1_ECX_OSXSAVE : 0;
        if (!vcpu->apic_enabled) {
            answer->edx &= ~CPUID1_EDX_APIC;
        }
        break;
    case CPUID_CACHE:
        *answer = *cpuid_cache(policy, subleaf);
        break;
    case CPUID_STRUCTURED:
        if (subleaf > 0) {
            *answer = (struct cpuid_registers){0};
        } else if (vcpu->cr4 & CR4_PKE) {
            answer->ecx |= CPUID7_ECX_OSPKE;
        }
        break;
    case CPUID_TOPOLOGY:
        topology_answer(policy, subleaf, vcpu->apic_id, answer);
        break;
    case CPUID_XSAVE:
        xsave_answer(policy, subleaf, vcpu->xcr0, answer);
        break;
    case CPUID_EXTENDED_VCPU:
        if (!vcpu->long_mode) {
            answer->edx &= ~CPUIDX_EDX_SYSCALL;
        }
        break;
    }
}
