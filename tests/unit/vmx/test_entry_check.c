/* The VM-entry check as a whole, and its rules for the host. */
#include "tests/unit/vmx/entry_states.h"

static struct vmx_entry_state (*const right_states[])(void) = {
    long_mode, long_mode_user, protected_mode, real_mode, v8086,
};

static void test_right_states_pass(void **context)
{
    (void)context;
    for (unsigned i = 0; i < sizeof(right_states) / sizeof(right_states[0]); i++) {
        struct vmx_entry_state state = right_states[i]();

        assert_passes(&state);
    }
}

/* Controls come before the host, the host before the guest. */
static void test_order(void **context)
{
    struct vmx_entry_state state = long_mode();

    (void)context;
    state.guest.rflags = 0;
    assert_breaks(&state, "guest RFLAGS: bit 1 is 0");
    state.host.cs = 0;
    assert_breaks(&state, "host CS: the selector is 0");
    state.controls.vpid = 0;
    assert_breaks(&state, "VPID: 0 while VPIDs are enabled");
}

static void test_unchecked_features(void **context)
{
    static const struct edited cases[] = {
        BREAKS(long_mode, "controls: posted interrupts are on, whose rules are not checked",
               SET(controls.pin, PIN_ALL | PIN_POSTED_INTERRUPTS)),
        BREAKS(long_mode, "controls: tertiary controls are activated, whose rules are not checked",
               SET(controls.proc, PROC_ALL | PROC_TERTIARY_CONTROLS),
               SET(capabilities.proc, UINT64_C(0xffffffff04006172))),
        BREAKS(long_mode, "controls: VM functions are enabled, whose rules are not checked",
               SET(controls.proc2, PROC2_ALL | PROC2_VM_FUNCTIONS)),
        BREAKS(long_mode, "controls: VMCS shadowing is on, whose rules are not checked",
               SET(controls.proc2, PROC2_ALL | PROC2_VMCS_SHADOWING)),
        BREAKS(long_mode, "controls: EPT-violation #VE is on, whose rules are not checked",
               SET(controls.proc2, PROC2_ALL | PROC2_EPT_VIOLATION_VE)),
        BREAKS(long_mode,
               "controls: sub-page write permissions are on, whose rules are not checked",
               SET(controls.proc2, PROC2_ALL | PROC2_SUB_PAGE_WRITE)),
        BREAKS(long_mode, "controls: CET state is loaded, whose rules are not checked",
               SET(controls.exit, EXIT_ALL | EXIT_LOAD_CET_STATE),
               SET(capabilities.exit, UINT64_C(0xffffffff00036dfb))),
        BREAKS(long_mode, "controls: CET state is loaded, whose rules are not checked",
               SET(controls.entry, ENTRY_ALL | ENTRY_LOAD_CET_STATE),
               SET(capabilities.entry, UINT64_C(0xffffffff000011fb))),
        BREAKS(long_mode, "controls: IA32_BNDCFGS is loaded, whose rules are not checked",
               SET(controls.entry, ENTRY_ALL | ENTRY_LOAD_BNDCFGS)),
    };

    (void)context;
    CHECK_ALL(cases);
}

static void test_host(void **context)
{
    static const struct edited cases[] = {
        BREAKS(long_mode, "host CR0: a bit that must be 1 is 0", SET(host.cr0, 0x80050013)),
        BREAKS(long_mode, "host CR0: a bit that must be 0 is 1", SET(host.cr0, 0x180050033)),
        BREAKS(long_mode, "host CR4: a bit that must be 1 is 0", SET(host.cr4, CR4_PAE)),
        BREAKS(long_mode, "host CR4: a bit that must be 0 is 1",
               SET(host.cr4, CR4_PAE | CR4_VMXE | CR4_PKE)),
        BREAKS(long_mode, "host CR4: CET is 1 while CR0.WP is 0",
               SET(host.cr4, CR4_PAE | CR4_VMXE | CR4_CET), SET(host.cr0, 0x80040033),
               SET(capabilities.cr4_fixed1, UINT32_MAX)),
        RIGHT(long_mode, SET(host.cr4, CR4_PAE | CR4_VMXE | CR4_CET),
              SET(capabilities.cr4_fixed1, UINT32_MAX)),
        BREAKS(long_mode, "host CR3: bits beyond the physical-address width",
               SET(host.cr3, UINT64_C(1) << 40)),
        BREAKS(long_mode, "host IA32_SYSENTER_ESP: not canonical",
               SET(host.sysenter_esp, CANONICAL_EDGE)),
        BREAKS(long_mode, "host IA32_SYSENTER_EIP: not canonical",
               SET(host.sysenter_eip, CANONICAL_EDGE)),
        BREAKS(long_mode, "host IA32_PERF_GLOBAL_CTRL: reserved bits are not 0",
               SET(host.perf_global_ctrl, 0x10)),
        BREAKS(long_mode, "host IA32_PAT: a reserved memory type", SET(host.pat, 2)),
        BREAKS(long_mode, "host IA32_PAT: a reserved memory type",
               SET(host.pat, UINT64_C(8) << 56)),
        BREAKS(long_mode, "host IA32_PAT: a reserved memory type", SET(host.pat, 3u << 8)),
        RIGHT(long_mode, SET(host.pat, 2), SET(host.efer, 0),
              SET(controls.exit, EXIT_ALL & ~0x280000u)),
        BREAKS(long_mode, "host IA32_EFER: reserved bits are not 0", SET(host.efer, 0x1500)),
        BREAKS(long_mode, "host IA32_EFER: LMA is not as the host address-space size",
               SET(host.efer, EFER_LME)),
        BREAKS(long_mode, "host IA32_EFER: LME is not as the host address-space size",
               SET(host.efer, EFER_LMA)),
        BREAKS(long_mode, "VM-exit controls: the host address-space size is not 64-bit",
               SET(controls.exit, EXIT_ALL & ~EXIT_HOST_64BIT), SET(host.efer, 0)),
        BREAKS(long_mode, "host CR4: PAE is 0 on a 64-bit host", SET(host.cr4, CR4_VMXE)),
        BREAKS(long_mode, "host RIP: not canonical", SET(host.rip, CANONICAL_EDGE)),
        BREAKS(long_mode, "host ES: RPL or TI of the selector is not 0", SET(host.es, 1)),
        BREAKS(long_mode, "host CS: RPL or TI of the selector is not 0", SET(host.cs, 0xb)),
        BREAKS(long_mode, "host SS: RPL or TI of the selector is not 0", SET(host.ss, 0x14)),
        BREAKS(long_mode, "host DS: RPL or TI of the selector is not 0", SET(host.ds, 2)),
        BREAKS(long_mode, "host FS: RPL or TI of the selector is not 0", SET(host.fs, 3)),
        BREAKS(long_mode, "host GS: RPL or TI of the selector is not 0", SET(host.gs, 4)),
        BREAKS(long_mode, "host TR: RPL or TI of the selector is not 0", SET(host.tr, 0x1c)),
        BREAKS(long_mode, "host CS: the selector is 0", SET(host.cs, 0)),
        BREAKS(long_mode, "host TR: the selector is 0", SET(host.tr, 0)),
        BREAKS(long_mode, "host FS: the base is not canonical", SET(host.fs_base, CANONICAL_EDGE)),
        BREAKS(long_mode, "host GS: the base is not canonical", SET(host.gs_base, CANONICAL_EDGE)),
        BREAKS(long_mode, "host GDTR: the base is not canonical",
               SET(host.gdtr_base, CANONICAL_EDGE)),
        BREAKS(long_mode, "host IDTR: the base is not canonical",
               SET(host.idtr_base, CANONICAL_EDGE)),
        BREAKS(long_mode, "host TR: the base is not canonical", SET(host.tr_base, CANONICAL_EDGE)),
        /* With 57-bit linear addresses that is an address as any other. */
        RIGHT(long_mode, SET(host.tr_base, CANONICAL_EDGE), SET(capabilities.linear_bits, 57)),
    };

    (void)context;
    CHECK_ALL(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_states_pass),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_unchecked_features),
        cmocka_unit_test(test_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
