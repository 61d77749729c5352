#include "guest/policy/arch_capabilities.h"

#include <string.h>

#include "guest/policy/cpuid.h"
#include "tests/unit/support/cmocka.h"

#define BIT(n)     (UINT64_C(1) << (n))
#define HYPERVISOR (1u << 31)
#define ITS_NO     BIT(62)

/* The host whose CPUID is asked. */
static const char *vendor;
static struct cpuid_registers leaf_1;

static void host(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *answer)
{
    assert_int_equal(subleaf, 0);
    assert_true(leaf < 2);
    if (leaf == 1) {
        *answer = leaf_1;
        return;
    }
    *answer = (struct cpuid_registers){.eax = 0x16};
    memcpy(&answer->ebx, vendor, 4);
    memcpy(&answer->edx, vendor + 4, 4);
    memcpy(&answer->ecx, vendor + 8, 4);
}

static int set_up(void **state)
{
    (void)state;
    vendor = "GenuineIntel";
    leaf_1 = (struct cpuid_registers){.eax = 0x000a0671}; /* Rocket Lake: affected by ITS */
    return 0;
}

/* The numbers are written out from the SDM's table, not from our own names. */
static void exactly_these_bits_pass(void **state)
{
    /* RDCL_NO 0, RSBA 2, SSB_NO 4, MDS_NO 5, IF_PSCHANGE_MC_NO 6, TAA_NO 8, SBDR_SSDP_NO 13,
     * FBSDP_NO 14, PSDP_NO 15, FB_CLEAR 17, RRSBA 19, BHI_NO 20, PBRSB_NO 24, GDS_NO 26, RFDS_NO
     * 27, RFDS_CLEAR 28, ITS_NO 62. Not: IBRS_ALL 1, SKIP_L1DFL_VMENTRY 3, TSX_CTRL 7,
     * MISC_PACKAGE_CTLS 10, ENERGY_FILTERING_CTL 11, DOITM 12, FB_CLEAR_CTRL 18,
     * XAPIC_DISABLE_STATUS 21, OVERCLOCKING_STATUS 23, GDS_CTRL 25. */
    uint64_t passed = UINT64_C(0x1d1ae175) | ITS_NO;

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_int_equal(guest_arch_capabilities(host, BIT(bit)), BIT(bit) & passed);
    }
    assert_int_equal(guest_arch_capabilities(host, UINT64_MAX), passed);
    assert_int_equal(guest_arch_capabilities(host, 0), 0);
}

static void models_with_indirect_target_selection(void **state)
{
    static const struct {
        uint32_t signature; /* CPUID leaf 1, EAX */
        bool affected;
    } cases[] = {
        {0x00050653, false}, /* Skylake SP */
        {0x00050654, false}, /* Skylake SP, Skylake X */
        {0x00050655, false}, /* Cascade Lake, an early one */
        {0x00050656, true},  /* Cascade Lake */
        {0x00050657, true},  /* Cascade Lake */
        {0x0005065b, true},  /* Cooper Lake */
        {0x000606a6, true},  /* Ice Lake SP */
        {0x000606c1, true},  /* Ice Lake D */
        {0x000706e5, true},  /* Ice Lake */
        {0x000806c1, true},  /* Tiger Lake U */
        {0x000806d1, true},  /* Tiger Lake H */
        {0x000806e9, false}, /* Kaby Lake U */
        {0x000806eb, false}, /* Whiskey Lake */
        {0x000806ec, true},  /* Whiskey Lake, Comet Lake U */
        {0x000906e9, false}, /* Kaby Lake S */
        {0x000906ec, false}, /* Coffee Lake Refresh */
        {0x000906ed, true},  /* Coffee Lake Refresh */
        {0x000a0652, true},  /* Comet Lake H */
        {0x000a0655, true},  /* Comet Lake S */
        {0x000a0660, true},  /* Comet Lake U */
        {0x000a0671, true},  /* Rocket Lake */
        {0x000206a7, false}, /* Sandy Bridge */
        {0x000306c3, false}, /* Haswell */
        {0x000406e3, false}, /* Skylake U */
        {0x000506e3, false}, /* Skylake S */
        {0x00090672, false}, /* Alder Lake */
        {0x000806f8, false}, /* Sapphire Rapids */
        {0x000b0671, false}, /* Raptor Lake */
        {0x000706a8, false}, /* Goldmont Plus */
        {0x000a0f71, false}, /* family 15, else as Rocket Lake */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        leaf_1.eax = cases[i].signature;
        assert_int_equal(guest_arch_capabilities(host, 0), cases[i].affected ? 0 : ITS_NO);
        leaf_1.eax |= 0x2000; /* the processor type is no part of the model */
        assert_int_equal(guest_arch_capabilities(host, 0), cases[i].affected ? 0 : ITS_NO);
    }
}

/* Whose model may not be the CPU's own, or is not Intel's, promises nothing by it. */
static void what_is_not_sure_is_not_promised(void **state)
{
    (void)state;
    leaf_1.eax = 0x00050654;
    assert_int_equal(guest_arch_capabilities(host, 0), ITS_NO);
    leaf_1.ecx = HYPERVISOR;
    assert_int_equal(guest_arch_capabilities(host, 0), 0);
    assert_int_equal(guest_arch_capabilities(host, ITS_NO | BIT(0)), ITS_NO | BIT(0));
    leaf_1.ecx = ~HYPERVISOR;
    assert_int_equal(guest_arch_capabilities(host, 0), ITS_NO);
    vendor = "GenuineIotel";
    assert_int_equal(guest_arch_capabilities(host, 0), 0);
    vendor = "CentaurHauls";
    assert_int_equal(guest_arch_capabilities(host, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(exactly_these_bits_pass, set_up),
        cmocka_unit_test_setup(models_with_indirect_target_selection, set_up),
        cmocka_unit_test_setup(what_is_not_sure_is_not_promised, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
