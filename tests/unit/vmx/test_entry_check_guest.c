/* The VM-entry check's rules for the guest's registers and non-register state: each is named by a
 * state that is right but for it. */
#include "tests/unit/vmx/entry_states.h"

static void test_guest_registers(void **context)
{
    static const struct edited cases[] = {
        BREAKS(long_mode, "guest CR0: a bit that must be 1 is 0", SET(guest.cr0, 0x80050013)),
        BREAKS(protected_mode, "guest CR0: a bit that must be 1 is 0", SET(guest.cr0, 0x50033)),
        BREAKS(long_mode, "guest CR0: a bit that must be 0 is 1", SET(guest.cr0, 0x180050033)),
        RIGHT(long_mode, SET(guest.cr0, 0xe0050033), SET(capabilities.cr0_fixed1, 0x80050033)),
        BREAKS(long_mode, "guest CR0: PG is 1 while PE is 0", SET(guest.cr0, 0x80050032)),
        BREAKS(long_mode, "guest CR4: a bit that must be 1 is 0", SET(guest.cr4, CR4_PAE)),
        BREAKS(long_mode, "guest CR4: a bit that must be 0 is 1",
               SET(guest.cr4, CR4_PAE | CR4_VMXE | CR4_PKE)),
        BREAKS(long_mode, "guest CR4: CET is 1 while CR0.WP is 0",
               SET(guest.cr4, CR4_PAE | CR4_VMXE | CR4_CET), SET(guest.cr0, 0x80040033),
               SET(capabilities.cr4_fixed1, UINT32_MAX)),
        BREAKS(long_mode, "guest CR0: PG is 0 in IA-32e mode", SET(guest.cr0, 0x50033)),
        BREAKS(long_mode, "guest CR4: PAE is 0 in IA-32e mode", SET(guest.cr4, CR4_VMXE)),
        BREAKS(protected_mode, "guest CR4: PCIDE is 1 outside IA-32e mode",
               SET(guest.cr4, CR4_PAE | CR4_VMXE | CR4_PCIDE)),
        RIGHT(long_mode, SET(guest.cr4, CR4_PAE | CR4_VMXE | CR4_PCIDE)),
        BREAKS(long_mode, "guest CR3: bits beyond the physical-address width",
               SET(guest.cr3, UINT64_C(1) << 40)),
        BREAKS(long_mode, "guest IA32_DEBUGCTL: reserved bits are not 0", SET(guest.debugctl, 8)),
        BREAKS(long_mode, "guest DR7: bits 63:32 are not 0", SET(guest.dr7, UINT64_C(1) << 32)),
        RIGHT(long_mode, SET(guest.dr7, UINT64_C(1) << 32), SET(guest.debugctl, 8),
              SET(controls.entry, ENTRY_ALL & ~4u),
              SET(capabilities.entry, UINT64_C(0x0003ffff000011f8))),
        BREAKS(long_mode, "guest IA32_SYSENTER_ESP: not canonical",
               SET(guest.sysenter_esp, CANONICAL_EDGE)),
        BREAKS(long_mode, "guest IA32_SYSENTER_EIP: not canonical",
               SET(guest.sysenter_eip, CANONICAL_EDGE)),
        BREAKS(long_mode, "guest IA32_PERF_GLOBAL_CTRL: reserved bits are not 0",
               SET(guest.perf_global_ctrl, 0x10)),
        BREAKS(long_mode, "guest IA32_PAT: a reserved memory type", SET(guest.pat, 2u << 16)),
        BREAKS(long_mode, "guest IA32_EFER: reserved bits are not 0", SET(guest.efer, 0x1500)),
        BREAKS(long_mode, "guest IA32_EFER: LMA is not as the IA-32e-mode-guest control",
               SET(guest.efer, EFER_LME)),
        BREAKS(protected_mode, "guest IA32_EFER: LMA is not as the IA-32e-mode-guest control",
               SET(guest.efer, EFER_LMA | EFER_LME)),
        BREAKS(protected_mode, "guest IA32_EFER: LME is not LMA while CR0.PG is 1",
               SET(guest.efer, EFER_LME)),
        RIGHT(real_mode, SET(guest.efer, EFER_LME)), /* on the way to long mode */
        BREAKS(long_mode, "guest GDTR: the base is not canonical",
               SET(guest.gdtr_base, CANONICAL_EDGE)),
        BREAKS(long_mode, "guest IDTR: the base is not canonical",
               SET(guest.idtr_base, CANONICAL_EDGE)),
        BREAKS(long_mode, "guest GDTR: limit bits 31:16 are not 0", SET(guest.gdtr_limit, 0x10000)),
        BREAKS(long_mode, "guest IDTR: limit bits 31:16 are not 0", SET(guest.idtr_limit, 0x10000)),
        BREAKS(long_mode, "guest RIP: bits beyond the width of its code",
               SET(guest.rip, UINT64_C(1) << 48)),
        RIGHT(long_mode, SET(guest.rip, CANONICAL_EDGE)), /* not canonical, but allowed */
        BREAKS(protected_mode, "guest RIP: bits beyond the width of its code",
               SET(guest.rip, UINT64_C(1) << 32)),
        /* compatibility mode */
        BREAKS(long_mode, "guest RIP: bits beyond the width of its code",
               SET(guest.segments[SEGMENT_CS].attributes, CODE32)),
        BREAKS(long_mode, "guest RFLAGS: reserved bits are not 0",
               SET(guest.rflags, 0x202 | 1u << 3)),
        BREAKS(long_mode, "guest RFLAGS: reserved bits are not 0",
               SET(guest.rflags, 0x202 | 1u << 5)),
        BREAKS(long_mode, "guest RFLAGS: reserved bits are not 0",
               SET(guest.rflags, 0x202 | 1u << 15)),
        BREAKS(long_mode, "guest RFLAGS: reserved bits are not 0",
               SET(guest.rflags, 0x202 | 1u << 22)),
        BREAKS(long_mode, "guest RFLAGS: bit 1 is 0", SET(guest.rflags, 0x200)),
        BREAKS(long_mode, "guest RFLAGS: IF is 0 while an external interrupt is injected",
               SET(guest.rflags, 2), SET(controls.interruption_info, VALID | 0x30)),
    };

    (void)context;
    CHECK_ALL(cases);
}

static void test_virtual_8086_flag(void **context)
{
    struct vmx_entry_state state = v8086();

    (void)context;
    state.controls.entry |= ENTRY_IA32E_GUEST;
    state.guest.efer = EFER_LMA | EFER_LME;
    assert_breaks(&state, "guest RFLAGS: VM is 1 in IA-32e mode");

    state = v8086();
    state.controls.proc2 |= PROC2_UNRESTRICTED_GUEST;
    state.guest.cr0 &= ~(CR0_PE | CR0_PG);
    assert_breaks(&state, "guest RFLAGS: VM is 1 while CR0.PE is 0");
}

static void test_guest_non_register_state(void **context)
{
    static const struct edited cases[] = {
        RIGHT(long_mode, SET(guest.activity, ACTIVITY_STATE_HLT)),
        RIGHT(long_mode, SET(guest.activity, ACTIVITY_STATE_SHUTDOWN)),
        RIGHT(long_mode, SET(guest.activity, ACTIVITY_STATE_WAIT_FOR_SIPI)),
        BREAKS(long_mode, "guest activity state: not one that the CPU supports",
               SET(guest.activity, 4)),
        BREAKS(long_mode, "guest activity state: not one that the CPU supports",
               SET(guest.activity, 1), SET(capabilities.misc, UINT64_C(4) << 16)),
        BREAKS(long_mode, "guest activity state: not one that the CPU supports",
               SET(guest.activity, 2), SET(capabilities.misc, UINT64_C(4) << 16)),
        BREAKS(long_mode, "guest activity state: not one that the CPU supports",
               SET(guest.activity, 3), SET(capabilities.misc, UINT64_C(4) << 16)),
        BREAKS(long_mode_user, "guest activity state: HLT while the DPL of SS is not 0",
               SET(guest.activity, 1)),
        BREAKS(long_mode, "guest activity state: not active while STI or MOV SS blocks",
               SET(guest.activity, 1), SET(guest.interruptibility, 1)),
        RIGHT(long_mode, SET(guest.activity, 1), SET(controls.interruption_info, VALID | 0x30)),
        RIGHT(long_mode, SET(guest.activity, 1),
              SET(controls.interruption_info, VALID | TYPE(2) | 2)),
        RIGHT(long_mode, SET(guest.activity, 1),
              SET(controls.interruption_info, VALID | TYPE(3) | 1)),
        RIGHT(long_mode, SET(guest.activity, 1), SET(controls.interruption_info, VALID | TYPE(7))),
        BREAKS(long_mode, "guest activity state: the injected event cannot be delivered in it",
               SET(guest.activity, 1), SET(controls.interruption_info, VALID | TYPE(3) | 6)),
        RIGHT(long_mode, SET(guest.activity, 2),
              SET(controls.interruption_info, VALID | TYPE(3) | 18)),
        BREAKS(long_mode, "guest activity state: the injected event cannot be delivered in it",
               SET(guest.activity, 2), SET(controls.interruption_info, VALID | 0x30)),
        BREAKS(long_mode, "guest activity state: the injected event cannot be delivered in it",
               SET(guest.activity, 3), SET(controls.interruption_info, VALID | TYPE(2) | 2)),

        RIGHT(long_mode, SET(guest.interruptibility, 1)),
        RIGHT(long_mode, SET(guest.interruptibility, 2)),
        RIGHT(long_mode, SET(guest.interruptibility, 8)),
        BREAKS(long_mode, "guest interruptibility state: bits 31:5 are not 0",
               SET(guest.interruptibility, 32)),
        BREAKS(long_mode, "guest interruptibility state: both STI and MOV SS block",
               SET(guest.interruptibility, 3)),
        BREAKS(long_mode, "guest interruptibility state: STI blocks while RFLAGS.IF is 0",
               SET(guest.interruptibility, 1), SET(guest.rflags, 2)),
        BREAKS(long_mode,
               "guest interruptibility state: STI or MOV SS blocks the injected external interrupt",
               SET(guest.interruptibility, 1), SET(controls.interruption_info, VALID | 0x30)),
        BREAKS(long_mode,
               "guest interruptibility state: STI or MOV SS blocks the injected external interrupt",
               SET(guest.interruptibility, 2), SET(controls.interruption_info, VALID | 0x30)),
        BREAKS(long_mode, "guest interruptibility state: MOV SS blocks the injected NMI",
               SET(guest.interruptibility, 2),
               SET(controls.interruption_info, VALID | TYPE(2) | 2)),
        RIGHT(long_mode, SET(guest.interruptibility, 2),
              SET(controls.interruption_info, TYPE(2) | 2)),
        BREAKS(long_mode, "guest interruptibility state: blocking by SMI outside SMM",
               SET(guest.interruptibility, 4)),
        BREAKS(
            long_mode, "guest interruptibility state: STI blocks the injected NMI (on some CPUs)",
            SET(guest.interruptibility, 1), SET(controls.interruption_info, VALID | TYPE(2) | 2)),
        BREAKS(long_mode, "guest interruptibility state: blocking by NMI while an NMI is injected",
               SET(guest.interruptibility, 8),
               SET(controls.interruption_info, VALID | TYPE(2) | 2)),
        RIGHT(long_mode, SET(guest.interruptibility, 8),
              SET(controls.interruption_info, VALID | TYPE(2) | 2),
              SET(controls.pin, PIN_ALL & ~PIN_VIRTUAL_NMIS)),
        BREAKS(long_mode, "guest interruptibility state: MOV SS blocks in an enclave",
               SET(guest.interruptibility, 0x12)),

        RIGHT(long_mode, SET(guest.pending_debug, 0x500f)),
        BREAKS(long_mode, "guest pending debug exceptions: reserved bits are not 0",
               SET(guest.pending_debug, 0x10)),
        BREAKS(long_mode, "guest pending debug exceptions: reserved bits are not 0",
               SET(guest.pending_debug, UINT64_C(1) << 63)),
        BREAKS(long_mode,
               "guest pending debug exceptions: BS is 0 while a single step is held back",
               SET(guest.interruptibility, 1), SET(guest.rflags, 0x302)),
        RIGHT(long_mode, SET(guest.interruptibility, 1), SET(guest.rflags, 0x302),
              SET(guest.pending_debug, PENDING_DEBUG_BS)),
        BREAKS(long_mode, "guest pending debug exceptions: BS is 1 while nothing single-steps",
               SET(guest.interruptibility, 1), SET(guest.pending_debug, PENDING_DEBUG_BS)),
        BREAKS(long_mode, "guest pending debug exceptions: BS is 1 while nothing single-steps",
               SET(guest.activity, 1), SET(guest.rflags, 0x302), SET(guest.debugctl, 2),
               SET(guest.pending_debug, PENDING_DEBUG_BS)),
        RIGHT(long_mode, SET(guest.pending_debug, PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED)),
        BREAKS(long_mode, "guest pending debug exceptions: RTM with other bits than bit 12",
               SET(guest.pending_debug, PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED | 1)),
        BREAKS(long_mode, "guest pending debug exceptions: RTM with other bits than bit 12",
               SET(guest.pending_debug, PENDING_DEBUG_RTM)),
        BREAKS(long_mode, "guest pending debug exceptions: RTM while MOV SS blocks",
               SET(guest.pending_debug, PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED),
               SET(guest.interruptibility, 2)),

        RIGHT(long_mode, SET(guest.link_pointer, 0x1000)),
        BREAKS(long_mode, "guest VMCS link pointer: neither all ones nor a page the CPU can reach",
               SET(guest.link_pointer, 0x1008)),
        BREAKS(long_mode, "guest VMCS link pointer: neither all ones nor a page the CPU can reach",
               SET(guest.link_pointer, UINT64_MAX - 0xfff)),

        BREAKS(protected_mode, "guest PDPTEs: one that is present has reserved bits set",
               SET(guest.pdpte[1], 0x20003)),
        BREAKS(protected_mode, "guest PDPTEs: one that is present has reserved bits set",
               SET(guest.pdpte[2], 0x20101)),
        BREAKS(protected_mode, "guest PDPTEs: one that is present has reserved bits set",
               SET(guest.pdpte[3], UINT64_C(1) << 63 | 1)),
        RIGHT(protected_mode, SET(guest.pdpte[3], 0x20019)), /* PWT and PCD */
        RIGHT(long_mode, SET(guest.pdpte[0], UINT64_MAX)),   /* no PAE paging */
        RIGHT(protected_mode, SET(guest.pdpte[0], UINT64_MAX),
              SET(controls.proc2, PROC2_VPID)), /* no EPT */
    };

    (void)context;
    CHECK_ALL(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guest_registers),
        cmocka_unit_test(test_virtual_8086_flag),
        cmocka_unit_test(test_guest_non_register_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
