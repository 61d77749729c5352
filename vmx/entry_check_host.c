/* VM-entry checks of the host state (SDM vol. 3, 27.2.2 - 27.2.4). The host runs in IA-32e mode. */
#include "kernel/cpu/x86_defs.h"
#include "vmx/entry_check_rules.h"

#define SELECTOR_RPL_TI 7u

static const char *check_host_registers(const struct vmx_entry_state *state)
{
    const struct vmx_entry_capabilities *allowed = &state->capabilities;
    const struct vmx_entry_host *host = &state->host;
    uint32_t exit = state->controls.exit;
    bool long_mode = exit & EXIT_HOST_64BIT;
    bool load_efer = exit & EXIT_LOAD_EFER;
    const struct entry_rule rules[] = {
        {allowed->cr0_fixed0 & ~host->cr0, "host CR0: a bit that must be 1 is 0"},
        {host->cr0 & ~allowed->cr0_fixed1, "host CR0: a bit that must be 0 is 1"},
        {allowed->cr4_fixed0 & ~host->cr4, "host CR4: a bit that must be 1 is 0"},
        {host->cr4 & ~allowed->cr4_fixed1, "host CR4: a bit that must be 0 is 1"},
        {(host->cr4 & CR4_CET) && !(host->cr0 & CR0_WP), "host CR4: CET is 1 while CR0.WP is 0"},
        {!entry_physical(state, host->cr3, 0), "host CR3: bits beyond the physical-address width"},
        {!entry_canonical(state, host->sysenter_esp), "host IA32_SYSENTER_ESP: not canonical"},
        {!entry_canonical(state, host->sysenter_eip), "host IA32_SYSENTER_EIP: not canonical"},
        {(exit & EXIT_LOAD_PERF_GLOBAL_CTRL) &&
             (host->perf_global_ctrl & allowed->perf_global_ctrl_reserved),
         "host IA32_PERF_GLOBAL_CTRL: reserved bits are not 0"},
        {(exit & EXIT_LOAD_PAT) && !entry_pat_valid(host->pat),
         "host IA32_PAT: a reserved memory type"},
        {load_efer && (host->efer & allowed->efer_reserved),
         "host IA32_EFER: reserved bits are not 0"},
        {load_efer && !(host->efer & EFER_LMA) == long_mode,
         "host IA32_EFER: LMA is not as the host address-space size"},
        {load_efer && !(host->efer & EFER_LME) == long_mode,
         "host IA32_EFER: LME is not as the host address-space size"},
        {!long_mode, "VM-exit controls: the host address-space size is not 64-bit"},
        {!(host->cr4 & CR4_PAE), "host CR4: PAE is 0 on a 64-bit host"},
        {!entry_canonical(state, host->rip), "host RIP: not canonical"},
    };

    return FIRST_BROKEN(rules);
}

static const char *check_host_segments(const struct vmx_entry_state *state)
{
    const struct vmx_entry_host *host = &state->host;
    const struct entry_rule rules[] = {
        {host->es & SELECTOR_RPL_TI, "host ES: RPL or TI of the selector is not 0"},
        {host->cs & SELECTOR_RPL_TI, "host CS: RPL or TI of the selector is not 0"},
        {host->ss & SELECTOR_RPL_TI, "host SS: RPL or TI of the selector is not 0"},
        {host->ds & SELECTOR_RPL_TI, "host DS: RPL or TI of the selector is not 0"},
        {host->fs & SELECTOR_RPL_TI, "host FS: RPL or TI of the selector is not 0"},
        {host->gs & SELECTOR_RPL_TI, "host GS: RPL or TI of the selector is not 0"},
        {host->tr & SELECTOR_RPL_TI, "host TR: RPL or TI of the selector is not 0"},
        {host->cs == 0, "host CS: the selector is 0"},
        {host->tr == 0, "host TR: the selector is 0"},
        {!entry_canonical(state, host->fs_base), "host FS: the base is not canonical"},
        {!entry_canonical(state, host->gs_base), "host GS: the base is not canonical"},
        {!entry_canonical(state, host->gdtr_base), "host GDTR: the base is not canonical"},
        {!entry_canonical(state, host->idtr_base), "host IDTR: the base is not canonical"},
        {!entry_canonical(state, host->tr_base), "host TR: the base is not canonical"},
    };

    return FIRST_BROKEN(rules);
}

const char *entry_check_host(const struct vmx_entry_state *state)
{
    const char *words = check_host_registers(state);

    return words ? words : check_host_segments(state);
}
