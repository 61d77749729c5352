/*
 * How far the CPU virtualises the guest's local APIC (SDM vol. 3, ch. 30), by the mode the APIC is
 * in. Without any of it, APIC registers are MMIO or MSRs like others, and exit.
 */
#include "kernel/log.h"
#include "vmx/definitions.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

static uint32_t controls_of_mode(const struct vmx_vcpu *vcpu, enum virt_apic_mode mode)
{
    const uint32_t delivery = PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUAL_INTERRUPT_DELIVERY;
    uint32_t possible = vmx_controls.apic_proc2;

    switch (mode) {
    case APIC_MODE_DISABLED:
        return 0;
    case APIC_MODE_XAPIC:
        /* Without the access page every register access exits anyway. */
        return vcpu->maps_apic_access_page ? possible & (delivery | PROC2_VIRTUALIZE_APIC_ACCESSES)
                                           : 0;
    case APIC_MODE_X2APIC:
        return possible & PROC2_VIRTUALIZE_X2APIC ? possible & (delivery | PROC2_VIRTUALIZE_X2APIC)
                                                  : 0;
    }
    return 0;
}

static void map_access_page(struct vmx_vcpu *vcpu, bool wanted)
{
    if (wanted && !vcpu->maps_apic_access_page) {
        if (space_map_apic_access(vcpu->space)) {
            /* The guest's accesses exit as MMIO then. */
            log_warn("vmx: no memory to map the APIC-access page");
            return;
        }
        vcpu->maps_apic_access_page = true;
        vmcs_write64(VMCS_APIC_ACCESS_PAGE, vcpu->space->apic_access_page);
    } else if (!wanted && vcpu->maps_apic_access_page) {
        space_unmap_apic_access(vcpu->space);
        vcpu->maps_apic_access_page = false;
    }
}

void vmx_set_apic_mode(struct virt_vcpu *virt_vcpu, enum virt_apic_mode mode)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);

    vcpu->apic_mode = mode;
    map_access_page(vcpu, mode == APIC_MODE_XAPIC && vcpu->has_apic_access_page &&
                              vmx_controls.features.apic_access_page);
    vcpu->proc2 = vmx_proc2(vcpu) | controls_of_mode(vcpu, mode);
    vcpu->cpu_delivers = vcpu->proc2 & PROC2_VIRTUAL_INTERRUPT_DELIVERY;
    vmcs_write32(VMCS_PROC2_CONTROLS, vcpu->proc2);
    vmcs_write64(VMCS_MSR_BITMAP,
                 space_msr_bitmap(vcpu->space, vcpu->proc2 & PROC2_VIRTUALIZE_X2APIC));
    /* The CPU may have cached how it translates the APIC-access page (SDM vol. 3, 29.4.4.2). */
    vmx_flush_linear(vcpu);
    virt_vcpu->events_changed = true;
}

void vmx_set_eoi_exits(struct virt_vcpu *vcpu, const uint64_t bitmap[4])
{
    (void)vcpu;
    if (vmx_controls.features.virtual_interrupt_delivery) {
        for (unsigned i = 0; i < 4; i++) {
            vmcs_write64(vmcs_eoi_exit_bitmap(i), bitmap[i]);
        }
    }
}

void vmx_release_apic(struct vmx_vcpu *vcpu)
{
    if (vcpu->maps_apic_access_page) {
        space_unmap_apic_access(vcpu->space);
        vcpu->maps_apic_access_page = false;
    }
}
