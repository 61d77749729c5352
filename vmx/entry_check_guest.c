/* VM-entry checks of the guest's registers and non-register state (SDM vol. 3, 27.3.1.1 and
 * 27.3.1.3 - 27.3.1.6). */
#include "kernel/cpu/x86_defs.h"
#include "vmx/entry_check_rules.h"

#define DEBUGCTL_RESERVED (~UINT64_C(0xffc7))
#define RFLAGS_RESERVED \
    (~UINT64_C(0x3fffff) | UINT64_C(1) << 15 | UINT64_C(1) << 5 | UINT64_C(1) << 3)
#define PENDING_DEBUG_RESERVED \
    (~(PENDING_DEBUG_BREAKPOINTS | PENDING_DEBUG_ENABLED | PENDING_DEBUG_BS | PENDING_DEBUG_RTM))
#define PDPTE_PRESENT  UINT64_C(1)
#define PDPTE_RESERVED UINT64_C(0x1e6) /* bits 2:1 and 8:5 */

static bool long_mode(const struct vmx_entry_state *state)
{
    return state->controls.entry & ENTRY_IA32E_GUEST;
}

static const char *check_control_registers(const struct vmx_entry_state *state)
{
    const struct vmx_entry_capabilities *allowed = &state->capabilities;
    const struct vmx_entry_guest *guest = &state->guest;
    uint64_t unchecked = CR0_NW | CR0_CD; /* VM entry does not load them */
    bool paging = guest->cr0 & CR0_PG;

    if (entry_proc2(state) & PROC2_UNRESTRICTED_GUEST) {
        unchecked |= CR0_PE | CR0_PG;
    }

    const struct entry_rule rules[] = {
        {allowed->cr0_fixed0 & ~guest->cr0 & ~unchecked, "guest CR0: a bit that must be 1 is 0"},
        {guest->cr0 & ~allowed->cr0_fixed1 & ~unchecked, "guest CR0: a bit that must be 0 is 1"},
        {paging && !(guest->cr0 & CR0_PE), "guest CR0: PG is 1 while PE is 0"},
        {allowed->cr4_fixed0 & ~guest->cr4, "guest CR4: a bit that must be 1 is 0"},
        {guest->cr4 & ~allowed->cr4_fixed1, "guest CR4: a bit that must be 0 is 1"},
        {(guest->cr4 & CR4_CET) && !(guest->cr0 & CR0_WP), "guest CR4: CET is 1 while CR0.WP is 0"},
        {long_mode(state) && !paging, "guest CR0: PG is 0 in IA-32e mode"},
        {long_mode(state) && !(guest->cr4 & CR4_PAE), "guest CR4: PAE is 0 in IA-32e mode"},
        {!long_mode(state) && (guest->cr4 & CR4_PCIDE),
         "guest CR4: PCIDE is 1 outside IA-32e mode"},
        {!entry_physical(state, guest->cr3, 0),
         "guest CR3: bits beyond the physical-address width"},
    };

    return FIRST_BROKEN(rules);
}

const char *entry_check_registers(const struct vmx_entry_state *state)
{
    const struct vmx_entry_guest *guest = &state->guest;
    uint32_t entry = state->controls.entry;
    bool load_debug = entry & ENTRY_LOAD_DEBUG_CONTROLS;
    bool load_efer = entry & ENTRY_LOAD_EFER;
    bool lma = guest->efer & EFER_LMA;
    bool lme = guest->efer & EFER_LME;
    const struct entry_rule rules[] = {
        {load_debug && (guest->debugctl & DEBUGCTL_RESERVED),
         "guest IA32_DEBUGCTL: reserved bits are not 0"},
        {load_debug && (guest->dr7 >> 32), "guest DR7: bits 63:32 are not 0"},
        {!entry_canonical(state, guest->sysenter_esp), "guest IA32_SYSENTER_ESP: not canonical"},
        {!entry_canonical(state, guest->sysenter_eip), "guest IA32_SYSENTER_EIP: not canonical"},
        {(entry & ENTRY_LOAD_PERF_GLOBAL_CTRL) &&
             (guest->perf_global_ctrl & state->capabilities.perf_global_ctrl_reserved),
         "guest IA32_PERF_GLOBAL_CTRL: reserved bits are not 0"},
        {(entry & ENTRY_LOAD_PAT) && !entry_pat_valid(guest->pat),
         "guest IA32_PAT: a reserved memory type"},
        {load_efer && (guest->efer & state->capabilities.efer_reserved),
         "guest IA32_EFER: reserved bits are not 0"},
        {load_efer && lma != long_mode(state),
         "guest IA32_EFER: LMA is not as the IA-32e-mode-guest control"},
        {load_efer && (guest->cr0 & CR0_PG) && lma != lme,
         "guest IA32_EFER: LME is not LMA while CR0.PG is 1"},
    };
    const char *words = check_control_registers(state);

    return words ? words : FIRST_BROKEN(rules);
}

/* RIP need not be canonical: a 64-bit guest may have run to the edge of the lower half. */
static bool rip_fits(const struct vmx_entry_state *state)
{
    unsigned bits = state->capabilities.linear_bits;
    uint64_t upper = state->guest.rip >> bits;

    if (long_mode(state) && (state->guest.segments[SEGMENT_CS].attributes & SEGMENT_L)) {
        return upper == 0 || upper == UINT64_MAX >> bits;
    }
    return !(state->guest.rip >> 32);
}

static const char *check_tables_and_flags(const struct vmx_entry_state *state)
{
    const struct vmx_entry_guest *guest = &state->guest;
    uint32_t info = state->controls.interruption_info;
    bool external = (info & (INTERRUPTION_VALID | INTERRUPTION_TYPE_MASK)) == INTERRUPTION_VALID;
    bool vm = guest->rflags & RFLAGS_VM;
    const struct entry_rule rules[] = {
        {!entry_canonical(state, guest->gdtr_base), "guest GDTR: the base is not canonical"},
        {!entry_canonical(state, guest->idtr_base), "guest IDTR: the base is not canonical"},
        {guest->gdtr_limit >> 16, "guest GDTR: limit bits 31:16 are not 0"},
        {guest->idtr_limit >> 16, "guest IDTR: limit bits 31:16 are not 0"},
        {!rip_fits(state), "guest RIP: bits beyond the width of its code"},
        {guest->rflags & RFLAGS_RESERVED, "guest RFLAGS: reserved bits are not 0"},
        {!(guest->rflags & RFLAGS_FIXED1), "guest RFLAGS: bit 1 is 0"},
        {vm && long_mode(state), "guest RFLAGS: VM is 1 in IA-32e mode"},
        {vm && !(guest->cr0 & CR0_PE), "guest RFLAGS: VM is 1 while CR0.PE is 0"},
        {external && !(guest->rflags & RFLAGS_IF),
         "guest RFLAGS: IF is 0 while an external interrupt is injected"},
    };

    return FIRST_BROKEN(rules);
}

static bool activity_supported(const struct vmx_entry_state *state)
{
    switch (state->guest.activity) {
    case ACTIVITY_STATE_ACTIVE:
        return true;
    case ACTIVITY_STATE_HLT:
        return state->capabilities.misc & VMX_MISC_ACTIVITY_HLT;
    case ACTIVITY_STATE_SHUTDOWN:
        return state->capabilities.misc & VMX_MISC_ACTIVITY_SHUTDOWN;
    case ACTIVITY_STATE_WAIT_FOR_SIPI:
        return state->capabilities.misc & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI;
    default:
        return false;
    }
}

/* May this event be injected into a CPU in that activity state? */
static bool activity_takes(uint32_t activity, uint32_t info)
{
    uint32_t vector = info & INTERRUPTION_VECTOR_MASK;
    uint32_t type = (info & INTERRUPTION_TYPE_MASK) >> INTERRUPTION_TYPE_SHIFT;
    bool machine_check = type == INTERRUPTION_HARDWARE_EXCEPTION && vector == EXCEPTION_MC;
    bool debug = type == INTERRUPTION_HARDWARE_EXCEPTION && vector == EXCEPTION_DB;

    switch (activity) {
    case ACTIVITY_STATE_HLT:
        return type == INTERRUPTION_EXTERNAL || type == INTERRUPTION_NMI ||
               type == INTERRUPTION_OTHER || machine_check || debug;
    case ACTIVITY_STATE_SHUTDOWN:
        return type == INTERRUPTION_NMI || machine_check;
    case ACTIVITY_STATE_WAIT_FOR_SIPI:
        return false;
    default:
        return true;
    }
}

static const char *check_activity(const struct vmx_entry_state *state)
{
    const struct vmx_entry_guest *guest = &state->guest;
    uint32_t info = state->controls.interruption_info;
    uint32_t shadow = guest->interruptibility & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS);
    const struct entry_rule rules[] = {
        {!activity_supported(state), "guest activity state: not one that the CPU supports"},
        {guest->activity == ACTIVITY_STATE_HLT &&
             (guest->segments[SEGMENT_SS].attributes & SEGMENT_DPL_MASK),
         "guest activity state: HLT while the DPL of SS is not 0"},
        {guest->activity != ACTIVITY_STATE_ACTIVE && shadow,
         "guest activity state: not active while STI or MOV SS blocks"},
        {(info & INTERRUPTION_VALID) && !activity_takes(guest->activity, info),
         "guest activity state: the injected event cannot be delivered in it"},
    };

    return FIRST_BROKEN(rules);
}

static const char *check_interruptibility(const struct vmx_entry_state *state)
{
    uint32_t blocked = state->guest.interruptibility;
    uint32_t info = state->controls.interruption_info;
    uint32_t type = (info & INTERRUPTION_TYPE_MASK) >> INTERRUPTION_TYPE_SHIFT;
    bool external = (info & INTERRUPTION_VALID) && type == INTERRUPTION_EXTERNAL;
    bool nmi = (info & INTERRUPTION_VALID) && type == INTERRUPTION_NMI;
    bool sti = blocked & INTERRUPTIBILITY_STI;
    bool mov_ss = blocked & INTERRUPTIBILITY_MOV_SS;
    const struct entry_rule rules[] = {
        {blocked & ~31u, "guest interruptibility state: bits 31:5 are not 0"},
        {sti && mov_ss, "guest interruptibility state: both STI and MOV SS block"},
        {sti && !(state->guest.rflags & RFLAGS_IF),
         "guest interruptibility state: STI blocks while RFLAGS.IF is 0"},
        {external && (sti || mov_ss),
         "guest interruptibility state: STI or MOV SS blocks the injected external interrupt"},
        {nmi && mov_ss, "guest interruptibility state: MOV SS blocks the injected NMI"},
        {blocked & INTERRUPTIBILITY_SMI,
         "guest interruptibility state: blocking by SMI outside SMM"},
        {nmi && sti, "guest interruptibility state: STI blocks the injected NMI (on some CPUs)"},
        {nmi && (state->controls.pin & PIN_VIRTUAL_NMIS) && (blocked & INTERRUPTIBILITY_NMI),
         "guest interruptibility state: blocking by NMI while an NMI is injected"},
        {(blocked & INTERRUPTIBILITY_ENCLAVE) && mov_ss,
         "guest interruptibility state: MOV SS blocks in an enclave"},
    };

    return FIRST_BROKEN(rules);
}

static const char *check_pending_debug(const struct vmx_entry_state *state)
{
    const struct vmx_entry_guest *guest = &state->guest;
    uint64_t pending = guest->pending_debug;
    bool rtm = pending & PENDING_DEBUG_RTM;
    bool held = (guest->interruptibility & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)) ||
                guest->activity == ACTIVITY_STATE_HLT;
    bool steps = (guest->rflags & RFLAGS_TF) && !(guest->debugctl & DEBUGCTL_BTF);
    const struct entry_rule rules[] = {
        {pending & PENDING_DEBUG_RESERVED,
         "guest pending debug exceptions: reserved bits are not 0"},
        {held && steps && !(pending & PENDING_DEBUG_BS),
         "guest pending debug exceptions: BS is 0 while a single step is held back"},
        {held && !steps && (pending & PENDING_DEBUG_BS),
         "guest pending debug exceptions: BS is 1 while nothing single-steps"},
        {rtm && ((pending & UINT64_C(0xfff)) || !(pending & PENDING_DEBUG_ENABLED)),
         "guest pending debug exceptions: RTM with other bits than bit 12"},
        {rtm && (guest->interruptibility & INTERRUPTIBILITY_MOV_SS),
         "guest pending debug exceptions: RTM while MOV SS blocks"},
    };

    return FIRST_BROKEN(rules);
}

static const char *check_pdptes(const struct vmx_entry_state *state)
{
    const struct vmx_entry_guest *guest = &state->guest;
    bool pae = (guest->cr0 & CR0_PG) && (guest->cr4 & CR4_PAE) && !long_mode(state);

    if (!pae || !(entry_proc2(state) & PROC2_EPT)) {
        return NULL;
    }
    for (unsigned i = 0; i < 4; i++) {
        uint64_t pdpte = guest->pdpte[i];

        if ((pdpte & PDPTE_PRESENT) && !entry_physical(state, pdpte, PDPTE_RESERVED)) {
            return "guest PDPTEs: one that is present has reserved bits set";
        }
    }
    return NULL;
}

const char *entry_check_guest(const struct vmx_entry_state *state)
{
    const char *words = check_tables_and_flags(state);
    uint64_t link = state->guest.link_pointer;

    if (!words) {
        words = check_activity(state);
    }
    if (!words) {
        words = check_interruptibility(state);
    }
    if (!words) {
        words = check_pending_debug(state);
    }
    if (!words && link != UINT64_MAX && !entry_physical(state, link, UINT64_C(0xfff))) {
        words = "guest VMCS link pointer: neither all ones nor a page the CPU can reach";
    }
    return words ? words : check_pdptes(state);
}
