/*
 * What this CPU's VT-x can do: the VMX capability MSRs (SDM vol. 3, appendix A), read once.
 */
#ifndef VMX_CAPABILITIES_H
#define VMX_CAPABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmx/entry_check.h"

/* IA32_VMX_BASIC (A.1). */
#define VMX_BASIC_REVISION_MASK     UINT64_C(0x7fffffff)
#define VMX_BASIC_SIZE_SHIFT        32
#define VMX_BASIC_SIZE_MASK         UINT64_C(0x1fff)
#define VMX_BASIC_MEMORY_TYPE_SHIFT 50
#define VMX_BASIC_MEMORY_TYPE_MASK  UINT64_C(0xf)
#define VMX_BASIC_TRUE_CONTROLS     (UINT64_C(1) << 55)

/* IA32_VMX_MISC: the preemption timer counts down by one each time this TSC bit changes. */
#define VMX_MISC_PREEMPTION_RATE_MASK UINT64_C(0x1f)

struct vmx_capabilities {
    uint64_t basic;
    /* The control and fixed-bit MSRs, the true ones where there are such. `proc2` and
     * `ept_vpid` are 0 where the CPU has not got the MSR. */
    struct vmx_entry_capabilities limits;
};

/** How the MSRs and the CPU's identification are read: the CPU itself, or a test's model of one. */
struct vmx_capability_source {
    uint64_t (*read_msr)(uint32_t index);
    /** CPUID leaf 0x80000008 EAX: physical address width in 7:0, linear in 15:8. */
    uint32_t (*address_widths)(void);
    /** Bits of IA32_EFER that the CPU does not know. */
    uint64_t (*efer_reserved)(void);
};

/** Reads everything that is there; MSRs whose presence depends on another are not touched when
 *  absent. VT-x must be there (CPUID leaf 1 ECX bit 5). */
void vmx_capabilities_read(struct vmx_capabilities *capabilities,
                           const struct vmx_capability_source *source);

/** The revision identifier that VMXON and VMCS regions begin with. */
static inline uint32_t vmx_revision(const struct vmx_capabilities *capabilities)
{
    return (uint32_t)(capabilities->basic & VMX_BASIC_REVISION_MASK);
}

#endif
