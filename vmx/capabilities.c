#include "vmx/capabilities.h"

#include "kernel/cpu/x86_defs.h"
#include "vmx/definitions.h"

/* The bits of a control word that may be 1. */
static uint32_t allowed(uint64_t capability)
{
    return (uint32_t)(capability >> 32);
}

void vmx_capabilities_read(struct vmx_capabilities *capabilities,
                           const struct vmx_capability_source *source)
{
    struct vmx_entry_capabilities *limits = &capabilities->limits;
    uint32_t widths = source->address_widths();
    uint64_t basic = source->read_msr(MSR_VMX_BASIC);
    bool true_controls = basic & VMX_BASIC_TRUE_CONTROLS;

    capabilities->basic = basic;
    /* The true MSRs show which default1 controls may be 0; the old ones claim they must be 1 (SDM
     * vol. 3, A.2). */
    limits->pin = source->read_msr(true_controls ? MSR_VMX_TRUE_PINBASED : MSR_VMX_PINBASED);
    limits->proc = source->read_msr(true_controls ? MSR_VMX_TRUE_PROCBASED : MSR_VMX_PROCBASED);
    limits->exit = source->read_msr(true_controls ? MSR_VMX_TRUE_EXIT : MSR_VMX_EXIT);
    limits->entry = source->read_msr(true_controls ? MSR_VMX_TRUE_ENTRY : MSR_VMX_ENTRY);
    limits->cr0_fixed0 = source->read_msr(MSR_VMX_CR0_FIXED0);
    limits->cr0_fixed1 = source->read_msr(MSR_VMX_CR0_FIXED1);
    limits->cr4_fixed0 = source->read_msr(MSR_VMX_CR4_FIXED0);
    limits->cr4_fixed1 = source->read_msr(MSR_VMX_CR4_FIXED1);
    limits->misc = source->read_msr(MSR_VMX_MISC);
    limits->proc2 = 0;
    limits->ept_vpid = 0;
    if (allowed(limits->proc) & PROC_SECONDARY_CONTROLS) {
        limits->proc2 = source->read_msr(MSR_VMX_PROCBASED2);
    }
    if (allowed(limits->proc2) & (PROC2_EPT | PROC2_VPID)) {
        limits->ept_vpid = source->read_msr(MSR_VMX_EPT_VPID_CAP);
    }
    limits->physical_bits = widths & 0xff;
    limits->linear_bits = (widths >> 8) & 0xff;
    limits->efer_reserved = source->efer_reserved();
}
