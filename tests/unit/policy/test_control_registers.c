#include "guest/policy/control_registers.h"

#include "kernel/cpu/x86_defs.h"
#include "tests/unit/policy/host_cpuid.h"
#include "tests/unit/support/cmocka.h"

#define LONG_MODE_CR0 (CR0_PG | CR0_PE | CR0_ET | CR0_NE | CR0_WP)
#define BITS(n)       (UINT64_C(1) << (n))

static struct cpuid_policy cpuid;
static struct control_policy policy;

/* A CPU in 64-bit mode, in ring 0. */
static struct control_state state_64;
/* A CPU just out of RESET. */
static struct control_state state_real;

static void use_host(void (*host)(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *answer))
{
    struct cpuid_config config = {.host = host,
                                  .vcpus = 1,
                                  .tsc_khz = 1000000,
                                  .crystal_hz = 25000000,
                                  .xcr0_host = UINT64_MAX,
                                  .rdtscp = true,
                                  .invpcid = true};

    cpuid_policy_init(&cpuid, &config);
    control_policy_init(&policy, &cpuid);
}

static int set_up(void **state)
{
    (void)state;
    use_host(greedy_host_cpuid);
    state_64 = (struct control_state){.cr0 = LONG_MODE_CR0,
                                      .cr4 = CR4_PAE,
                                      .efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE,
                                      .cs_long = true};
    state_real = (struct control_state){.cr0 = CR0_ET | CR0_NW | CR0_CD};
    return 0;
}

static void cr0_combinations(void **state)
{
    (void)state;
    assert_int_equal(cr0_write_check(&policy, &state_real, 0), CONTROL_OK);
    assert_int_equal(cr0_write_check(&policy, &state_real, CR0_PE), CONTROL_OK);
    assert_int_equal(cr0_write_check(&policy, &state_real, CR0_PE | CR0_PG), CONTROL_OK);
    assert_int_equal(cr0_write_check(&policy, &state_real, CR0_PG), CONTROL_GP);
    assert_int_equal(cr0_write_check(&policy, &state_real, CR0_NW), CONTROL_GP);
    assert_int_equal(cr0_write_check(&policy, &state_real, CR0_NW | CR0_CD), CONTROL_OK);
    assert_int_equal(cr0_write_check(&policy, &state_real, CR0_CD), CONTROL_OK);
    assert_int_equal(cr0_write_check(&policy, &state_real, 0x7fffffff & ~CR0_NW), CONTROL_OK);
    for (unsigned bit = 32; bit < 64; bit++) {
        assert_int_equal(cr0_write_check(&policy, &state_real, CR0_PE | BITS(bit)), CONTROL_GP);
    }
}

static void cr0_entering_long_mode(void **state)
{
    struct control_state before = {.cr0 = CR0_PE, .cr4 = CR4_PAE, .efer = EFER_LME};

    (void)state;
    assert_int_equal(cr0_write_check(&policy, &before, CR0_PE | CR0_PG), CONTROL_OK);
    before.cs_long = true;
    assert_int_equal(cr0_write_check(&policy, &before, CR0_PE | CR0_PG), CONTROL_GP);
    before.cs_long = false;
    before.cr4 = 0;
    assert_int_equal(cr0_write_check(&policy, &before, CR0_PE | CR0_PG), CONTROL_GP);
    before.efer = 0;
    assert_int_equal(cr0_write_check(&policy, &before, CR0_PE | CR0_PG), CONTROL_OK);
}

static void cr0_leaving_long_mode(void **state)
{
    (void)state;
    /* Other bits may change in 64-bit mode; paging may not end. */
    assert_int_equal(cr0_write_check(&policy, &state_64, LONG_MODE_CR0 | CR0_TS), CONTROL_OK);
    assert_int_equal(cr0_write_check(&policy, &state_64, CR0_PE), CONTROL_GP);
    state_64.cs_long = false; /* compatibility mode */
    assert_int_equal(cr0_write_check(&policy, &state_64, CR0_PE), CONTROL_OK);
    state_64.cr4 |= CR4_PCIDE;
    assert_int_equal(cr0_write_check(&policy, &state_64, CR0_PE), CONTROL_GP);
}

static void cr0_reads_back(void **state)
{
    (void)state;
    assert_int_equal(cr0_effective(0), CR0_ET);
    assert_int_equal(cr0_effective(0xffffffff), 0xe005003f);
    assert_int_equal(cr0_effective(LONG_MODE_CR0), LONG_MODE_CR0);
}

static void cr3_reserved_bits(void **state)
{
    (void)state;
    /* The host has 39 physical address bits. */
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_int_equal(cr3_write_check(&policy, &state_64, BITS(bit)),
                         bit < 39 ? CONTROL_OK : CONTROL_GP);
    }
    state_64.cr4 |= CR4_PCIDE;
    assert_int_equal(cr3_write_check(&policy, &state_64, BITS(63) | 0x1001), CONTROL_OK);
    assert_int_equal(cr3_write_check(&policy, &state_64, BITS(62)), CONTROL_GP);
}

static void cr4_bits_of_the_features(void **state)
{
    /* VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP, FSGSBASE PCIDE OSXSAVE, SMEP SMAP
     * PKE; not LA57 12, VMXE 13, SMXE 14, CET 23, PKS 24, UINTR 25, reserved ones. */
    const uint64_t allowed = 0x00770fff;

    (void)state;
    assert_int_equal(policy.cr4_allowed, allowed);
    for (unsigned bit = 0; bit < 64; bit++) {
        state_64.cr4 = CR4_PAE;
        assert_int_equal(cr4_write_check(&policy, &state_64, CR4_PAE | BITS(bit)),
                         allowed & BITS(bit) ? CONTROL_OK : CONTROL_GP);
    }
    assert_int_equal(control_cr4_intercepts(&policy), ~allowed);
    use_host(plain_host_cpuid);
    assert_int_equal(policy.cr4_allowed, 0x000007ff);
}

static void cr4_rules_between_registers(void **state)
{
    (void)state;
    assert_int_equal(cr4_write_check(&policy, &state_64, 0), CONTROL_GP); /* PAE off */
    assert_int_equal(cr4_write_check(&policy, &state_real, 0), CONTROL_OK);
    /* PCIDE: only in long mode, and with PCID 0. */
    assert_int_equal(cr4_write_check(&policy, &state_real, CR4_PAE | CR4_PCIDE), CONTROL_GP);
    assert_int_equal(cr4_write_check(&policy, &state_64, CR4_PAE | CR4_PCIDE), CONTROL_OK);
    state_64.cr3 = 0x1001;
    assert_int_equal(cr4_write_check(&policy, &state_64, CR4_PAE | CR4_PCIDE), CONTROL_GP);
    state_64.cr4 |= CR4_PCIDE; /* it is set already: the PCID does not matter */
    assert_int_equal(cr4_write_check(&policy, &state_64, CR4_PAE | CR4_PCIDE), CONTROL_OK);
    assert_int_equal(cr4_write_check(&policy, &state_64, CR4_PAE), CONTROL_OK);
}

static void cr8_is_four_bits(void **state)
{
    (void)state;
    assert_int_equal(cr8_write_check(15), CONTROL_OK);
    for (unsigned bit = 4; bit < 64; bit++) {
        assert_int_equal(cr8_write_check(BITS(bit)), CONTROL_GP);
    }
}

static void efer_rules(void **state)
{
    struct control_state paging_off = {.cr0 = CR0_PE};

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

        assert_int_equal(efer_write_check(&policy, &paging_off, BITS(bit)),
                         allowed & BITS(bit) ? CONTROL_OK : CONTROL_GP);
    }
    assert_int_equal(efer_write_check(&policy, &state_64, EFER_LME), CONTROL_OK);
    assert_int_equal(efer_write_check(&policy, &state_64, EFER_SCE), CONTROL_GP); /* LME off */
    paging_off.cr0 |= CR0_PG;
    assert_int_equal(efer_write_check(&policy, &paging_off, EFER_LME), CONTROL_GP);
    assert_int_equal(efer_write_check(&policy, &paging_off, EFER_NXE), CONTROL_OK);
    use_host(plain_host_cpuid); /* it has SYSCALL, NX and LM */
    assert_int_equal(policy.efer_allowed, EFER_SCE | EFER_LME | EFER_NXE);
}

static enum control_result set_xcr0(uint64_t value)
{
    return xcr_write_check(&policy, &state_64, 0, value);
}

static void xcr0_rules(void **state)
{
    (void)state;
    assert_int_equal(set_xcr0(XCR0_X87), CONTROL_UD); /* CR4.OSXSAVE is 0: not #GP */
    state_64.cr4 |= CR4_OSXSAVE;
    assert_int_equal(set_xcr0(XCR0_X87), CONTROL_OK);
    assert_int_equal(set_xcr0(XCR0_X87 | XCR0_SSE | XCR0_AVX), CONTROL_OK);
    assert_int_equal(set_xcr0(XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU),
                     CONTROL_OK);
    assert_int_equal(set_xcr0(0), CONTROL_GP);
    assert_int_equal(set_xcr0(XCR0_SSE), CONTROL_GP);
    assert_int_equal(set_xcr0(XCR0_X87 | XCR0_AVX), CONTROL_GP);
    assert_int_equal(set_xcr0(XCR0_X87 | XCR0_SSE | XCR0_AVX512), CONTROL_GP);
    for (unsigned bit = 5; bit < 8; bit++) {
        assert_int_equal(set_xcr0(XCR0_X87 | XCR0_SSE | XCR0_AVX | BITS(bit)), CONTROL_GP);
    }
    /* MPX, PT, AMX, what does not exist. */
    assert_int_equal(set_xcr0(XCR0_X87 | BITS(3) | BITS(4)), CONTROL_GP);
    assert_int_equal(set_xcr0(XCR0_X87 | BITS(8)), CONTROL_GP);
    assert_int_equal(set_xcr0(XCR0_X87 | BITS(17) | BITS(18)), CONTROL_GP);
    assert_int_equal(set_xcr0(XCR0_X87 | BITS(63)), CONTROL_GP);
    assert_int_equal(xcr_write_check(&policy, &state_64, 1, XCR0_X87), CONTROL_GP);
    state_64.cpl = 3;
    assert_int_equal(set_xcr0(XCR0_X87), CONTROL_GP);
    use_host(plain_host_cpuid);
    state_64.cpl = 0;
    assert_int_equal(set_xcr0(XCR0_X87), CONTROL_GP); /* nothing may be set */
}

static void debug_register_names(void **state)
{
    unsigned real;

    (void)state;
    for (unsigned number = 0; number < 8; number++) {
        state_64.cr4 = CR4_PAE;
        assert_int_equal(dr_access_check(&policy, &state_64, 0x400, number, false, 0, &real),
                         CONTROL_OK);
        assert_int_equal(real, number == 4 || number == 5 ? number + 2 : number);
        state_64.cr4 |= CR4_DE;
        assert_int_equal(dr_access_check(&policy, &state_64, 0x400, number, false, 0, &real),
                         number == 4 || number == 5 ? CONTROL_UD : CONTROL_OK);
    }
}

static void debug_register_faults(void **state)
{
    const uint64_t high = BITS(32);
    unsigned real;

    (void)state;
    /* DR0-DR3 hold addresses; DR6 and DR7 have no upper half. */
    assert_int_equal(dr_access_check(&policy, &state_64, 0, 0, true, high, &real), CONTROL_OK);
    assert_int_equal(dr_access_check(&policy, &state_64, 0, 3, true, high, &real), CONTROL_OK);
    assert_int_equal(dr_access_check(&policy, &state_64, 0, 6, true, high, &real), CONTROL_GP);
    assert_int_equal(dr_access_check(&policy, &state_64, 0, 7, true, high, &real), CONTROL_GP);
    assert_int_equal(dr_access_check(&policy, &state_64, 0, 5, true, high, &real), CONTROL_GP);
    assert_int_equal(dr_access_check(&policy, &state_64, 0, 7, false, high, &real), CONTROL_OK);
    /* General detect: any access, before the value is looked at; but not before #UD. */
    assert_int_equal(dr_access_check(&policy, &state_64, BITS(13), 0, false, 0, &real), CONTROL_DB);
    assert_int_equal(dr_access_check(&policy, &state_64, BITS(13), 7, true, high, &real),
                     CONTROL_DB);
    state_64.cr4 |= CR4_DE;
    assert_int_equal(dr_access_check(&policy, &state_64, BITS(13), 4, false, 0, &real), CONTROL_UD);
    state_64.cpl = 3;
    assert_int_equal(dr_access_check(&policy, &state_64, BITS(13), 0, false, 0, &real), CONTROL_GP);
}

static void debug_register_fixed_bits(void **state)
{
    (void)state;
    assert_int_equal(dr6_effective(&policy, 0), 0xffff0ff0);
    assert_int_equal(dr6_effective(&policy, 0xffffffff), 0xffffefff);
    assert_int_equal(dr7_effective(&policy, 0), 0x400);
    assert_int_equal(dr7_effective(&policy, 0xffffffff), 0xffff27ff);
    policy.rtm = true;
    assert_int_equal(dr6_effective(&policy, 0), 0xfffe0ff0);
    assert_int_equal(dr7_effective(&policy, 0xffffffff), 0xffff2fff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cr0_combinations, set_up),
        cmocka_unit_test_setup(cr0_entering_long_mode, set_up),
        cmocka_unit_test_setup(cr0_leaving_long_mode, set_up),
        cmocka_unit_test_setup(cr0_reads_back, set_up),
        cmocka_unit_test_setup(cr3_reserved_bits, set_up),
        cmocka_unit_test_setup(cr4_bits_of_the_features, set_up),
        cmocka_unit_test_setup(cr4_rules_between_registers, set_up),
        cmocka_unit_test_setup(cr8_is_four_bits, set_up),
        cmocka_unit_test_setup(efer_rules, set_up),
        cmocka_unit_test_setup(xcr0_rules, set_up),
        cmocka_unit_test_setup(debug_register_names, set_up),
        cmocka_unit_test_setup(debug_register_faults, set_up),
        cmocka_unit_test_setup(debug_register_fixed_bits, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
