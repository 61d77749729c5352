/* What the guests of a space may touch without an exit: its bitmaps of ports and MSRs. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kernel/cpu/x86_defs.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
#include "vmx/bitmaps.h"
#include "vmx/definitions.h"
#include "vmx/vcpu.h"

#define IO_BITMAPS_ORDER 1u

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

static bool virtualizes_x2apic(void)
{
    return vmx_controls.apic_proc2 & PROC2_VIRTUALIZE_X2APIC;
}

/* The two MSR bitmaps lie one after the other; without virtualisation of the x2APIC there is but
 * the first. */
static unsigned msr_bitmaps_order(void)
{
    return virtualizes_x2apic() ? 1 : 0;
}

uint64_t space_msr_bitmap(const struct virt_space *space, bool virtual_x2apic)
{
    return space->msr_bitmaps + (virtual_x2apic ? MSR_BITMAP_SIZE : 0);
}

/* All bits set: every port or every MSR exits. */
static uint64_t alloc_bitmaps(unsigned order)
{
    uint64_t phys = frame_alloc(order);

    if (phys) {
        memset(phys_to_virt(phys), 0xff, (size_t)FRAME_SIZE << order);
    }
    return phys;
}

static void set_virtual_x2apic(struct virt_space *space, uint32_t msr, bool read_exits,
                               bool write_exits)
{
    int error =
        msr_bitmap_set(phys_to_virt(space_msr_bitmap(space, true)), msr, read_exits, write_exits);

    ASSERT(!error, "x2APIC MSRs are in the bitmap's range");
}

static void allow_virtual_x2apic(struct virt_space *space)
{
    if (vmx_controls.apic_proc2 & PROC2_APIC_REGISTER_VIRTUALIZATION) {
        for (unsigned i = 0; i < sizeof(x2apic_readable) / sizeof(x2apic_readable[0]); i++) {
            for (uint32_t msr = x2apic_readable[i].first; msr <= x2apic_readable[i].last; msr++) {
                set_virtual_x2apic(space, msr, false, true);
            }
        }
    }
    /* A TPR write is checked against the threshold, as with MOV CR8. */
    set_virtual_x2apic(space, MSR_X2APIC_TPR, false, false);
    if (vmx_controls.apic_proc2 & PROC2_VIRTUAL_INTERRUPT_DELIVERY) {
        set_virtual_x2apic(space, MSR_X2APIC_EOI, true, false);
        set_virtual_x2apic(space, MSR_X2APIC_SELF_IPI, true, false);
    }
}

int space_create_bitmaps(struct virt_space *space)
{
    space->io_bitmaps = alloc_bitmaps(IO_BITMAPS_ORDER);
    space->msr_bitmaps = alloc_bitmaps(msr_bitmaps_order());
    if (!space->io_bitmaps || !space->msr_bitmaps) {
        space_free_bitmaps(space);
        return -ENOMEM;
    }
    if (virtualizes_x2apic()) {
        allow_virtual_x2apic(space);
    }
    return 0;
}

void space_free_bitmaps(struct virt_space *space)
{
    if (space->io_bitmaps) {
        frame_free(space->io_bitmaps, IO_BITMAPS_ORDER);
    }
    if (space->msr_bitmaps) {
        frame_free(space->msr_bitmaps, msr_bitmaps_order());
    }
}

/* MSRs that VM entry and exit switch, which the guest may have to itself. */
static bool is_guests_own(uint32_t msr)
{
    switch (msr) {
    case MSR_SYSENTER_CS:
    case MSR_SYSENTER_ESP:
    case MSR_SYSENTER_EIP:
    case MSR_PAT:
    case MSR_EFER:
    case MSR_FS_BASE:
    case MSR_GS_BASE:
        return true;
    default:
        return vmx_switched_msr(msr) >= 0;
    }
}

int space_allow_msr(struct virt_space *space, uint32_t index, bool read, bool write)
{
    /* The TSC may be read, with the offset added; written it would be the host's. */
    if ((read || write) && !is_guests_own(index) && !(index == MSR_TSC && !write)) {
        return -EINVAL;
    }
    if (virtualizes_x2apic()) {
        (void)msr_bitmap_set(phys_to_virt(space_msr_bitmap(space, true)), index, !read, !write);
    }
    return msr_bitmap_set(phys_to_virt(space_msr_bitmap(space, false)), index, !read, !write);
}

void space_allow_ports(struct virt_space *space, uint16_t port, uint32_t count, bool allow)
{
    int error = io_bitmaps_set(phys_to_virt(space->io_bitmaps), port, count, !allow);

    ASSERT(!error, "a range of ports ends at 0xffff");
}
