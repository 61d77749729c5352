#include "guest/policy/msr.h"

#include <string.h>

#include "kernel/cpu/x86_defs.h"
#include "tests/unit/policy/host_cpuid.h"
#include "tests/unit/support/cmocka.h"

#define CANONICAL     UINT64_C(0xffff800000001234)
#define NOT_CANONICAL UINT64_C(0x0000800000000000)
#define MICROCODE     0x25u
#define BIT(n)        (UINT64_C(1) << (n))

static struct cpuid_policy cpuid;
static struct control_policy control;
static struct guest_msrs msrs;
static struct guest_memory memory; /* none */
static struct pvclock_vm pvclock_vm = {.memory = &memory};
static struct pvclock pvclock;

/* The rest of the vCPU. */
static uint64_t registers[REGISTER_COUNT];
static uint64_t bases[SEGMENT_COUNT];
static uint64_t tsc;

static uint64_t get_register(void *context, enum virt_register which)
{
    (void)context;
    return registers[which];
}

static void set_register(void *context, enum virt_register which, uint64_t value)
{
    (void)context;
    registers[which] = value;
}

static uint64_t get_segment_base(void *context, enum virt_segment which)
{
    (void)context;
    return bases[which];
}

static void set_segment_base(void *context, enum virt_segment which, uint64_t base)
{
    (void)context;
    bases[which] = base;
}

static uint64_t host_tsc(void *context)
{
    (void)context;
    return tsc;
}

static const struct msr_environment environment = {
    .get_register = get_register,
    .set_register = set_register,
    .get_segment_base = get_segment_base,
    .set_segment_base = set_segment_base,
    .host_tsc = host_tsc,
};

static int set_up(void **state)
{
    struct cpuid_config config = {.host = greedy_host_cpuid,
                                  .vcpus = 1,
                                  .tsc_khz = 1000000,
                                  .crystal_hz = 25000000,
                                  .arch_capabilities = BIT(0) | BIT(1),
                                  .rdtscp = true};

    (void)state;
    memset(registers, 0, sizeof(registers));
    memset(bases, 0, sizeof(bases));
    tsc = 1000;
    cpuid_policy_init(&cpuid, &config);
    control_policy_init(&control, &cpuid);
    pvclock_init(&pvclock, &pvclock_vm);
    guest_msrs_init(&msrs, &environment, &cpuid, &control, &pvclock, MICROCODE);
    return 0;
}

static uint64_t get(uint32_t index)
{
    uint64_t value = 0xdead;

    assert_int_equal(guest_msr_read(&msrs, index, &value), MSR_OK);
    return value;
}

static void put(uint32_t index, uint64_t value)
{
    assert_int_equal(guest_msr_write(&msrs, index, value), MSR_OK);
}

static void refuse_put(uint32_t index, uint64_t value)
{
    assert_int_equal(guest_msr_write(&msrs, index, value), MSR_FAULT);
}

static void refuse_get(uint32_t index)
{
    uint64_t value;

    assert_int_equal(guest_msr_read(&msrs, index, &value), MSR_FAULT);
}

/* Every index there is, near the places where MSRs are: only known ones answer, and the local
 * APIC's are not among them. */
static void what_is_not_listed_does_not_exist(void **state)
{
    static const uint32_t readable[] = {
        0x0,        0x1,        0x10,       0x11,       0x12,       0x4b564d00, 0x4b564d01,
        0x4b564d03, 0x17,       0x3a,       0x3b,       0x8b,       0xfe,       0x10a,
        0x174,      0x175,      0x176,      0x179,      0x17a,      0x1a0,      0x1d9,
        0x250,      0x258,      0x259,      0x277,      0x2ff,      0xc0000080, 0xc0000081,
        0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103};
    static const uint32_t starts[] = {0x0, 0xc0000000, 0xc0010000, 0x40000000, 0x4b564d00};

    (void)state;
    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        for (uint32_t index = starts[i]; index < starts[i] + 0x2000; index++) {
            bool expected = (index >= 0x200 && index < 0x210) || (index >= 0x268 && index < 0x270);
            uint64_t value;

            for (unsigned j = 0; j < sizeof(readable) / sizeof(readable[0]); j++) {
                expected |= readable[j] == index;
            }
            assert_int_equal(guest_msr_read(&msrs, index, &value), expected ? MSR_OK : MSR_FAULT);
            if (!expected && index != MSR_BIOS_UPDT_TRIG) {
                assert_int_equal(guest_msr_write(&msrs, index, 0), MSR_FAULT);
            }
        }
    }
}

static void withheld_ones_by_name(void **state)
{
    static const uint32_t withheld[] = {
        MSR_SPEC_CTRL, MSR_PRED_CMD,        MSR_PERF_GLOBAL_CTRL, MSR_VMX_BASIC, MSR_VMX_TRUE_ENTRY,
        MSR_XSS,       0x400 /* MC0_CTL */, 0xc1 /* PMC0 */,      0x186 /* PERFEVTSEL0 */};

    (void)state;
    for (unsigned i = 0; i < sizeof(withheld) / sizeof(withheld[0]); i++) {
        refuse_get(withheld[i]);
        refuse_put(withheld[i], 0);
    }
}

static void registers_of_the_vcpu(void **state)
{
    static const struct {
        uint32_t index;
        enum virt_register which;
        uint64_t value;
    } plain[] = {
        {MSR_SYSENTER_CS, REGISTER_SYSENTER_CS, 0x10},
        {MSR_SYSENTER_ESP, REGISTER_SYSENTER_ESP, CANONICAL},
        {MSR_SYSENTER_EIP, REGISTER_SYSENTER_EIP, CANONICAL + 1},
        {MSR_DEBUGCTL, REGISTER_DEBUGCTL, 2},
        {MSR_PAT, REGISTER_PAT, UINT64_C(0x0007040600070406)},
        {MSR_STAR, REGISTER_STAR, UINT64_C(0x0023001000000000)},
        {MSR_LSTAR, REGISTER_LSTAR, CANONICAL + 2},
        {MSR_CSTAR, REGISTER_CSTAR, CANONICAL + 3},
        {MSR_SFMASK, REGISTER_SFMASK, 0x47700},
        {MSR_KERNEL_GS_BASE, REGISTER_KERNEL_GS_BASE, CANONICAL + 4},
        {MSR_TSC_AUX, REGISTER_TSC_AUX, 7},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        put(plain[i].index, plain[i].value);
        assert_int_equal(registers[plain[i].which], plain[i].value);
        assert_int_equal(get(plain[i].index), plain[i].value);
    }
    put(MSR_FS_BASE, CANONICAL);
    put(MSR_GS_BASE, CANONICAL + 5);
    assert_int_equal(bases[SEGMENT_FS], CANONICAL);
    assert_int_equal(bases[SEGMENT_GS], CANONICAL + 5);
    assert_int_equal(get(MSR_FS_BASE), CANONICAL);
    assert_int_equal(get(MSR_GS_BASE), CANONICAL + 5);
    put(MSR_SYSENTER_CS, UINT64_C(0x1234567800000008)); /* its upper half is ignored */
    assert_int_equal(get(MSR_SYSENTER_CS), 8);
}

static void addresses_must_be_canonical(void **state)
{
    static const uint32_t addresses[] = {MSR_SYSENTER_ESP,  MSR_SYSENTER_EIP, MSR_LSTAR,
                                         MSR_CSTAR,         MSR_FS_BASE,      MSR_GS_BASE,
                                         MSR_KERNEL_GS_BASE};

    (void)state;
    for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        put(addresses[i], UINT64_C(0x00007fffffffffff));
        put(addresses[i], UINT64_C(0xffff800000000000));
        refuse_put(addresses[i], NOT_CANONICAL);
        refuse_put(addresses[i], UINT64_C(0xffff7fffffffffff));
        refuse_put(addresses[i], UINT64_C(0x8000000000000000));
        assert_int_equal(get(addresses[i]), UINT64_C(0xffff800000000000));
    }
    put(MSR_STAR, NOT_CANONICAL); /* selectors, not an address */
    refuse_put(MSR_SFMASK, BIT(32));
    refuse_put(MSR_TSC_AUX, BIT(32));
}

static void pat_types(void **state)
{
    (void)state;
    for (unsigned entry = 0; entry < 8; entry++) {
        for (uint64_t type = 0; type < 256; type++) {
            bool valid = type == 0 || type == 1 || (type >= 4 && type <= 7);

            assert_int_equal(guest_msr_write(&msrs, MSR_PAT, type << (8 * entry)),
                             valid ? MSR_OK : MSR_FAULT);
        }
    }
}

static void efer_writes(void **state)
{
    (void)state;
    put(MSR_EFER, EFER_SCE | EFER_NXE | EFER_LME);
    assert_int_equal(registers[REGISTER_EFER], EFER_SCE | EFER_NXE | EFER_LME);
    refuse_put(MSR_EFER, BIT(12)); /* SVME */
    registers[REGISTER_CR0] = CR0_PE | CR0_PG;
    registers[REGISTER_EFER] |= EFER_LMA;
    refuse_put(MSR_EFER, EFER_SCE); /* LME while paging */
    put(MSR_EFER, EFER_LME);        /* LMA cannot be written */
    assert_int_equal(get(MSR_EFER), EFER_LME | EFER_LMA);
    registers[REGISTER_CR0] = CR0_PE;
    registers[REGISTER_EFER] = 0;
    put(MSR_EFER, EFER_LMA);
    assert_int_equal(get(MSR_EFER), 0);
}

static void time_stamp_counter(void **state)
{
    (void)state;
    registers[REGISTER_TSC_OFFSET] = (uint64_t)-400;
    assert_int_equal(get(MSR_TSC), 600);
    assert_int_equal(get(MSR_TSC_ADJUST), 0);
    put(MSR_TSC, 5);
    assert_int_equal(get(MSR_TSC), 5);
    assert_int_equal(get(MSR_TSC_ADJUST), (uint64_t)-595);
    tsc += 100;
    assert_int_equal(get(MSR_TSC), 105);
    put(MSR_TSC_ADJUST, 0);
    assert_int_equal(registers[REGISTER_TSC_OFFSET], (uint64_t)-400);
    assert_int_equal(get(MSR_TSC), 700);
    put(MSR_TSC_ADJUST, 1000);
    assert_int_equal(get(MSR_TSC), 1700);
}

static void the_paravirtual_clock_has_its_own(void **state)
{
    (void)state;
    put(MSR_KVM_STEAL_TIME, 0x1041);
    assert_int_equal(pvclock.steal_time_msr, 0x1041);
    assert_int_equal(get(MSR_KVM_STEAL_TIME), 0x1041);
    refuse_put(MSR_KVM_STEAL_TIME, 0x1043);
    put(MSR_KVM_SYSTEM_TIME, 0x2001);
    assert_int_equal(get(MSR_KVM_SYSTEM_TIME_NEW), 0x2001);
}

static void fixed_values(void **state)
{
    static const uint32_t read_only[] = {MSR_P5_MC_ADDR,       MSR_P5_MC_TYPE, MSR_PLATFORM_ID,
                                         MSR_FEATURE_CONTROL,  MSR_MCG_CAP,    MSR_MTRRCAP,
                                         MSR_ARCH_CAPABILITIES};

    (void)state;
    for (unsigned i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
        get(read_only[i]);
        refuse_put(read_only[i], 0);
    }
    assert_int_equal(get(MSR_FEATURE_CONTROL), 1); /* locked, no VMX */
    assert_int_equal(get(MSR_MCG_CAP), 0);
    assert_int_equal(get(MSR_MTRRCAP), 0x508);
    assert_int_equal(get(MSR_ARCH_CAPABILITIES), 1);
    assert_int_equal(get(MSR_BIOS_SIGN_ID), (uint64_t)MICROCODE << 32);
    put(MSR_BIOS_SIGN_ID, 0);
    put(MSR_BIOS_UPDT_TRIG, 0x1000);
    assert_int_equal(get(MSR_BIOS_SIGN_ID), (uint64_t)MICROCODE << 32);
    refuse_get(MSR_BIOS_UPDT_TRIG);
}

static void writable_bits(void **state)
{
    (void)state;
    put(MSR_MCG_STATUS, 7);
    assert_int_equal(get(MSR_MCG_STATUS), 7);
    refuse_put(MSR_MCG_STATUS, 8);
    assert_int_equal(get(MSR_MISC_ENABLE), 0x1801);
    put(MSR_MISC_ENABLE, 0x1800);
    assert_int_equal(get(MSR_MISC_ENABLE), 0x1800);
    put(MSR_MISC_ENABLE, 0x1); /* what is read-only stays */
    assert_int_equal(get(MSR_MISC_ENABLE), 0x1801);
    refuse_put(MSR_MISC_ENABLE, BIT(18)); /* MONITOR */
    refuse_put(MSR_MISC_ENABLE, BIT(22)); /* limit of CPUID */
    refuse_put(MSR_MISC_ENABLE, BIT(34)); /* execute disable off */
    refuse_put(MSR_DEBUGCTL, 1);          /* branch records */
    assert_int_equal(get(MSR_DEBUGCTL), 0);
}

static void absent_with_their_feature(void **state)
{
    struct cpuid_config config = {.host = plain_host_cpuid, .vcpus = 1, .rdtscp = false};

    (void)state;
    cpuid_policy_init(&cpuid, &config);
    refuse_get(MSR_TSC_AUX);
    refuse_put(MSR_TSC_AUX, 0);
    refuse_get(MSR_ARCH_CAPABILITIES);
    refuse_put(MSR_ARCH_CAPABILITIES, 0);
    get(MSR_EFER);
    cpuid.extended[1].answer.edx = 0;
    refuse_get(MSR_EFER);
    refuse_put(MSR_EFER, 0);
}

static void mtrrs_as_firmware_leaves_them(void **state)
{
    (void)state;
    assert_int_equal(get(MSR_MTRR_DEF_TYPE), 0xc06);
    assert_int_equal(get(0x200), 0xc0000000);
    assert_int_equal(get(0x201), UINT64_C(0x7fc0000800)); /* 1 GiB of 39 bits, valid */
    assert_int_equal(get(0x203), 0);
    assert_int_equal(get(0x250), UINT64_C(0x0606060606060606));
    assert_int_equal(get(0x259), 0);
}

static void mtrr_writes(void **state)
{
    (void)state;
    for (uint64_t type = 0; type < 256; type++) {
        enum msr_result expected =
            type == 0 || type == 1 || (type >= 4 && type <= 6) ? MSR_OK : MSR_FAULT;

        assert_int_equal(guest_msr_write(&msrs, 0x204, 0x1000 | type), expected);
        assert_int_equal(guest_msr_write(&msrs, MSR_MTRR_DEF_TYPE, 0xc00 | type), expected);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(guest_msr_write(&msrs, 0x26f, type << (8 * i)), expected);
        }
    }
    for (unsigned bit = 12; bit < 64; bit++) { /* 39 address bits */
        assert_int_equal(guest_msr_write(&msrs, 0x20e, BIT(bit)), bit < 39 ? MSR_OK : MSR_FAULT);
        assert_int_equal(guest_msr_write(&msrs, 0x20f, BIT(bit)), bit < 39 ? MSR_OK : MSR_FAULT);
        refuse_put(MSR_MTRR_DEF_TYPE, BIT(bit));
    }
    refuse_put(0x20e, 0x106);
    refuse_put(0x20f, 0x400);
    put(0x20f, 0x800);
    refuse_put(MSR_MTRR_DEF_TYPE, 0x106);
    /* Each keeps its own. */
    for (uint32_t i = 0; i < 16; i++) {
        put(0x200 + i, 0x1000u * (i + 1));
    }
    for (uint32_t i = 0; i < 8; i++) {
        put(0x268 + i, i < 7 ? 0x01 : 0x05);
    }
    put(0x250, 4);
    put(0x258, 5);
    put(0x259, 6);
    for (uint32_t i = 0; i < 16; i++) {
        assert_int_equal(get(0x200 + i), 0x1000u * (i + 1));
    }
    assert_int_equal(get(0x268), 1);
    assert_int_equal(get(0x26f), 5);
    assert_int_equal(get(0x250), 4);
    assert_int_equal(get(0x258), 5);
    assert_int_equal(get(0x259), 6);
}

/* Passed through, nobody checks or emulates: only registers whose every value the CPU itself
 * checks, and that exist here. */
static void what_passes_without_an_exit(void **state)
{
    (void)state;
    for (const struct msr_passthrough *msr = msr_passthrough; msr->index; msr++) {
        assert_true(msr->read || msr->write);
        get(msr->index);
        assert_int_not_equal(msr->index, MSR_EFER);
        assert_true(msr->index != MSR_TSC || !msr->write);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_not_listed_does_not_exist, set_up),
        cmocka_unit_test_setup(withheld_ones_by_name, set_up),
        cmocka_unit_test_setup(registers_of_the_vcpu, set_up),
        cmocka_unit_test_setup(addresses_must_be_canonical, set_up),
        cmocka_unit_test_setup(pat_types, set_up),
        cmocka_unit_test_setup(efer_writes, set_up),
        cmocka_unit_test_setup(time_stamp_counter, set_up),
        cmocka_unit_test_setup(the_paravirtual_clock_has_its_own, set_up),
        cmocka_unit_test_setup(fixed_values, set_up),
        cmocka_unit_test_setup(writable_bits, set_up),
        cmocka_unit_test_setup(absent_with_their_feature, set_up),
        cmocka_unit_test_setup(mtrrs_as_firmware_leaves_them, set_up),
        cmocka_unit_test_setup(mtrr_writes, set_up),
        cmocka_unit_test_setup(what_passes_without_an_exit, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
