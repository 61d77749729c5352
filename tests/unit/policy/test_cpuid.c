#include "guest/policy/cpuid.h"

#include <string.h>

#include "guest/policy/cpuid_bits.h"
#include "kernel/cpu/x86_defs.h"
#include "tests/unit/policy/host_cpuid.h"
#include "tests/unit/support/cmocka.h"

#define ALL_STATE (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

static struct cpuid_policy policy;

static struct cpuid_config greedy(void)
{
    return (struct cpuid_config){.host = greedy_host_cpuid,
                                 .vcpus = 1,
                                 .tsc_khz = 2100000,
                                 .crystal_hz = 25000000,
                                 .xcr0_host = UINT64_MAX,
                                 .rdtscp = true,
                                 .invpcid = true};
}

static int set_up(void **state)
{
    struct cpuid_config config = greedy();

    (void)state;
    cpuid_policy_init(&policy, &config);
    return 0;
}

static struct cpuid_registers ask_as(const struct cpuid_vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_registers answer;

    memset(&answer, 0xa5, sizeof(answer));
    guest_cpuid(&policy, leaf, subleaf, vcpu, &answer);
    return answer;
}

static struct cpuid_registers ask(uint32_t leaf, uint32_t subleaf)
{
    static const struct cpuid_vcpu vcpu = {
        .apic_enabled = true, .long_mode = true, .xcr0 = XCR0_X87};

    return ask_as(&vcpu, leaf, subleaf);
}

static void assert_zero(struct cpuid_registers answer)
{
    assert_int_equal(answer.eax | answer.ebx | answer.ecx | answer.edx, 0);
}

static void assert_same(struct cpuid_registers a, struct cpuid_registers b)
{
    assert_memory_equal(&a, &b, sizeof(a));
}

/* The numbers are written out from the SDM's tables, not from our own names. */
static void exactly_these_features_pass(void **state)
{
    struct cpuid_registers leaf_1 = ask(1, 0);
    struct cpuid_registers leaf_7 = ask(7, 0);
    struct cpuid_registers extended = ask(0x80000001, 0);

    (void)state;
    /* Not: DTES64 2, MONITOR 3, DS-CPL 4, VMX 5, SMX 6, EIST 7, TM2 8, CNXT-ID 10, SDBG 11, xTPR
     * 14, PDCM 15, reserved 16, DCA 18, OSXSAVE 27 (it follows CR4). */
    assert_int_equal(leaf_1.ecx, 0xffffffff & ~0x0805cdfcu);
    /* Not: reserved 10, serial number 18, reserved 20, DS 21, ACPI 22, HTT 28 (one vCPU), TM 29,
     * reserved 30, PBE 31. */
    assert_int_equal(leaf_1.edx, 0xffffffff & ~0xf0740400u);
    assert_int_equal(leaf_7.eax, 0);
    /* Not: SGX 2, HLE 4, RTM 11, RDT-M 12, MPX 14, RDT-A 15, reserved 22, PT 25. */
    assert_int_equal(leaf_7.ebx, 0xffffffff & ~0x0240d814u);
    /* Only: PREFETCHWT1 0, VBMI 1, UMIP 2, PKU 3, VBMI2 6, GFNI 8, VAES 9, VPCLMULQDQ 10, VNNI 11,
     * BITALG 12, VPOPCNTDQ 14, RDPID 22, CLDEMOTE 25, MOVDIRI 27, MOVDIR64B 28. */
    assert_int_equal(leaf_7.ecx, 0x1a405f4f);
    /* Only: 4VNNIW 2, 4FMAPS 3, FSRM 4, VP2INTERSECT 8, MD_CLEAR 10, SERIALIZE 14, FP16 23,
     * ARCH_CAPABILITIES 29. */
    assert_int_equal(leaf_7.edx, 0x2080451c);
    assert_int_equal(extended.ecx, 0x121);
    assert_int_equal(extended.edx, 0x2c100800);
    assert_zero(ask(7, 1));
    assert_zero(ask(7, 2));
}

static void what_is_emulated_is_there_whatever_the_host_has(void **state)
{
    struct cpuid_config config = greedy();

    (void)state;
    config.host = plain_host_cpuid;
    cpuid_policy_init(&policy, &config);
    /* HYPERVISOR 31, TSC deadline 24, x2APIC 21 beside the host's SSE3 0 and CX16 13. */
    assert_int_equal(ask(1, 0).ecx, 0x81202001);
    assert_int_equal(ask(0, 0).eax, 0x16);
    assert_int_equal(ask(6, 0).eax, 4); /* ARAT */
    assert_int_equal(ask(0x80000007, 0).edx, 0x100);
    assert_zero(ask(7, 0));
    assert_zero(ask(0xd, 0));
    assert_zero(ask(0xd, 1));
    assert_int_equal(policy.xcr0_allowed, 0);
    assert_int_equal(ask(0xb, 0).ebx, 1);
    assert_int_equal(policy.physical_bits, 36);
}

static void vendor_and_brand_are_the_hosts(void **state)
{
    char text[48];

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct cpuid_registers part = ask(0x80000002 + i, 0);

        memcpy(text + 16 * i, &part, 16);
    }
    assert_string_equal(text, "Testing CPU that has everything @ 3.50GHz");
    assert_int_equal(ask(0, 0).ebx, 0x756e6547);
    assert_int_equal(ask(0, 0).edx, 0x49656e69);
    assert_int_equal(ask(0, 0).ecx, 0x6c65746e);
    assert_int_equal(ask(1, 0).eax, 0x000906ea);
    assert_int_equal(ask(2, 0).eax, 0x76036301);
    assert_int_equal(ask(0x80000006, 0).ecx, 0x01006040);
}

static void highest_leaves(void **state)
{
    (void)state;
    assert_int_equal(ask(0, 0).eax, 0x1f); /* the host's 0x20 is not known */
    assert_int_equal(ask(0x80000000, 0).eax, 0x80000008);
    assert_int_equal(ask(0x40000000, 0).eax, 0x40000010);
}

static void unknown_leaves_are_the_highest_basic_one(void **state)
{
    static const uint32_t unknown[] = {0x20,       0x21,       0x3fffffff, 0x40000011,
                                       0x400000ff, 0x40000101, 0x7fffffff, 0x80000009,
                                       0x80000020, 0x8fffffff, 0xc0000000, 0xffffffff};
    struct cpuid_config config = greedy();

    (void)state;
    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_same(ask(unknown[i], 0), ask(0x1f, 0));
        assert_same(ask(unknown[i], 1), ask(0x1f, 1)); /* with its subleaves */
    }
    config.host = plain_host_cpuid;
    cpuid_policy_init(&policy, &config);
    assert_same(ask(0x17, 0), ask(0x16, 0));
    assert_same(ask(0xffffffff, 7), ask(0x16, 0));
    assert_int_equal(ask(0x16, 0).eax, 2100);
}

static void withheld_leaves_are_empty(void **state)
{
    /* Serial number, MONITOR, DCA, performance counters, RDT, SGX, PT, and so on. */
    static const uint32_t leaves[] = {3,    5,    8,    9,    0xa,  0xc,  0xe,
                                      0xf,  0x10, 0x11, 0x12, 0x13, 0x14, 0x17,
                                      0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e};

    (void)state;
    for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
        assert_zero(ask(leaves[i], 0));
        assert_zero(ask(leaves[i], 1));
    }
    assert_int_equal(ask(6, 0).eax, 4);
    assert_int_equal(ask(6, 0).ecx, 0);
    assert_zero(ask(0x80000005, 0));
}

static void the_vcpus_state_shows(void **state)
{
    struct cpuid_vcpu vcpu = {
        .apic_id = 5, .apic_enabled = true, .long_mode = true, .cr4 = CR4_OSXSAVE | CR4_PKE};

    (void)state;
    assert_int_equal(ask_as(&vcpu, 1, 0).ebx >> 24, 5);
    assert_int_equal(ask_as(&vcpu, 1, 0).ebx & 0xff00, 0x0800);
    assert_true(ask_as(&vcpu, 1, 0).ecx & CPUID1_ECX_OSXSAVE);
    assert_true(ask_as(&vcpu, 7, 0).ecx & CPUID7_ECX_OSPKE);
    assert_true(ask_as(&vcpu, 1, 0).edx & CPUID1_EDX_APIC);
    assert_true(ask_as(&vcpu, 0x80000001, 0).edx & CPUIDX_EDX_SYSCALL);
    vcpu = (struct cpuid_vcpu){.apic_id = 300};
    assert_int_equal(ask_as(&vcpu, 1, 0).ebx >> 24, 300 & 0xff);
    assert_false(ask_as(&vcpu, 1, 0).ecx & CPUID1_ECX_OSXSAVE);
    assert_false(ask_as(&vcpu, 7, 0).ecx & CPUID7_ECX_OSPKE);
    assert_false(ask_as(&vcpu, 1, 0).edx & CPUID1_EDX_APIC);
    assert_false(ask_as(&vcpu, 0x80000001, 0).edx & CPUIDX_EDX_SYSCALL);
    assert_int_equal(ask_as(&vcpu, 0xb, 0).edx, 300);
}

static void static_leaves_need_no_vcpu(void **state)
{
    static const struct cpuid_vcpu one = {0};
    static const struct cpuid_vcpu other = {.apic_id = 3,
                                            .apic_enabled = true,
                                            .long_mode = true,
                                            .cr4 = UINT64_MAX,
                                            .xcr0 = ALL_STATE};

    (void)state;
    for (uint32_t leaf = 0; leaf < 0x30; leaf++) {
        for (uint32_t high = 0; high < 3; high++) {
            uint32_t number = leaf | (uint32_t[]){0, 0x40000000, 0x80000000}[high];
            const struct cpuid_leaf *found = cpuid_find(&policy, number);

            if (found->kind == CPUID_STATIC) {
                assert_same(ask_as(&one, number, 0), found->answer);
                assert_same(ask_as(&other, number, 3), found->answer);
            }
        }
    }
}

static void topology_of_n_vcpus(void **state)
{
    static const struct {
        unsigned vcpus;
        unsigned bits;
    } cases[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {9, 4}, {64, 6}, {256, 8}};

    static const uint32_t types[] = {0x121, 0x122, 0x143, 0x163};

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cpuid_config config = greedy();
        struct cpuid_vcpu vcpu = {.apic_id = cases[i].vcpus - 1, .apic_enabled = true};
        unsigned ids = 1u << cases[i].bits;

        config.vcpus = cases[i].vcpus;
        cpuid_policy_init(&policy, &config);
        for (uint32_t leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
            struct cpuid_registers smt = ask_as(&vcpu, leaf, 0);
            struct cpuid_registers core = ask_as(&vcpu, leaf, 1);
            struct cpuid_registers end = ask_as(&vcpu, leaf, 2);

            assert_int_equal(smt.eax, 0);
            assert_int_equal(smt.ebx, 1);
            assert_int_equal(smt.ecx, 0x100);
            assert_int_equal(core.eax, cases[i].bits);
            assert_int_equal(core.ebx, cases[i].vcpus);
            assert_int_equal(core.ecx, 0x201);
            assert_int_equal(core.edx, vcpu.apic_id);
            assert_int_equal(end.eax | end.ebx, 0);
            assert_int_equal(end.ecx, 2);
            assert_int_equal(end.edx, vcpu.apic_id);
            /* All vCPUs are in one package. */
            assert_int_equal(core.edx >> core.eax, 0);
        }
        assert_int_equal(!!(ask(1, 0).edx & CPUID1_EDX_HTT), cases[i].vcpus > 1);
        assert_int_equal(ask(1, 0).ebx >> 16 & 0xff, ids > 255 ? 255 : ids);
        /* L1 data, L1 code, L2: one vCPU's; L3: all share it. */
        for (uint32_t cache = 0; cache < 4; cache++) {
            struct cpuid_registers answer = ask(4, cache);

            assert_int_equal(answer.eax >> 14 & 0xfff, cache == 3 ? ids - 1 : 0);
            assert_int_equal(answer.eax >> 26, ids > 64 ? 63 : ids - 1);
            assert_int_equal(answer.eax & 0x3fff, types[cache]);
            assert_int_equal(answer.ebx, 0x01c0003f);
        }
        assert_zero(ask(4, 4));
        assert_zero(ask(4, 1000));
    }
}

static void frequencies_are_the_measured_ones(void **state)
{
    struct cpuid_registers tsc = ask(0x15, 0);
    struct cpuid_config config = greedy();

    (void)state;
    assert_int_equal(tsc.ecx, 25000000);
    assert_int_equal((uint64_t)tsc.ecx * tsc.ebx / tsc.eax, UINT64_C(2100000000));
    assert_int_equal(tsc.edx, 0);
    assert_int_equal(ask(0x16, 0).eax, 2100);
    assert_int_equal(ask(0x16, 0).ebx, 2100);
    assert_int_equal(ask(0x40000010, 0).eax, 2100000);
    assert_int_equal(ask(0x40000010, 0).ebx, 25000);
    config.tsc_khz = 49999; /* slow and odd: an emulator's */
    cpuid_policy_init(&policy, &config);
    tsc = ask(0x15, 0);
    assert_int_equal((uint64_t)tsc.ecx * tsc.ebx / tsc.eax, 49999000);
    assert_int_equal(ask(0x16, 0).eax, 50); /* rounded: guests show it as the CPU's speed */
}

static void assert_name(uint32_t leaf, const char *expected, uint32_t last)
{
    struct cpuid_registers answer = ask(leaf, 0);
    char name[13] = "";

    memcpy(name, &answer.ebx, 4);
    memcpy(name + 4, &answer.ecx, 4);
    memcpy(name + 8, &answer.edx, 4);
    assert_string_equal(name, expected);
    assert_int_equal(answer.eax, last);
}

static void the_hypervisor_says_its_names(void **state)
{
    (void)state;
    assert_name(0x40000000, "KVMKVMKVM", 0x40000010);
    assert_name(0x40000100, "InnkeeperVMM", 0x40000100);
    for (uint32_t leaf = 0x40000002; leaf < 0x40000010; leaf++) {
        assert_zero(ask(leaf, 0));
    }
}

/* Clock, steal time, no delays at ports; nothing that takes a hypercall or an interrupt. */
static void what_is_offered_of_kvm(void **state)
{
    struct cpuid_registers features = ask(0x40000001, 0);

    (void)state;
    assert_int_equal(features.eax, 1u << 0 | 1u << 1 | 1u << 3 | 1u << 5 | 1u << 24);
    assert_int_equal(features.ebx, 0);
    assert_int_equal(features.ecx, 0);
    assert_int_equal(features.edx, 0); /* no hints */
}

static void xsave_sizes_follow_xcr0(void **state)
{
    static const struct {
        uint64_t xcr0;
        uint32_t size;
        uint32_t compacted;
    } cases[] = {
        {XCR0_X87, 576, 576},
        {XCR0_X87 | XCR0_SSE, 576, 576},
        {XCR0_X87 | XCR0_SSE | XCR0_AVX, 832, 832},
        {XCR0_X87 | XCR0_SSE | XCR0_PKRU, 2696, 584},
        {XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512, 2688, 2432},
        {ALL_STATE, 2696, 2440},
    };
    struct cpuid_vcpu vcpu = {0};

    (void)state;
    assert_int_equal(policy.xcr0_allowed, ALL_STATE);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vcpu.xcr0 = cases[i].xcr0;
        assert_int_equal(ask_as(&vcpu, 0xd, 0).ebx, cases[i].size);
        assert_int_equal(ask_as(&vcpu, 0xd, 1).ebx, cases[i].compacted);
        assert_int_equal(ask_as(&vcpu, 0xd, 0).ecx, 2696);
        assert_int_equal(ask_as(&vcpu, 0xd, 0).eax, ALL_STATE);
        assert_int_equal(ask_as(&vcpu, 0xd, 0).edx, 0);
    }
    assert_int_equal(ask(0xd, 1).eax, 7); /* no XSAVES, no XFD */
    assert_int_equal(ask(0xd, 1).ecx, 0); /* nothing in IA32_XSS */
    assert_int_equal(ask(0xd, 2).eax, 256);
    assert_int_equal(ask(0xd, 2).ebx, 576);
    assert_int_equal(ask(0xd, 9).eax, 8);
    /* MPX, PT, AMX, and what does not exist. */
    assert_zero(ask(0xd, 3));
    assert_zero(ask(0xd, 8));
    assert_zero(ask(0xd, 17));
    assert_zero(ask(0xd, 18));
    assert_zero(ask(0xd, 62));
    assert_zero(ask(0xd, 1000));
}

static void aligned_components_in_the_compacted_form(void **state)
{
    struct cpuid_vcpu vcpu = {.xcr0 = ALL_STATE};

    (void)state;
    policy.xsave[9].ecx = CPUIDD_ECX_ALIGNED;
    policy.xsave[7].eax = 1000;
    assert_int_equal(ask_as(&vcpu, 0xd, 1).ebx, 2432 + 8);
}

static void vector_features_need_their_state(void **state)
{
    struct cpuid_config config = greedy();
    struct cpuid_registers all;

    (void)state;
    cpuid_policy_init(&policy, &config);
    all = ask(7, 0);
    config.xcr0_host = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    cpuid_policy_init(&policy, &config);
    assert_int_equal(policy.xcr0_allowed, 7);
    assert_true(ask(1, 0).ecx & CPUID1_ECX_AVX);
    assert_int_equal(ask(7, 0).ebx & 0xdc230000, 0); /* AVX-512 */
    assert_int_equal(ask(7, 0).ecx & 0x00005842, 0);
    assert_int_equal(ask(7, 0).edx & 0x0080010c, 0);
    assert_int_equal(ask(7, 0).ecx & CPUID7_ECX_PKU, 0);
    assert_true(ask(7, 0).ebx & CPUID7_EBX_AVX2);

    config.xcr0_host = XCR0_X87 | XCR0_SSE | XCR0_AVX512; /* of no use without AVX */
    cpuid_policy_init(&policy, &config);
    assert_int_equal(policy.xcr0_allowed, 3);
    assert_int_equal(ask(1, 0).ecx & (CPUID1_ECX_AVX | CPUID1_ECX_FMA | CPUID1_ECX_F16C), 0);
    assert_int_equal(ask(7, 0).ebx & 0xdc230020, 0);
    assert_int_equal(ask(7, 0).ecx & (CPUID7_ECX_VAES | CPUID7_ECX_VPCLMULQDQ), 0);
    assert_true(ask(1, 0).ecx & CPUID1_ECX_XSAVE);
    /* Nothing else goes, nothing comes. */
    assert_int_equal(ask(7, 0).ebx, all.ebx & ~0xdc230020u);
    assert_int_equal(ask(7, 0).ecx, all.ecx & ~0x00005e4au);
    assert_int_equal(ask(7, 0).edx, all.edx & ~0x0080010cu);

    config.xcr0_host = XCR0_X87 | XCR0_SSE | XCR0_AVX | (XCR0_AVX512 & ~(UINT64_C(1) << 6));
    cpuid_policy_init(&policy, &config);
    assert_int_equal(policy.xcr0_allowed, 7);

    config.xcr0_host = 0;
    cpuid_policy_init(&policy, &config);
    assert_int_equal(policy.xcr0_allowed, 0);
    assert_false(ask(1, 0).ecx & CPUID1_ECX_XSAVE);
    assert_zero(ask(0xd, 2));
}

static void back_end_limits(void **state)
{
    struct cpuid_config config = greedy();

    (void)state;
    config.rdtscp = false;
    config.invpcid = false;
    cpuid_policy_init(&policy, &config);
    assert_false(ask(0x80000001, 0).edx & CPUIDX_EDX_RDTSCP);
    assert_false(ask(7, 0).ecx & CPUID7_ECX_RDPID);
    assert_false(ask(7, 0).ebx & CPUID7_EBX_INVPCID);
}

static void address_widths(void **state)
{
    (void)state;
    /* The host has 39 physical and 57 linear bits; 57 are withheld. */
    assert_int_equal(ask(0x80000008, 0).eax, 0x3027);
    assert_int_equal(ask(0x80000008, 0).ebx, 0);
    assert_int_equal(policy.physical_bits, 39);
    assert_int_equal(policy.linear_bits, 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(exactly_these_features_pass, set_up),
        cmocka_unit_test(what_is_emulated_is_there_whatever_the_host_has),
        cmocka_unit_test_setup(vendor_and_brand_are_the_hosts, set_up),
        cmocka_unit_test_setup(highest_leaves, set_up),
        cmocka_unit_test_setup(unknown_leaves_are_the_highest_basic_one, set_up),
        cmocka_unit_test_setup(withheld_leaves_are_empty, set_up),
        cmocka_unit_test_setup(the_vcpus_state_shows, set_up),
        cmocka_unit_test_setup(static_leaves_need_no_vcpu, set_up),
        cmocka_unit_test(topology_of_n_vcpus),
        cmocka_unit_test_setup(frequencies_are_the_measured_ones, set_up),
        cmocka_unit_test_setup(the_hypervisor_says_its_names, set_up),
        cmocka_unit_test_setup(what_is_offered_of_kvm, set_up),
        cmocka_unit_test_setup(xsave_sizes_follow_xcr0, set_up),
        cmocka_unit_test_setup(aligned_components_in_the_compacted_form, set_up),
        cmocka_unit_test(vector_features_need_their_state),
        cmocka_unit_test(back_end_limits),
        cmocka_unit_test_setup(address_widths, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
