/* What a VMCS holds before its guest first runs: controls, host state, guest state after RESET. */
#include "kernel/cpu/x86.h"
#include "kernel/memory/paging.h"
#include "kernel/time.h"
#include "vmx/bitmaps.h"
#include "vmx/definitions.h"
#include "vmx/entry.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

/* No stay in a guest is longer than this, whatever the guest does. */
#define MAX_STAY_US 5000u

/* PAUSEs less than PLE_GAP ticks apart are one loop, which may last for PLE_WINDOW ticks: longer
 * than a spinlock is held by someone who runs, much shorter than who holds it may be without a CPU
 * (SDM vol. 3, 26.6.13, 26.1.3). */
#define PLE_GAP    128u
#define PLE_WINDOW 4096u

/* The timer counts down at the TSC's rate divided by a power of two (SDM vol. 3, 26.5.1, A.6). */
static uint32_t preemption_timer_value(void)
{
    unsigned shift = vmx_capabilities.limits.misc & VMX_MISC_PREEMPTION_RATE_MASK;
    uint64_t ticks = (tsc_khz() * MAX_STAY_US / 1000) >> shift;

    return ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;
}

void vmcs_write_controls(struct vmx_vcpu *vcpu)
{
    vcpu->proc = vmx_controls.proc;
    vcpu->proc2 = vmx_proc2(vcpu);
    vmcs_write_natural(VMCS_HOST_RSP, (uint64_t)vcpu); /* see entry.h */
    vmcs_write32(VMCS_PIN_CONTROLS, vmx_controls.pin);
    vmcs_write32(VMCS_PROC_CONTROLS, vcpu->proc);
    vmcs_write32(VMCS_PROC2_CONTROLS, vcpu->proc2);
    vmcs_write32(VMCS_EXIT_CONTROLS, vmx_controls.exit);
    vmcs_write32(VMCS_ENTRY_CONTROLS, vmx_controls.entry);
    vmcs_write32(VMCS_CR3_TARGET_COUNT, 0);
    vmcs_write32(VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmcs_write32(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmcs_write32(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmcs_write64(VMCS_LINK_POINTER, UINT64_MAX);
    vmcs_write64(VMCS_IO_BITMAP_A, vcpu->space->io_bitmaps);
    vmcs_write64(VMCS_IO_BITMAP_B, vcpu->space->io_bitmaps + IO_BITMAPS_SIZE / 2);
    vmcs_write64(VMCS_EPT_POINTER, ept_pointer(&vcpu->space->ept));
    if (vmx_controls.features.vpid) {
        vmcs_write16(VMCS_VPID, vcpu->vpid);
    }
    if (vmx_controls.features.tpr_shadow) {
        vmcs_write64(VMCS_VIRTUAL_APIC_PAGE, vcpu->apic_page_phys);
        vmcs_write32(VMCS_TPR_THRESHOLD, 0);
    }
    if (vcpu->reports_spinning) {
        vmcs_write32(VMCS_PLE_GAP, PLE_GAP);
        vmcs_write32(VMCS_PLE_WINDOW, PLE_WINDOW);
    }
    /* "Save VMX-preemption timer value" is off, so every entry starts from this value. */
    if (vmx_controls.features.preemption_timer) {
        vmcs_write32(VMCS_PREEMPTION_TIMER, preemption_timer_value());
    }
}

void vmcs_write_host_state(void)
{
    struct percpu *cpu = this_cpu();
    struct descriptor_table idtr;

    sidt(&idtr);
    vmcs_write_natural(VMCS_HOST_CR0, read_cr0());
    vmcs_write_natural(VMCS_HOST_CR3, kernel_cr3());
    vmcs_write_natural(VMCS_HOST_CR4, read_cr4());
    vmcs_write16(VMCS_HOST_CS_SELECTOR, SELECTOR_KERNEL_CODE);
    vmcs_write16(VMCS_HOST_SS_SELECTOR, SELECTOR_KERNEL_DATA);
    vmcs_write16(VMCS_HOST_DS_SELECTOR, SELECTOR_KERNEL_DATA);
    vmcs_write16(VMCS_HOST_ES_SELECTOR, SELECTOR_KERNEL_DATA);
    vmcs_write16(VMCS_HOST_FS_SELECTOR, 0);
    vmcs_write16(VMCS_HOST_GS_SELECTOR, 0);
    vmcs_write16(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
    vmcs_write_natural(VMCS_HOST_FS_BASE, 0);
    vmcs_write_natural(VMCS_HOST_GS_BASE, (uint64_t)cpu);
    vmcs_write_natural(VMCS_HOST_TR_BASE, (uint64_t)&cpu->tables.tss);
    vmcs_write_natural(VMCS_HOST_GDTR_BASE, (uint64_t)cpu->tables.gdt);
    vmcs_write_natural(VMCS_HOST_IDTR_BASE, idtr.base);
    vmcs_write32(VMCS_HOST_SYSENTER_CS, 0); /* the kernel has no SYSENTER */
    vmcs_write_natural(VMCS_HOST_SYSENTER_ESP, 0);
    vmcs_write_natural(VMCS_HOST_SYSENTER_EIP, 0);
    vmcs_write64(VMCS_HOST_EFER, rdmsr(MSR_EFER));
    vmcs_write64(VMCS_HOST_PAT, rdmsr(MSR_PAT));
    if (vmx_controls.exit & EXIT_LOAD_PERF_GLOBAL_CTRL) {
        vmcs_write64(VMCS_HOST_PERF_GLOBAL_CTRL, 0); /* the kernel counts nothing */
    }
    vmcs_write_natural(VMCS_HOST_RIP, (uint64_t)vmx_exit_point);
}

/* After RESET (SDM vol. 3, table 10-1), hidden parts as real-mode segments have them. */
static void write_reset_segments(void)
{
    static const struct virt_segment_state data = {
        .limit = 0xffff, .attributes = SEGMENT_P | SEGMENT_S | 3 /* read/write, accessed */};
    static const struct virt_segment_state code = {.selector = 0xf000,
                                                   .base = 0xffff0000,
                                                   .limit = 0xffff,
                                                   .attributes = SEGMENT_P | SEGMENT_S |
                                                                 11 /* execute/read, accessed */};
    static const struct virt_segment_state ldtr = {.limit = 0xffff,
                                                   .attributes = SEGMENT_P | 2 /* LDT */};
    static const struct virt_segment_state tr = {.limit = 0xffff,
                                                 .attributes = SEGMENT_P | 11 /* busy TSS */};

    for (unsigned i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        vmx_set_segment(NULL, (enum virt_segment)i, i == SEGMENT_CS ? &code : &data);
    }
    vmx_set_segment(NULL, SEGMENT_LDTR, &ldtr);
    vmx_set_segment(NULL, SEGMENT_TR, &tr);
}

void vmcs_write_reset_state(void)
{
    write_reset_segments();
    vmcs_write_natural(VMCS_GUEST_GDTR_BASE, 0);
    vmcs_write32(VMCS_GUEST_GDTR_LIMIT, 0xffff);
    vmcs_write_natural(VMCS_GUEST_IDTR_BASE, 0);
    vmcs_write32(VMCS_GUEST_IDTR_LIMIT, 0xffff);
    vmcs_write_natural(VMCS_GUEST_RIP, 0xfff0);
    vmcs_write_natural(VMCS_GUEST_RSP, 0);
    vmcs_write_natural(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1);
    vmcs_write_natural(VMCS_GUEST_DR7, 0x400);
    vmcs_write64(VMCS_GUEST_EFER, 0);
    vmcs_write64(VMCS_GUEST_PAT, UINT64_C(0x0007040600070406));
    vmcs_write64(VMCS_GUEST_DEBUGCTL, 0);
    if (vmx_controls.entry & ENTRY_LOAD_PERF_GLOBAL_CTRL) {
        vmcs_write64(VMCS_GUEST_PERF_GLOBAL_CTRL, 0);
    }
    vmcs_write32(VMCS_GUEST_SYSENTER_CS, 0);
    vmcs_write_natural(VMCS_GUEST_SYSENTER_ESP, 0);
    vmcs_write_natural(VMCS_GUEST_SYSENTER_EIP, 0);
    vmcs_write_natural(VMCS_GUEST_PENDING_DEBUG, 0);
    vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmcs_write32(VMCS_GUEST_ACTIVITY, ACTIVITY_STATE_ACTIVE);
    vmcs_write32(VMCS_ENTRY_INTERRUPTION_INFO, 0);
    vmcs_write32(VMCS_ENTRY_CONTROLS, vmx_controls.entry);
    vmcs_write_natural(VMCS_GUEST_CR3, 0);
    vmcs_write64(VMCS_TSC_OFFSET, 0 - rdtsc());
    for (unsigned i = 0; i < 4; i++) {
        vmcs_write64(vmcs_guest_pdpte(i), 0);
    }
}
