/* The VM-entry check's rules for the control fields: each is named by a state that is right but for
 * it. */
#include "tests/unit/vmx/entry_states.h"

static void test_controls(void **context)
{
    static const struct edited cases[] = {
        BREAKS(long_mode, "pin-based controls: a bit that must be 1 is 0",
               SET(controls.pin, PIN_ALL & ~2u)),
        BREAKS(long_mode, "pin-based controls: a bit that must be 0 is 1",
               SET(controls.pin, PIN_ALL | 1u << 8)),
        BREAKS(long_mode, "primary processor-based controls: a bit that must be 1 is 0",
               SET(controls.proc, PROC_ALL & ~2u)),
        BREAKS(long_mode, "primary processor-based controls: a bit that must be 0 is 1",
               SET(controls.proc, PROC_ALL | 1u)),
        BREAKS(long_mode, "secondary processor-based controls: a bit that must be 1 is 0",
               SET(capabilities.proc2, UINT64_C(0x00ffffff00000001))),
        BREAKS(long_mode, "secondary processor-based controls: a bit that must be 0 is 1",
               SET(controls.proc2, PROC2_ALL | 1u << 24)),
        /* Secondary controls that are not activated do not matter. */
        RIGHT(protected_mode, SET(controls.proc, PROC_ALL & ~PROC_SECONDARY_CONTROLS),
              SET(controls.proc2, UINT32_MAX)),
        BREAKS(long_mode, "VM-exit controls: a bit that must be 1 is 0",
               SET(controls.exit, EXIT_ALL & ~1u)),
        BREAKS(long_mode, "VM-exit controls: a bit that must be 0 is 1",
               SET(controls.exit, EXIT_ALL | 1u << 31)),
        BREAKS(long_mode, "VM-entry controls: a bit that must be 1 is 0",
               SET(controls.entry, ENTRY_ALL & ~1u)),
        BREAKS(long_mode, "VM-entry controls: a bit that must be 0 is 1",
               SET(controls.entry, ENTRY_ALL | 1u << 31)),
        BREAKS(long_mode, "CR3-target count: more than the CPU has CR3-target values",
               SET(controls.cr3_target_count, 5)),
        BREAKS(long_mode, "I/O bitmap A: the address is not a page the CPU can reach",
               SET(controls.io_bitmap_a, 0x1800)),
        BREAKS(long_mode, "I/O bitmap B: the address is not a page the CPU can reach",
               SET(controls.io_bitmap_b, UINT64_C(1) << 40)),
        RIGHT(long_mode, SET(controls.proc, PROC_ALL & ~PROC_IO_BITMAPS),
              SET(controls.io_bitmap_a, 1)),
        BREAKS(long_mode, "MSR bitmaps: the address is not a page the CPU can reach",
               SET(controls.msr_bitmap, 1)),
        RIGHT(long_mode, SET(controls.proc, PROC_ALL & ~PROC_MSR_BITMAPS),
              SET(controls.msr_bitmap, 1)),
        BREAKS(long_mode, "VPID: 0 while VPIDs are enabled", SET(controls.vpid, 0)),
        BREAKS(long_mode, "EPT pointer: a memory type the CPU has not",
               SET(controls.eptp, 0x6000 | 3u << 3 | 4)),
        BREAKS(
            long_mode, "EPT pointer: a memory type the CPU has not",
            SET(capabilities.ept_vpid, EPT_CAP_WALK_4 | EPT_CAP_UNCACHED | EPT_CAP_ACCESSED_DIRTY)),
        RIGHT(long_mode, SET(controls.eptp, 0x6000 | 3u << 3)), /* uncached */
        BREAKS(long_mode, "EPT pointer: a page-walk length the CPU has not",
               SET(controls.eptp, 0x6000 | 2u << 3 | 6)),
        BREAKS(long_mode, "EPT pointer: a page-walk length the CPU has not",
               SET(controls.eptp, 0x6000 | 4u << 3 | 6)),
        RIGHT(long_mode, SET(controls.eptp, 0x6000 | 4u << 3 | 6),
              SET(capabilities.ept_vpid, EPT_CAP_WALK_5 | EPT_CAP_WRITE_BACK)),
        BREAKS(long_mode, "EPT pointer: accessed and dirty flags asked for, which the CPU has not",
               SET(capabilities.ept_vpid, EPT_CAP_WALK_4 | EPT_CAP_WRITE_BACK)),
        BREAKS(long_mode, "EPT pointer: reserved bits are not 0",
               SET(controls.eptp, 0x6000 | 3u << 3 | 6 | 1u << 7)),
        BREAKS(long_mode, "EPT pointer: reserved bits are not 0",
               SET(controls.eptp, UINT64_C(1) << 40 | 3u << 3 | 6)),
        BREAKS(protected_mode, "controls: page-modification logging without EPT",
               SET(controls.proc2, PROC2_VPID | PROC2_PML)),
        BREAKS(long_mode, "page-modification log: the address is not a page the CPU can reach",
               SET(controls.proc2, PROC2_ALL | PROC2_PML), SET(controls.pml_address, 0x7010)),
        RIGHT(long_mode, SET(controls.proc2, PROC2_ALL | PROC2_PML)),
        BREAKS(long_mode, "controls: unrestricted guest without EPT",
               SET(controls.proc2, PROC2_ALL & ~PROC2_EPT)),
        BREAKS(protected_mode, "controls: mode-based execute control without EPT",
               SET(controls.proc2, PROC2_MODE_BASED_EXECUTE)),
        BREAKS(long_mode, "VM-exit MSR-store area: misaligned, or not where the CPU can reach it",
               SET(controls.exit_msr_store, 0x8008)),
        RIGHT(long_mode, SET(controls.exit_msr_store, 0x8008),
              SET(controls.exit_msr_store_count, 0)),
        BREAKS(long_mode, "VM-exit MSR-load area: misaligned, or not where the CPU can reach it",
               SET(controls.exit_msr_load, UINT64_C(1) << 40)),
        BREAKS(long_mode, "VM-entry MSR-load area: misaligned, or not where the CPU can reach it",
               SET(controls.entry_msr_load_count, 3)), /* its end is out of reach */
        BREAKS(long_mode, "controls: the preemption timer is to be saved but is not activated",
               SET(controls.pin, PIN_ALL & ~PIN_PREEMPTION_TIMER)),
        BREAKS(long_mode, "VM-entry controls: entry to SMM from outside SMM",
               SET(controls.entry, ENTRY_ALL | ENTRY_TO_SMM)),
        BREAKS(long_mode, "VM-entry controls: dual-monitor treatment deactivated from outside SMM",
               SET(controls.entry, ENTRY_ALL | ENTRY_DEACTIVATE_DUAL_MONITOR)),
    };

    (void)context;
    CHECK_ALL(cases);
}

static void test_interrupt_controls(void **context)
{
    static const struct edited cases[] = {
        BREAKS(long_mode, "virtual-APIC page: the address is not a page the CPU can reach",
               SET(controls.virtual_apic_page, 0x5001)),
        BREAKS(long_mode, "TPR threshold: bits 31:4 are not 0", SET(controls.tpr_threshold, 0x10)),
        BREAKS(long_mode, "TPR threshold: above the class of the virtual TPR",
               SET(controls.tpr_threshold, 6)),
        RIGHT(long_mode, SET(controls.tpr_threshold, 6),
              SET(controls.proc2, PROC2_ALL | PROC2_VIRTUALIZE_APIC_ACCESSES)),
        RIGHT(long_mode, SET(controls.tpr_threshold, 0x16),
              SET(controls.proc2, PROC2_ALL | PROC2_VIRTUAL_INTERRUPT_DELIVERY)),
        RIGHT(long_mode, SET(controls.proc, PROC_ALL & ~PROC_TPR_SHADOW),
              SET(controls.virtual_apic_page, 1), SET(controls.tpr_threshold, 0x16)),
        BREAKS(long_mode, "controls: virtualized x2APIC mode without the TPR shadow",
               SET(controls.proc, PROC_ALL & ~PROC_TPR_SHADOW),
               SET(controls.proc2, PROC2_ALL | PROC2_VIRTUALIZE_X2APIC)),
        BREAKS(long_mode, "controls: APIC-register virtualization without the TPR shadow",
               SET(controls.proc, PROC_ALL & ~PROC_TPR_SHADOW),
               SET(controls.proc2, PROC2_ALL | PROC2_APIC_REGISTER_VIRTUALIZATION)),
        BREAKS(long_mode, "controls: virtual-interrupt delivery without the TPR shadow",
               SET(controls.proc, PROC_ALL & ~PROC_TPR_SHADOW),
               SET(controls.proc2, PROC2_ALL | PROC2_VIRTUAL_INTERRUPT_DELIVERY)),
        BREAKS(long_mode, "controls: virtual NMIs without NMI exiting",
               SET(controls.pin, PIN_ALL & ~PIN_NMI_EXITING)),
        BREAKS(long_mode, "controls: NMI-window exiting without virtual NMIs",
               SET(controls.pin, PIN_ALL & ~PIN_VIRTUAL_NMIS),
               SET(controls.proc, PROC_ALL | PROC_NMI_WINDOW_EXITING)),
        RIGHT(long_mode, SET(controls.proc, PROC_ALL | PROC_NMI_WINDOW_EXITING)),
        BREAKS(long_mode, "APIC-access page: the address is not a page the CPU can reach",
               SET(controls.proc2, PROC2_ALL | PROC2_VIRTUALIZE_APIC_ACCESSES),
               SET(controls.apic_access_page, 0x4800)),
        BREAKS(long_mode, "controls: both APIC accesses and x2APIC mode are virtualized",
               SET(controls.proc2,
                   PROC2_ALL | PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUALIZE_X2APIC)),
        BREAKS(long_mode, "controls: virtual-interrupt delivery without external-interrupt exiting",
               SET(controls.pin, PIN_ALL & ~PIN_EXTERNAL_INTERRUPT_EXITING),
               SET(controls.proc2, PROC2_ALL | PROC2_VIRTUAL_INTERRUPT_DELIVERY)),
    };

    (void)context;
    CHECK_ALL(cases);
}

static void test_injection(void **context)
{
    static const struct edited cases[] = {
        RIGHT(long_mode, SET(controls.interruption_info, 0x7ffff9ff)), /* not valid */
        RIGHT(long_mode, SET(controls.interruption_info, VALID | 0x30)),
        RIGHT(long_mode, SET(controls.interruption_info, VALID | TYPE(2) | 2)),
        RIGHT(long_mode, SET(controls.interruption_info, VALID | TYPE(3) | 6)),
        RIGHT(long_mode, SET(controls.interruption_info, VALID | ERROR | TYPE(3) | 13),
              SET(controls.interruption_error, 0xffff)),
        RIGHT(long_mode, SET(controls.interruption_info, VALID | TYPE(4) | 0x80),
              SET(controls.instruction_length, 15)),
        RIGHT(long_mode, SET(controls.interruption_info, VALID | TYPE(7))),
        BREAKS(long_mode, "event injection: interruption type 1 is reserved",
               SET(controls.interruption_info, VALID | TYPE(1))),
        BREAKS(long_mode,
               "event injection: interruption type 7 on a CPU without the monitor trap flag",
               SET(controls.interruption_info, VALID | TYPE(7)),
               SET(capabilities.proc, UINT64_C(0xf7f9fffe04006172))),
        BREAKS(long_mode, "event injection: an NMI whose vector is not 2",
               SET(controls.interruption_info, VALID | TYPE(2) | 3)),
        BREAKS(long_mode, "event injection: a hardware exception whose vector is over 31",
               SET(controls.interruption_info, VALID | TYPE(3) | 32)),
        BREAKS(long_mode, "event injection: interruption type 7 whose vector is not 0",
               SET(controls.interruption_info, VALID | TYPE(7) | 1)),
        BREAKS(real_mode, "event injection: an error code while the guest is in real mode",
               SET(controls.interruption_info, VALID | ERROR | TYPE(3) | 13)),
        RIGHT(real_mode, SET(controls.interruption_info, VALID | TYPE(3) | 13)),
        BREAKS(long_mode, "event injection: an error code with what is no hardware exception",
               SET(controls.interruption_info, VALID | ERROR | 0x30)),
        BREAKS(long_mode, "event injection: an error code with an exception that has none",
               SET(controls.interruption_info, VALID | ERROR | TYPE(3) | 6)),
        RIGHT(long_mode, SET(controls.interruption_info, VALID | ERROR | TYPE(3) | 6),
              SET(capabilities.basic, VMX_BASIC_ANY_ERROR_CODE)),
        BREAKS(long_mode, "event injection: no error code with an exception that has one",
               SET(controls.interruption_info, VALID | TYPE(3) | 14)),
        BREAKS(long_mode, "event injection: bits 30:12 are not 0",
               SET(controls.interruption_info, VALID | 1u << 12 | 0x30)),
        BREAKS(long_mode, "event injection: error-code bits 31:16 are not 0",
               SET(controls.interruption_info, VALID | ERROR | TYPE(3) | 14),
               SET(controls.interruption_error, 0x10000)),
        BREAKS(long_mode, "event injection: the instruction length of a software event is not 1-15",
               SET(controls.interruption_info, VALID | TYPE(6) | 3)),
        BREAKS(long_mode, "event injection: the instruction length of a software event is not 1-15",
               SET(controls.interruption_info, VALID | TYPE(5) | 1),
               SET(controls.instruction_length, 16)),
        RIGHT(long_mode, SET(controls.interruption_info, VALID | TYPE(6) | 3),
              SET(capabilities.misc, UINT64_C(4) << 16 | VMX_MISC_ZERO_LENGTH_INJECTION)),
    };

    (void)context;
    CHECK_ALL(cases);
}

/* Which exceptions must bring an error code. */
static void test_error_code_of_each_exception(void **context)
{
    (void)context;
    for (uint32_t vector = 0; vector < 32; vector++) {
        struct vmx_entry_state state = long_mode();
        char text[ENTRY_CHECK_TEXT_SIZE];
        bool has = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;

        state.controls.interruption_info = VALID | TYPE(3) | vector | (has ? ERROR : 0);
        assert_passes(&state);
        state.controls.interruption_info ^= ERROR;
        assert_non_null(entry_check(&state, text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_interrupt_controls),
        cmocka_unit_test(test_injection),
        cmocka_unit_test(test_error_code_of_each_exception),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
