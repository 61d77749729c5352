/* Guest registers, segments, tables and mode: where each is while the vCPU is loaded. */
#include "kernel/cpu/x86.h"
#include "vmx/definitions.h"
#include "vmx/extended_state.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

static uint64_t get_switched_msr(uint32_t msr)
{
    return vmx_switched_msr(msr) >= 0 ? rdmsr(msr) : 0;
}

static void set_switched_msr(uint32_t msr, uint64_t value)
{
    if (vmx_switched_msr(msr) >= 0) {
        wrmsr(msr, value);
    }
}

/* DR0-DR3 are in the CPU only once the guest has used them. */
static uint64_t get_address_breakpoint(const struct vmx_vcpu *vcpu, unsigned number)
{
    if (!vcpu->uses_dr) {
        return vcpu->dr[number];
    }
    switch (number) {
    case 0:
        return read_dr0();
    case 1:
        return read_dr1();
    case 2:
        return read_dr2();
    default:
        return read_dr3();
    }
}

static void set_address_breakpoint(struct vmx_vcpu *vcpu, unsigned number, uint64_t value)
{
    vmx_give_debug_registers(vcpu);
    switch (number) {
    case 0:
        write_dr0(value);
        break;
    case 1:
        write_dr1(value);
        break;
    case 2:
        write_dr2(value);
        break;
    default:
        write_dr3(value);
        break;
    }
}

uint64_t vmx_get_register(struct virt_vcpu *virt_vcpu, enum virt_register which)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);

    switch (which) {
    case REGISTER_RIP:
        return vmcs_read_natural(VMCS_GUEST_RIP);
    case REGISTER_RSP:
        return vmcs_read_natural(VMCS_GUEST_RSP);
    case REGISTER_RFLAGS:
        return vmcs_read_natural(VMCS_GUEST_RFLAGS);
    case REGISTER_CR0:
        return vmx_get_cr0(vcpu);
    case REGISTER_CR2:
        return read_cr2();
    case REGISTER_CR3:
        return vmcs_read_natural(VMCS_GUEST_CR3);
    case REGISTER_CR4:
        return vmx_get_cr4(vcpu);
    case REGISTER_DR0:
    case REGISTER_DR1:
    case REGISTER_DR2:
    case REGISTER_DR3:
        return get_address_breakpoint(vcpu, which - REGISTER_DR0);
    case REGISTER_DR6:
        return read_dr6();
    case REGISTER_DR7:
        return vmcs_read_natural(VMCS_GUEST_DR7);
    case REGISTER_EFER:
        return vmcs_read64(VMCS_GUEST_EFER);
    case REGISTER_PAT:
        return vmcs_read64(VMCS_GUEST_PAT);
    case REGISTER_SYSENTER_CS:
        return vmcs_read32(VMCS_GUEST_SYSENTER_CS);
    case REGISTER_SYSENTER_ESP:
        return vmcs_read_natural(VMCS_GUEST_SYSENTER_ESP);
    case REGISTER_SYSENTER_EIP:
        return vmcs_read_natural(VMCS_GUEST_SYSENTER_EIP);
    case REGISTER_DEBUGCTL:
        return vmcs_read64(VMCS_GUEST_DEBUGCTL);
    case REGISTER_STAR:
        return get_switched_msr(MSR_STAR);
    case REGISTER_LSTAR:
        return get_switched_msr(MSR_LSTAR);
    case REGISTER_CSTAR:
        return get_switched_msr(MSR_CSTAR);
    case REGISTER_SFMASK:
        return get_switched_msr(MSR_SFMASK);
    case REGISTER_KERNEL_GS_BASE:
        return get_switched_msr(MSR_KERNEL_GS_BASE);
    case REGISTER_TSC_AUX:
        return get_switched_msr(MSR_TSC_AUX);
    case REGISTER_XCR0:
        return extended_state_has_xcr0() ? xgetbv(0) : vcpu->xcr0;
    case REGISTER_TSC_OFFSET:
        return vmcs_read64(VMCS_TSC_OFFSET);
    case REGISTER_COUNT:
        break;
    }
    panic("no such guest register: %d", which);
}

/* Blocking by STI is legal only while IF is 1 (SDM vol. 3, 27.3.1.5). */
static void set_rflags(uint64_t value)
{
    uint32_t interruptibility = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);

    vmcs_write_natural(VMCS_GUEST_RFLAGS, value | RFLAGS_FIXED1);
    if (!(value & RFLAGS_IF) && (interruptibility & INTERRUPTIBILITY_STI)) {
        vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, interruptibility & ~INTERRUPTIBILITY_STI);
    }
}

void vmx_set_register(struct virt_vcpu *virt_vcpu, enum virt_register which, uint64_t value)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);

    switch (which) {
    case REGISTER_RIP:
        vmcs_write_natural(VMCS_GUEST_RIP, value);
        return;
    case REGISTER_RSP:
        vmcs_write_natural(VMCS_GUEST_RSP, value);
        return;
    case REGISTER_RFLAGS:
        set_rflags(value);
        virt_vcpu->events_changed = true; /* IF */
        return;
    case REGISTER_CR0:
        vmx_set_cr0(vcpu, value);
        return;
    case REGISTER_CR2:
        write_cr2(value);
        return;
    case REGISTER_CR3:
        vmx_set_cr3(vcpu, value);
        return;
    case REGISTER_CR4:
        vmx_set_cr4(vcpu, value);
        return;
    case REGISTER_DR0:
    case REGISTER_DR1:
    case REGISTER_DR2:
    case REGISTER_DR3:
        set_address_breakpoint(vcpu, which - REGISTER_DR0, value);
        return;
    case REGISTER_DR6:
        write_dr6(value);
        return;
    case REGISTER_DR7:
        vmcs_write_natural(VMCS_GUEST_DR7, value);
        return;
    case REGISTER_EFER:
        vmx_set_efer(value);
        return;
    case REGISTER_PAT:
        vmcs_write64(VMCS_GUEST_PAT, value);
        return;
    case REGISTER_SYSENTER_CS:
        vmcs_write32(VMCS_GUEST_SYSENTER_CS, (uint32_t)value);
        return;
    case REGISTER_SYSENTER_ESP:
        vmcs_write_natural(VMCS_GUEST_SYSENTER_ESP, value);
        return;
    case REGISTER_SYSENTER_EIP:
        vmcs_write_natural(VMCS_GUEST_SYSENTER_EIP, value);
        return;
    case REGISTER_DEBUGCTL:
        vmcs_write64(VMCS_GUEST_DEBUGCTL, value);
        return;
    case REGISTER_STAR:
        set_switched_msr(MSR_STAR, value);
        return;
    case REGISTER_LSTAR:
        set_switched_msr(MSR_LSTAR, value);
        return;
    case REGISTER_CSTAR:
        set_switched_msr(MSR_CSTAR, value);
        return;
    case REGISTER_SFMASK:
        set_switched_msr(MSR_SFMASK, value);
        return;
    case REGISTER_KERNEL_GS_BASE:
        set_switched_msr(MSR_KERNEL_GS_BASE, value);
        return;
    case REGISTER_TSC_AUX:
        set_switched_msr(MSR_TSC_AUX, value);
        return;
    case REGISTER_XCR0:
        if (extended_state_has_xcr0()) {
            xsetbv(0, value);
        }
        return;
    case REGISTER_TSC_OFFSET:
        vmcs_write64(VMCS_TSC_OFFSET, value);
        return;
    case REGISTER_COUNT:
        break;
    }
    panic("no such guest register: %d", which);
}

void vmx_get_segment(struct virt_vcpu *vcpu, enum virt_segment which,
                     struct virt_segment_state *state)
{
    (void)vcpu;
    state->selector = vmcs_read16(vmcs_guest_selector(which));
    state->attributes = vmcs_read32(vmcs_guest_access_rights(which));
    state->limit = vmcs_read32(vmcs_guest_limit(which));
    state->base = vmcs_read_natural(vmcs_guest_base(which));
}

void vmx_set_segment(struct virt_vcpu *vcpu, enum virt_segment which,
                     const struct virt_segment_state *state)
{
    (void)vcpu;
    vmcs_write16(vmcs_guest_selector(which), state->selector);
    vmcs_write32(vmcs_guest_access_rights(which), state->attributes);
    vmcs_write32(vmcs_guest_limit(which), state->limit);
    vmcs_write_natural(vmcs_guest_base(which), state->base);
}

void vmx_get_tables(struct virt_vcpu *vcpu, struct virt_table_state *gdtr,
                    struct virt_table_state *idtr)
{
    (void)vcpu;
    gdtr->base = vmcs_read_natural(VMCS_GUEST_GDTR_BASE);
    gdtr->limit = (uint16_t)vmcs_read32(VMCS_GUEST_GDTR_LIMIT);
    idtr->base = vmcs_read_natural(VMCS_GUEST_IDTR_BASE);
    idtr->limit = (uint16_t)vmcs_read32(VMCS_GUEST_IDTR_LIMIT);
}

void vmx_set_tables(struct virt_vcpu *vcpu, const struct virt_table_state *gdtr,
                    const struct virt_table_state *idtr)
{
    (void)vcpu;
    vmcs_write_natural(VMCS_GUEST_GDTR_BASE, gdtr->base);
    vmcs_write32(VMCS_GUEST_GDTR_LIMIT, gdtr->limit);
    vmcs_write_natural(VMCS_GUEST_IDTR_BASE, idtr->base);
    vmcs_write32(VMCS_GUEST_IDTR_LIMIT, idtr->limit);
}

void vmx_get_mode(struct virt_vcpu *vcpu, struct virt_mode *mode)
{
    uint32_t ss = vmcs_read32(vmcs_guest_access_rights(SEGMENT_SS));

    mode->rip = vmcs_read_natural(VMCS_GUEST_RIP);
    mode->rflags = vmcs_read_natural(VMCS_GUEST_RFLAGS);
    mode->cr0 = vmx_get_cr0(vmx_vcpu(vcpu));
    mode->cr3 = vmcs_read_natural(VMCS_GUEST_CR3);
    mode->cr4 = vmx_get_cr4(vmx_vcpu(vcpu));
    mode->efer = vmcs_read64(VMCS_GUEST_EFER);
    mode->cs_base = vmcs_read_natural(vmcs_guest_base(SEGMENT_CS));
    mode->cs_attributes = vmcs_read32(vmcs_guest_access_rights(SEGMENT_CS));
    /* CPL is SS.DPL, whatever the mode (SDM vol. 3, 25.4.1). */
    mode->cpl = (uint8_t)((ss & SEGMENT_DPL_MASK) >> SEGMENT_DPL_SHIFT);
}

void vmx_get_code_place(struct virt_vcpu *vcpu, struct virt_code_place *place)
{
    (void)vcpu;
    place->rip = exit_read_natural(VMCS_GUEST_RIP);
    place->cr3 = exit_read_natural(VMCS_GUEST_CR3);
    place->efer = exit_read64(VMCS_GUEST_EFER);
    place->cs_attributes = (uint32_t)exit_read32(vmcs_guest_access_rights(SEGMENT_CS));
}

_Static_assert((int)ACTIVITY_ACTIVE == (int)ACTIVITY_STATE_ACTIVE &&
                   (int)ACTIVITY_HLT == (int)ACTIVITY_STATE_HLT &&
                   (int)ACTIVITY_SHUTDOWN == (int)ACTIVITY_STATE_SHUTDOWN &&
                   (int)ACTIVITY_WAIT_FOR_SIPI == (int)ACTIVITY_STATE_WAIT_FOR_SIPI,
               "activity states are numbered as in the VMCS");

void vmx_set_activity(struct virt_vcpu *virt_vcpu, enum virt_activity activity)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    uint32_t interruptibility = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);

    vmcs_write32(VMCS_GUEST_ACTIVITY, activity);
    vcpu->inactive = activity != ACTIVITY_ACTIVE;
    /* STI and MOV-SS block the next instruction, and an inactive CPU has none (27.3.1.5). */
    if (vcpu->inactive) {
        vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY,
                     interruptibility & ~(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
    }
    virt_vcpu->events_changed = true;
}

enum virt_activity vmx_get_activity(struct virt_vcpu *virt_vcpu)
{
    const struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);

    return vcpu->inactive ? vmcs_read32(VMCS_GUEST_ACTIVITY) : ACTIVITY_ACTIVE;
}
