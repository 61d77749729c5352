/*
 * How far the CPU virtualises the guest's local APIC (SDM vol. 3, ch. 30), by the mode the APIC is
 * in. Without any of it, APIC registers are MMIO or MSRs like others, and exit.
 */
#include "kernel/cpu/x86_defs.h"
#include "kernel/log.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
#include "vmx/bitmaps.h"
#include "vmx/definitions.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

#define X2APIC_MSR_COUNT 0x40u

/* x2APIC registers whose reads may come straight from the virtual-APIC page. Not here: those which
 * do not exist or are write-only (their reads must #GP), ICR (its high half lies elsewhere in the
 * page), the timer's current count (nobody keeps it up to date there). */
static const struct {
    uint32_t first;
    uint32_t last;
} x2apic_readable[] = {
    {0x802, 0x803}, /* ID, version */
    {0x80a, 0x80a}, /* PPR */
    {0x80d, 0x80d}, /* LDR */
    {0x80f, 0x828}, /* SVR, ISR, TMR, IRR, ESR */
    {0x832, 0x838}, /* LVT, initial count */
    {0x83e, 0x83e}, /* divide configuration */
};

static void set_msr(struct vmx_vcpu *vcpu, uint32_t msr, bool read_exits, bool write_exits)
{
    int error = msr_bitmap_set(phys_to_virt(vcpu->msr_bitmap), msr, read_exits, write_exits);

    ASSERT(!error, "x2APIC MSRs are in the bitmap's range");
}

static void set_x2apic_msrs(struct vmx_vcpu *vcpu)
{
    for (uint32_t i = 0; i < X2APIC_MSR_COUNT; i++) {
        set_msr(vcpu, MSR_X2APIC_BASE + i, true, true);
    }
    if (!(vcpu->proc2 & PROC2_VIRTUALIZE_X2APIC)) {
        return;
    }
    if (vcpu->proc2 & PROC2_APIC_REGISTER_VIRTUALIZATION) {
        for (unsigned i = 0; i < sizeof(x2apic_readable) / sizeof(x2apic_readable[0]); i++) {
            for (uint32_t msr = x2apic_readable[i].first; msr <= x2apic_readable[i].last; msr++) {
                set_msr(vcpu, msr, false, true);
            }
        }
    }
    /* A TPR write is checked against the threshold, as with MOV CR8. */
    set_msr(vcpu, MSR_X2APIC_TPR, false, false);
    if (vcpu->proc2 & PROC2_VIRTUAL_INTERRUPT_DELIVERY) {
        set_msr(vcpu, MSR_X2APIC_EOI, true, false);
        set_msr(vcpu, MSR_X2APIC_SELF_IPI, true, false);
    }
}

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
    set_x2apic_msrs(vcpu);
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
