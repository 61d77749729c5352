/* Negotiation of the VMX controls, and the capability MSRs it starts from. */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <string.h>

#include "kernel/cpu/x86_defs.h"
#include "vmx/capabilities.h"
#include "vmx/controls.h"
#include "vmx/definitions.h"

#define EPT_CAP_ALL                                                                          \
    (EPT_CAP_WALK_4 | EPT_CAP_WRITE_BACK | EPT_CAP_2M | EPT_CAP_1G | EPT_CAP_INVEPT |        \
     EPT_CAP_ACCESSED_DIRTY | EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL | EPT_CAP_INVVPID | \
     EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVVPID_ALL)

/* Bits that real CPUs want to be 1 and that mean nothing (A.3.1 to A.5). */
#define PIN_DEFAULT1   0x16u
#define PROC_DEFAULT1  0x04006172u
#define EXIT_DEFAULT1  0x00036dfbu
#define ENTRY_DEFAULT1 0x000011fbu

static uint64_t capability(uint32_t must, uint32_t may)
{
    return (uint64_t)(may | must) << 32 | must;
}

/* A CPU that can do everything. */
static struct vmx_capabilities everything(void)
{
    return (struct vmx_capabilities){
        .basic = VMX_BASIC_TRUE_CONTROLS | 0x12,
        .limits = {.pin = capability(PIN_DEFAULT1, UINT32_MAX),
                   .proc = capability(PROC_DEFAULT1, UINT32_MAX),
                   .proc2 = capability(0, UINT32_MAX),
                   .exit = capability(EXIT_DEFAULT1 & ~EXIT_SAVE_DEBUG_CONTROLS, UINT32_MAX),
                   .entry = capability(ENTRY_DEFAULT1 & ~ENTRY_LOAD_DEBUG_CONTROLS, UINT32_MAX),
                   .ept_vpid = EPT_CAP_ALL},
    };
}

static uint64_t without(uint64_t word, uint32_t bits)
{
    return word & ~((uint64_t)bits << 32);
}

static struct vmx_controls negotiate(const struct vmx_capabilities *capabilities,
                                     enum apic_virtualization apic)
{
    struct vmx_controls controls;
    const char *missing = NULL;

    memset(&controls, 0xa5, sizeof(controls));
    assert_int_equal(vmx_negotiate_controls(capabilities, apic, &controls, &missing), 0);
    assert_null(missing);
    return controls;
}

static void assert_allowed(uint32_t word, uint64_t offered)
{
    assert_int_equal(word & (uint32_t)offered, (uint32_t)offered);
    assert_int_equal(word & ~(uint32_t)(offered >> 32), 0);
}

static void words_keep_to_what_is_allowed(void **state)
{
    const struct vmx_capabilities capabilities = everything();
    const struct vmx_controls controls = negotiate(&capabilities, APIC_VIRTUALIZATION_FULL);

    (void)state;
    assert_allowed(controls.pin, capabilities.limits.pin);
    assert_allowed(controls.proc, capabilities.limits.proc);
    assert_allowed(controls.proc2 | controls.apic_proc2, capabilities.limits.proc2);
    assert_allowed(controls.exit, capabilities.limits.exit);
    assert_allowed(controls.entry, capabilities.limits.entry);
    /* What a guest must not have exits; what it may have does not; windows start closed. */
    assert_int_equal(controls.proc & (PROC_HLT_EXITING | PROC_IO_BITMAPS | PROC_MSR_BITMAPS),
                     PROC_HLT_EXITING | PROC_IO_BITMAPS | PROC_MSR_BITMAPS);
    assert_int_equal(controls.proc & (PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING |
                                      PROC_INVLPG_EXITING | PROC_RDTSC_EXITING |
                                      PROC_INTERRUPT_WINDOW_EXITING | PROC_NMI_WINDOW_EXITING |
                                      PROC_UNCONDITIONAL_IO_EXITING | PROC_CR8_LOAD_EXITING),
                     0);
    assert_int_equal(controls.exit & EXIT_SAVE_PREEMPTION_TIMER, 0);
    assert_int_equal(controls.entry & ENTRY_IA32E_GUEST, 0);
    assert_true(controls.features.vpid && controls.features.tpr_shadow &&
                controls.features.preemption_timer && controls.features.virtual_nmis);
    assert_true(controls.features.nested_1g && controls.features.nested_2m);
}

/* Every needed control, taken away alone, is what the refusal names. */
static void needed_controls_are_named(void **state)
{
    static const struct {
        size_t word; /* offset in limits */
        uint32_t bits;
        const char *name;
    } needed[] = {
#define LIMIT(field) offsetof(struct vmx_entry_capabilities, field)
        {LIMIT(pin), PIN_EXTERNAL_INTERRUPT_EXITING, "external-interrupt exiting"},
        {LIMIT(pin), PIN_NMI_EXITING, "NMI exiting"},
        {LIMIT(pin), PIN_VIRTUAL_NMIS, "virtual NMIs"},
        {LIMIT(proc), PROC_SECONDARY_CONTROLS, "secondary VM-execution controls"},
        {LIMIT(proc), PROC_TSC_OFFSETTING, "TSC offsetting"},
        {LIMIT(proc), PROC_HLT_EXITING, "HLT exiting"},
        {LIMIT(proc), PROC_INTERRUPT_WINDOW_EXITING, "interrupt-window exiting"},
        {LIMIT(proc), PROC_NMI_WINDOW_EXITING, "NMI-window exiting"},
        {LIMIT(proc), PROC_IO_BITMAPS, "I/O bitmaps"},
        {LIMIT(proc), PROC_MSR_BITMAPS, "MSR bitmaps"},
        {LIMIT(proc2), PROC2_EPT, "nested paging (EPT)"},
        {LIMIT(proc2), PROC2_EPT | PROC2_UNRESTRICTED_GUEST, "nested paging (EPT)"},
        {LIMIT(proc2), PROC2_UNRESTRICTED_GUEST, "unrestricted guest mode"},
        {LIMIT(exit), EXIT_HOST_64BIT, "a 64-bit host"},
        {LIMIT(exit), EXIT_ACKNOWLEDGE_INTERRUPT, "acknowledging interrupts on VM exit"},
        {LIMIT(exit), EXIT_LOAD_PAT, "switching IA32_PAT on VM exit"},
        {LIMIT(exit), EXIT_SAVE_EFER, "switching IA32_EFER on VM exit"},
        {LIMIT(entry), ENTRY_LOAD_EFER, "loading IA32_EFER on VM entry"},
        {LIMIT(entry), ENTRY_LOAD_DEBUG_CONTROLS, "loading debug controls on VM entry"},
#undef LIMIT
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        struct vmx_capabilities capabilities = everything();
        uint64_t *word = (uint64_t *)((char *)&capabilities.limits + needed[i].word);
        struct vmx_controls controls;
        const char *missing = NULL;

        *word = without(*word, needed[i].bits);
        assert_int_equal(
            vmx_negotiate_controls(&capabilities, APIC_VIRTUALIZATION_FULL, &controls, &missing),
            -ENODEV);
        assert_string_equal(missing, needed[i].name);
    }
}

static void controls_that_cannot_be_off_are_named(void **state)
{
    struct vmx_capabilities capabilities = everything();
    struct vmx_controls controls;
    const char *missing = NULL;

    (void)state;
    capabilities.limits.proc |= PROC_CR3_LOAD_EXITING; /* as without true controls */
    assert_int_equal(
        vmx_negotiate_controls(&capabilities, APIC_VIRTUALIZATION_FULL, &controls, &missing),
        -ENODEV);
    assert_string_equal(missing, "guest access to CR3 without VM exits");
}

static void ept_needs_its_parts(void **state)
{
    static const struct {
        uint64_t bits;
        const char *name;
    } parts[] = {
        {EPT_CAP_WALK_4, "EPT with 4 levels"},
        {EPT_CAP_WRITE_BACK, "EPT page tables in write-back memory"},
        {EPT_CAP_INVEPT, "INVEPT"},
        {EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL, "INVEPT"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct vmx_capabilities capabilities = everything();
        struct vmx_controls controls;
        const char *missing = NULL;

        capabilities.limits.ept_vpid &= ~parts[i].bits;
        assert_int_equal(
            vmx_negotiate_controls(&capabilities, APIC_VIRTUALIZATION_FULL, &controls, &missing),
            -ENODEV);
        assert_string_equal(missing, parts[i].name);
    }
}

static void wanted_controls_may_be_missing(void **state)
{
    struct vmx_capabilities capabilities = everything();
    struct vmx_controls controls;

    (void)state;
    capabilities.limits.pin = without(capabilities.limits.pin, PIN_PREEMPTION_TIMER);
    capabilities.limits.proc2 =
        without(capabilities.limits.proc2, PROC2_RDTSCP | PROC2_INVPCID | PROC2_VPID);
    capabilities.limits.ept_vpid &= ~(EPT_CAP_1G | EPT_CAP_ACCESSED_DIRTY);
    controls = negotiate(&capabilities, APIC_VIRTUALIZATION_FULL);
    assert_false(controls.features.preemption_timer);
    assert_false(controls.features.rdtscp);
    assert_false(controls.features.invpcid);
    assert_false(controls.features.vpid);
    assert_false(controls.features.nested_1g);
    assert_false(controls.features.nested_accessed_dirty);
    assert_int_equal(controls.pin & PIN_PREEMPTION_TIMER, 0);
    assert_int_equal(controls.proc2 & (PROC2_RDTSCP | PROC2_INVPCID | PROC2_VPID), 0);
}

static void vpids_need_invvpid(void **state)
{
    struct vmx_capabilities capabilities = everything();
    struct vmx_controls controls;

    (void)state;
    capabilities.limits.ept_vpid &= ~(EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVVPID_ALL);
    controls = negotiate(&capabilities, APIC_VIRTUALIZATION_FULL);
    assert_false(controls.features.vpid);
    assert_int_equal(controls.proc2 & PROC2_VPID, 0);
}

static void perf_global_ctrl_goes_both_ways_or_not_at_all(void **state)
{
    struct vmx_capabilities capabilities = everything();
    struct vmx_controls controls = negotiate(&capabilities, APIC_VIRTUALIZATION_FULL);

    (void)state;
    assert_true(controls.exit & EXIT_LOAD_PERF_GLOBAL_CTRL);
    assert_true(controls.entry & ENTRY_LOAD_PERF_GLOBAL_CTRL);
    capabilities.limits.entry = without(capabilities.limits.entry, ENTRY_LOAD_PERF_GLOBAL_CTRL);
    controls = negotiate(&capabilities, APIC_VIRTUALIZATION_FULL);
    assert_int_equal(controls.exit & EXIT_LOAD_PERF_GLOBAL_CTRL, 0);
    assert_int_equal(controls.entry & ENTRY_LOAD_PERF_GLOBAL_CTRL, 0);
}

static void without_tpr_shadow_cr8_exits(void **state)
{
    struct vmx_capabilities capabilities = everything();
    struct vmx_controls controls;

    (void)state;
    capabilities.limits.proc = without(capabilities.limits.proc, PROC_TPR_SHADOW);
    controls = negotiate(&capabilities, APIC_VIRTUALIZATION_FULL);
    assert_false(controls.features.tpr_shadow);
    assert_int_equal(controls.proc & (PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING),
                     PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING);
    /* 27.2.1.1: all APIC virtualisation stands on the TPR shadow. */
    assert_int_equal(controls.apic_proc2, 0);
    assert_false(controls.features.apic_access_page);
}

static void apic_virtualization_comes_in_steps(void **state)
{
    const uint32_t delivery = PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUAL_INTERRUPT_DELIVERY;
    struct vmx_capabilities capabilities = everything();
    struct vmx_controls controls = negotiate(&capabilities, APIC_VIRTUALIZATION_FULL);

    (void)state;
    assert_int_equal(controls.apic_proc2,
                     PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUALIZE_X2APIC | delivery);
    assert_int_equal(controls.proc2 & controls.apic_proc2, 0);
    assert_true(controls.features.virtual_interrupt_delivery);

    /* One of the two is of no use. */
    capabilities.limits.proc2 =
        without(capabilities.limits.proc2, PROC2_VIRTUAL_INTERRUPT_DELIVERY);
    controls = negotiate(&capabilities, APIC_VIRTUALIZATION_FULL);
    assert_int_equal(controls.apic_proc2, PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUALIZE_X2APIC);
    assert_false(controls.features.apic_register_virtualization);

    /* Without the CPU's own delivery, as on a CPU that gets it wrong. */
    capabilities = everything();
    controls = negotiate(&capabilities, APIC_VIRTUALIZATION_ACCESS);
    assert_int_equal(controls.apic_proc2, PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUALIZE_X2APIC);
    assert_false(controls.features.virtual_interrupt_delivery);

    /* Switched off by the user: the TPR shadow stays. */
    capabilities = everything();
    controls = negotiate(&capabilities, APIC_VIRTUALIZATION_OFF);
    assert_int_equal(controls.apic_proc2, 0);
    assert_true(controls.features.tpr_shadow);
    assert_false(controls.features.virtual_interrupt_delivery);
    assert_false(controls.features.virtual_x2apic);
}

/* MSRs of a model CPU: 0 says it has not got that one. */
static uint64_t model[MSR_VMX_TRUE_ENTRY - MSR_VMX_BASIC + 1];
static unsigned forbidden_reads;

static uint64_t read_model(uint32_t index)
{
    uint64_t value;

    assert_in_range(index, MSR_VMX_BASIC, MSR_VMX_TRUE_ENTRY);
    value = model[index - MSR_VMX_BASIC];
    forbidden_reads += value == 0; /* #GP on a real CPU */
    return value;
}

static uint32_t model_widths(void)
{
    return 0x3028;
}

static uint64_t model_efer_reserved(void)
{
    return ~UINT64_C(0xd01);
}

static const struct vmx_capability_source model_source = {read_model, model_widths,
                                                          model_efer_reserved};

static void set_model(uint32_t index, uint64_t value)
{
    model[index - MSR_VMX_BASIC] = value;
}

/* The oldest kind: no true controls, no secondary controls. */
static void set_first_generation(void)
{
    memset(model, 0, sizeof(model));
    forbidden_reads = 0;
    set_model(MSR_VMX_BASIC, 0x005a040000000007);
    set_model(MSR_VMX_PINBASED, capability(PIN_DEFAULT1, 0x3f));
    set_model(MSR_VMX_PROCBASED, capability(PROC_DEFAULT1, 0x77b9fffe));
    set_model(MSR_VMX_EXIT, capability(EXIT_DEFAULT1, 0x3efff));
    set_model(MSR_VMX_ENTRY, capability(ENTRY_DEFAULT1, 0x1fff));
    set_model(MSR_VMX_MISC, 0x403c0);
    set_model(MSR_VMX_CR0_FIXED0, 0x80000021);
    set_model(MSR_VMX_CR0_FIXED1, 0xffffffff);
    set_model(MSR_VMX_CR4_FIXED0, 0x2000);
    set_model(MSR_VMX_CR4_FIXED1, 0x27ff);
}

static void msrs_that_are_not_there_are_not_read(void **state)
{
    struct vmx_capabilities capabilities;

    (void)state;
    set_first_generation();
    vmx_capabilities_read(&capabilities, &model_source);
    assert_int_equal(forbidden_reads, 0);
    assert_int_equal(capabilities.limits.proc2, 0);
    assert_int_equal(capabilities.limits.ept_vpid, 0);
    assert_int_equal(vmx_revision(&capabilities), 7);
    assert_int_equal(capabilities.limits.physical_bits, 40);
    assert_int_equal(capabilities.limits.linear_bits, 48);
    assert_int_equal(capabilities.limits.cr4_fixed1, 0x27ff);
}

static void true_controls_replace_the_old_ones(void **state)
{
    struct vmx_capabilities capabilities;

    (void)state;
    set_first_generation();
    set_model(MSR_VMX_BASIC, 0x005a040000000007 | VMX_BASIC_TRUE_CONTROLS);
    set_model(MSR_VMX_TRUE_PINBASED, capability(PIN_DEFAULT1, 0x7f));
    set_model(MSR_VMX_TRUE_PROCBASED, capability(0x04006172, 0xfff9fffe));
    set_model(MSR_VMX_TRUE_EXIT, capability(0x36dfb, 0x7fffff));
    set_model(MSR_VMX_TRUE_ENTRY, capability(0x11fb, 0xffff));
    set_model(MSR_VMX_PROCBASED2, capability(0, PROC2_EPT | PROC2_VPID));
    set_model(MSR_VMX_EPT_VPID_CAP, EPT_CAP_ALL);
    vmx_capabilities_read(&capabilities, &model_source);
    assert_int_equal(forbidden_reads, 0);
    assert_int_equal(capabilities.limits.pin, capability(PIN_DEFAULT1, 0x7f));
    assert_int_equal(capabilities.limits.proc, capability(0x04006172, 0xfff9fffe));
    assert_int_equal(capabilities.limits.exit, capability(0x36dfb, 0x7fffff));
    assert_int_equal(capabilities.limits.entry, capability(0x11fb, 0xffff));
    assert_int_equal(capabilities.limits.proc2, capability(0, PROC2_EPT | PROC2_VPID));
    assert_int_equal(capabilities.limits.ept_vpid, EPT_CAP_ALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_keep_to_what_is_allowed),
        cmocka_unit_test(needed_controls_are_named),
        cmocka_unit_test(controls_that_cannot_be_off_are_named),
        cmocka_unit_test(ept_needs_its_parts),
        cmocka_unit_test(wanted_controls_may_be_missing),
        cmocka_unit_test(vpids_need_invvpid),
        cmocka_unit_test(perf_global_ctrl_goes_both_ways_or_not_at_all),
        cmocka_unit_test(without_tpr_shadow_cr8_exits),
        cmocka_unit_test(apic_virtualization_comes_in_steps),
        cmocka_unit_test(msrs_that_are_not_there_are_not_read),
        cmocka_unit_test(true_controls_replace_the_old_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
