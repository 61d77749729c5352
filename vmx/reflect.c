/*
 * Exceptions that exit although nobody asked to see them, and go straight back to the guest. The
 * delivery of #AC and #DB can raise the same exception again, without end and without a point at
 * which an interrupt, an NMI or the preemption timer gets its turn: a guest could keep the CPU for
 * ever. Taken by a VM exit, each round ends.
 */
#include "kernel/cpu/x86.h"
#include "vmx/definitions.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

/* DR6 and the exit qualification of a #DB (SDM vol. 3, table 28-1): breakpoints that matched,
 * access to a debug register under DR7.GD, single step. RTM has the other sense in DR6. */
#define DEBUG_BREAKPOINTS UINT64_C(0xf)
#define DEBUG_BD          (UINT64_C(1) << 13)
#define DEBUG_BS          (UINT64_C(1) << 14)
#define DEBUG_RTM         (UINT64_C(1) << 16)

#define DR7_GD (UINT64_C(1) << 13)

#define DEBUGCTL_LBR (UINT64_C(1) << 0)
#define DEBUGCTL_BTF (UINT64_C(1) << 1)

#define SHADOW (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)

/* What the CPU does to the debug registers before it delivers #DB, and left to us when it exits
 * instead (28.1). */
static void update_debug_registers(uint64_t qualification)
{
    uint64_t dr6 = read_dr6() & ~DEBUG_BREAKPOINTS;

    dr6 |= qualification & (DEBUG_BREAKPOINTS | DEBUG_BD | DEBUG_BS);
    dr6 = qualification & DEBUG_RTM ? dr6 & ~DEBUG_RTM : dr6 | DEBUG_RTM;
    write_dr6(dr6);
    vmcs_write_natural(VMCS_GUEST_DR7, vmcs_read_natural(VMCS_GUEST_DR7) & ~DR7_GD);
    vmcs_write64(VMCS_GUEST_DEBUGCTL,
                 vmcs_read64(VMCS_GUEST_DEBUGCTL) & ~(DEBUGCTL_LBR | DEBUGCTL_BTF));
}

/* With single-stepping on, VM entry wants blocking by STI or MOV-SS to come with a pending trap
 * (27.3.1.5). */
static void agree_with_shadow(void)
{
    if ((vmcs_read_natural(VMCS_GUEST_RFLAGS) & RFLAGS_TF) &&
        (vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY) & SHADOW)) {
        vmcs_write_natural(VMCS_GUEST_PENDING_DEBUG,
                           vmcs_read_natural(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
    }
}

void vmx_reflect_exception(struct vmx_vcpu *vcpu, const struct virt_event *event,
                           uint64_t qualification)
{
    if (event->type != VIRT_EVENT_HARDWARE_EXCEPTION) {
        vmx_inject_event(&vcpu->virt, event); /* INT1: the debug registers stay as they are */
        return;
    }
    if (event->vector == EXCEPTION_DB) {
        update_debug_registers(qualification);
        agree_with_shadow();
    }
    vmx_inject_exception(&vcpu->virt, event->vector, event->has_error_code, event->error_code);
}
