/* VM-entry checks of the execution, exit and entry control fields (SDM vol. 3, 27.2.1). */
#include "kernel/cpu/x86_defs.h"
#include "vmx/entry_check_rules.h"

#define PAGE_MASK     UINT64_C(0xfff)
#define MSR_AREA_MASK UINT64_C(0xf)
#define MSR_ENTRY     16u /* bytes */

/* Exceptions that push an error code. */
#define ERROR_CODE_VECTORS                                                               \
    (1u << EXCEPTION_DF | 1u << EXCEPTION_TS | 1u << EXCEPTION_NP | 1u << EXCEPTION_SS | \
     1u << EXCEPTION_GP | 1u << EXCEPTION_PF | 1u << EXCEPTION_AC)

/* A bit that must be 1 is 0. */
static bool lacks(uint64_t capability, uint32_t value)
{
    return (uint32_t)capability & ~value;
}

/* A bit that must be 0 is 1. */
static bool exceeds(uint64_t capability, uint32_t value)
{
    return value & ~(uint32_t)(capability >> 32);
}

static const char *check_words(const struct vmx_entry_state *state)
{
    const struct vmx_entry_capabilities *allowed = &state->capabilities;
    const struct vmx_entry_controls *controls = &state->controls;
    bool secondary = controls->proc & PROC_SECONDARY_CONTROLS;
    const struct entry_rule rules[] = {
        {lacks(allowed->pin, controls->pin), "pin-based controls: a bit that must be 1 is 0"},
        {exceeds(allowed->pin, controls->pin), "pin-based controls: a bit that must be 0 is 1"},
        {lacks(allowed->proc, controls->proc),
         "primary processor-based controls: a bit that must be 1 is 0"},
        {exceeds(allowed->proc, controls->proc),
         "primary processor-based controls: a bit that must be 0 is 1"},
        {secondary && lacks(allowed->proc2, controls->proc2),
         "secondary processor-based controls: a bit that must be 1 is 0"},
        {secondary && exceeds(allowed->proc2, controls->proc2),
         "secondary processor-based controls: a bit that must be 0 is 1"},
        {lacks(allowed->exit, controls->exit), "VM-exit controls: a bit that must be 1 is 0"},
        {exceeds(allowed->exit, controls->exit), "VM-exit controls: a bit that must be 0 is 1"},
        {lacks(allowed->entry, controls->entry), "VM-entry controls: a bit that must be 1 is 0"},
        {exceeds(allowed->entry, controls->entry), "VM-entry controls: a bit that must be 0 is 1"},
    };

    return FIRST_BROKEN(rules);
}

static const char *check_interrupts(const struct vmx_entry_state *state)
{
    const struct vmx_entry_controls *controls = &state->controls;
    uint32_t proc2 = entry_proc2(state);
    bool tpr_shadow = controls->proc & PROC_TPR_SHADOW;
    bool delivery = proc2 & PROC2_VIRTUAL_INTERRUPT_DELIVERY;
    bool apic_accesses = proc2 & PROC2_VIRTUALIZE_APIC_ACCESSES;
    bool threshold_used = tpr_shadow && !delivery;
    const struct entry_rule rules[] = {
        {tpr_shadow && !entry_physical(state, controls->virtual_apic_page, PAGE_MASK),
         "virtual-APIC page: the address is not a page the CPU can reach"},
        {threshold_used && (controls->tpr_threshold & ~15u), "TPR threshold: bits 31:4 are not 0"},
        {threshold_used && !apic_accesses &&
             (controls->tpr_threshold & 15u) > (uint32_t)controls->virtual_tpr >> 4,
         "TPR threshold: above the class of the virtual TPR"},
        {!tpr_shadow && (proc2 & PROC2_VIRTUALIZE_X2APIC),
         "controls: virtualized x2APIC mode without the TPR shadow"},
        {!tpr_shadow && (proc2 & PROC2_APIC_REGISTER_VIRTUALIZATION),
         "controls: APIC-register virtualization without the TPR shadow"},
        {!tpr_shadow && delivery, "controls: virtual-interrupt delivery without the TPR shadow"},
        {(controls->pin & PIN_VIRTUAL_NMIS) && !(controls->pin & PIN_NMI_EXITING),
         "controls: virtual NMIs without NMI exiting"},
        {(controls->proc & PROC_NMI_WINDOW_EXITING) && !(controls->pin & PIN_VIRTUAL_NMIS),
         "controls: NMI-window exiting without virtual NMIs"},
        {apic_accesses && !entry_physical(state, controls->apic_access_page, PAGE_MASK),
         "APIC-access page: the address is not a page the CPU can reach"},
        {apic_accesses && (proc2 & PROC2_VIRTUALIZE_X2APIC),
         "controls: both APIC accesses and x2APIC mode are virtualized"},
        {delivery && !(controls->pin & PIN_EXTERNAL_INTERRUPT_EXITING),
         "controls: virtual-interrupt delivery without external-interrupt exiting"},
    };

    return FIRST_BROKEN(rules);
}

static bool eptp_type_supported(const struct vmx_entry_state *state)
{
    uint64_t capabilities = state->capabilities.ept_vpid;

    switch (state->controls.eptp & EPTP_TYPE_MASK) {
    case EPTP_TYPE_UNCACHED:
        return capabilities & EPT_CAP_UNCACHED;
    case EPTP_TYPE_WRITE_BACK:
        return capabilities & EPT_CAP_WRITE_BACK;
    default:
        return false;
    }
}

static bool eptp_walk_supported(const struct vmx_entry_state *state)
{
    uint64_t capabilities = state->capabilities.ept_vpid;

    switch ((state->controls.eptp & EPTP_WALK_MASK) >> EPTP_WALK_SHIFT) {
    case 3:
        return capabilities & EPT_CAP_WALK_4;
    case 4:
        return capabilities & EPT_CAP_WALK_5;
    default:
        return false;
    }
}

static const char *check_memory(const struct vmx_entry_state *state)
{
    const struct vmx_entry_controls *controls = &state->controls;
    uint32_t proc2 = entry_proc2(state);
    bool ept = proc2 & PROC2_EPT;
    bool accessed_dirty = controls->eptp & EPTP_ACCESSED_DIRTY;
    bool pml = proc2 & PROC2_PML;
    const struct entry_rule rules[] = {
        {(proc2 & PROC2_VPID) && controls->vpid == 0, "VPID: 0 while VPIDs are enabled"},
        {ept && !eptp_type_supported(state), "EPT pointer: a memory type the CPU has not"},
        {ept && !eptp_walk_supported(state), "EPT pointer: a page-walk length the CPU has not"},
        {ept && accessed_dirty && !(state->capabilities.ept_vpid & EPT_CAP_ACCESSED_DIRTY),
         "EPT pointer: accessed and dirty flags asked for, which the CPU has not"},
        {ept && !entry_physical(state, controls->eptp, UINT64_C(0xf80)),
         "EPT pointer: reserved bits are not 0"},
        {pml && !ept, "controls: page-modification logging without EPT"},
        {pml && !entry_physical(state, controls->pml_address, PAGE_MASK),
         "page-modification log: the address is not a page the CPU can reach"},
        {(proc2 & PROC2_UNRESTRICTED_GUEST) && !ept, "controls: unrestricted guest without EPT"},
        {(proc2 & PROC2_MODE_BASED_EXECUTE) && !ept,
         "controls: mode-based execute control without EPT"},
    };

    return FIRST_BROKEN(rules);
}

static bool msr_area_reachable(const struct vmx_entry_state *state, uint64_t address,
                               uint32_t count)
{
    uint64_t last = address + (uint64_t)count * MSR_ENTRY - 1;

    return count == 0 ||
           (entry_physical(state, address, MSR_AREA_MASK) && entry_physical(state, last, 0));
}

static const char *check_areas(const struct vmx_entry_state *state)
{
    const struct vmx_entry_controls *controls = &state->controls;
    uint64_t cr3_targets =
        (state->capabilities.misc & VMX_MISC_CR3_TARGETS_MASK) >> VMX_MISC_CR3_TARGETS_SHIFT;
    const struct entry_rule rules[] = {
        {controls->cr3_target_count > cr3_targets,
         "CR3-target count: more than the CPU has CR3-target values"},
        {(controls->proc & PROC_IO_BITMAPS) &&
             !entry_physical(state, controls->io_bitmap_a, PAGE_MASK),
         "I/O bitmap A: the address is not a page the CPU can reach"},
        {(controls->proc & PROC_IO_BITMAPS) &&
             !entry_physical(state, controls->io_bitmap_b, PAGE_MASK),
         "I/O bitmap B: the address is not a page the CPU can reach"},
        {(controls->proc & PROC_MSR_BITMAPS) &&
             !entry_physical(state, controls->msr_bitmap, PAGE_MASK),
         "MSR bitmaps: the address is not a page the CPU can reach"},
        {!msr_area_reachable(state, controls->exit_msr_store, controls->exit_msr_store_count),
         "VM-exit MSR-store area: misaligned, or not where the CPU can reach it"},
        {!msr_area_reachable(state, controls->exit_msr_load, controls->exit_msr_load_count),
         "VM-exit MSR-load area: misaligned, or not where the CPU can reach it"},
        {!msr_area_reachable(state, controls->entry_msr_load, controls->entry_msr_load_count),
         "VM-entry MSR-load area: misaligned, or not where the CPU can reach it"},
        {(controls->exit & EXIT_SAVE_PREEMPTION_TIMER) && !(controls->pin & PIN_PREEMPTION_TIMER),
         "controls: the preemption timer is to be saved but is not activated"},
        {controls->entry & ENTRY_TO_SMM, "VM-entry controls: entry to SMM from outside SMM"},
        {controls->entry & ENTRY_DEACTIVATE_DUAL_MONITOR,
         "VM-entry controls: dual-monitor treatment deactivated from outside SMM"},
    };

    return FIRST_BROKEN(rules);
}

const char *entry_check_controls(const struct vmx_entry_state *state)
{
    const char *words = check_words(state);

    if (!words) {
        words = check_interrupts(state);
    }
    if (!words) {
        words = check_memory(state);
    }
    return words ? words : check_areas(state);
}

const char *entry_check_injection(const struct vmx_entry_state *state)
{
    const struct vmx_entry_controls *controls = &state->controls;
    uint32_t info = controls->interruption_info;
    uint32_t vector = info & INTERRUPTION_VECTOR_MASK;
    uint32_t type = (info & INTERRUPTION_TYPE_MASK) >> INTERRUPTION_TYPE_SHIFT;
    bool exception = type == INTERRUPTION_HARDWARE_EXCEPTION;
    bool software = type == INTERRUPTION_SOFTWARE_INTERRUPT ||
                    type == INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION ||
                    type == INTERRUPTION_SOFTWARE_EXCEPTION;
    bool error_code = info & INTERRUPTION_ERROR_CODE;
    bool real_mode =
        (entry_proc2(state) & PROC2_UNRESTRICTED_GUEST) && !(state->guest.cr0 & CR0_PE);
    bool any_error_code = state->capabilities.basic & VMX_BASIC_ANY_ERROR_CODE;
    bool pushes = exception && vector < 32 && (ERROR_CODE_VECTORS >> vector & 1);
    uint32_t shortest = state->capabilities.misc & VMX_MISC_ZERO_LENGTH_INJECTION ? 0 : 1;
    const struct entry_rule rules[] = {
        {type == 1, "event injection: interruption type 1 is reserved"},
        {type == INTERRUPTION_OTHER &&
             !((uint32_t)(state->capabilities.proc >> 32) & PROC_MONITOR_TRAP_FLAG),
         "event injection: interruption type 7 on a CPU without the monitor trap flag"},
        {type == INTERRUPTION_NMI && vector != EXCEPTION_NMI,
         "event injection: an NMI whose vector is not 2"},
        {exception && vector > 31, "event injection: a hardware exception whose vector is over 31"},
        {type == INTERRUPTION_OTHER && vector != 0,
         "event injection: interruption type 7 whose vector is not 0"},
        {error_code && real_mode, "event injection: an error code while the guest is in real mode"},
        {error_code && !exception,
         "event injection: an error code with what is no hardware exception"},
        {error_code && !pushes && !any_error_code,
         "event injection: an error code with an exception that has none"},
        {!error_code && pushes && !real_mode && !any_error_code,
         "event injection: no error code with an exception that has one"},
        {info & UINT32_C(0x7ffff000), "event injection: bits 30:12 are not 0"},
        {error_code && (controls->interruption_error >> 16),
         "event injection: error-code bits 31:16 are not 0"},
        {software && (controls->instruction_length < shortest || controls->instruction_length > 15),
         "event injection: the instruction length of a software event is not 1-15"},
    };

    return info & INTERRUPTION_VALID ? FIRST_BROKEN(rules) : NULL;
}
