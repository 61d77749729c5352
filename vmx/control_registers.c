/*
 * Guest CR0, CR3, CR4 and EFER. Bits in the guest/host masks are the host's: the guest reads them
 * from the read shadows, and what holds may differ (SDM vol. 3, 25.6.6).
 */
#include <string.h>

#include "kernel/cpu/x86.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"
#include "vmx/definitions.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

/* NE must be 1 in VMX operation (A.7). CD and NW would be ignored by VM entry and so belong to the
 * whole CPU (27.3.2.1): the guest's memory stays cached, it only sees the bits. */
#define CR0_OWNED  (CR0_NE | CR0_CD | CR0_NW)
#define CR0_FORCED (CR0_NE | CR0_ET)

/* VMXE must be 1 (A.8) and is withheld, as is SMXE. A machine check is the host's business: with
 * MCE off it would shut the CPU down. */
#define CR4_OWNED (CR4_VMXE | CR4_SMXE | CR4_MCE)

/* What a write that changes these does beside (SDM vol. 3, 4.4.1 and 4.10.4.1). */
#define CR0_LOADS_PDPTES (CR0_PG | CR0_CD | CR0_NW)
#define CR0_FLUSHES      (CR0_PG | CR0_WP)
#define CR4_LOADS_PDPTES (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP)
#define CR4_FLUSHES      (CR4_PAE | CR4_PSE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE)

#define CR3_PDPT_MASK UINT64_C(0xffffffe0)

/* With PAE paging the CPU works with copies of the four PDPTEs, loaded with CR3 (SDM vol.
 * 3, 4.4.1); VM entry takes them from the VMCS. Memory that is not mapped was never written: all
 * zero. */
static void load_pdptes(const struct vmx_vcpu *vcpu)
{
    uint64_t cr3 = vmcs_read_natural(VMCS_GUEST_CR3);
    uint64_t entries[4] = {0};
    struct ept_mapping mapping;

    if (!(vmcs_read_natural(VMCS_GUEST_CR0) & CR0_PG) ||
        !(vmcs_read_natural(VMCS_GUEST_CR4) & CR4_PAE) ||
        (vmcs_read64(VMCS_GUEST_EFER) & EFER_LMA)) {
        return;
    }
    if (ept_lookup(&vcpu->space->ept, cr3 & CR3_PDPT_MASK, &mapping)) {
        memcpy(entries, phys_to_virt(mapping.host_phys), sizeof(entries));
    }
    for (unsigned i = 0; i < 4; i++) {
        vmcs_write64(vmcs_guest_pdpte(i), entries[i]);
    }
}

/* LMA follows from LME and PG, and the entry control must say the same (27.3.1.1). */
static void update_long_mode(uint64_t cr0, uint64_t efer)
{
    uint32_t controls = vmcs_read32(VMCS_ENTRY_CONTROLS) & ~ENTRY_IA32E_GUEST;

    efer &= ~EFER_LMA;
    if ((cr0 & CR0_PG) && (efer & EFER_LME)) {
        efer |= EFER_LMA;
        controls |= ENTRY_IA32E_GUEST;
    }
    vmcs_write64(VMCS_GUEST_EFER, efer);
    vmcs_write32(VMCS_ENTRY_CONTROLS, controls);
}

static void store_cr0(struct vmx_vcpu *vcpu, uint64_t value)
{
    vcpu->cr0_shadow = value;
    vmcs_write_natural(VMCS_CR0_SHADOW, value);
    vmcs_write_natural(VMCS_GUEST_CR0, (value & ~CR0_OWNED) | CR0_FORCED);
}

static void store_cr4(struct vmx_vcpu *vcpu, uint64_t value)
{
    uint64_t host = CR4_VMXE | (read_cr4() & CR4_MCE);

    vcpu->cr4_shadow = value;
    vmcs_write_natural(VMCS_CR4_SHADOW, value);
    vmcs_write_natural(VMCS_GUEST_CR4, (value & ~CR4_OWNED) | host);
}

void vmx_set_cr0(struct vmx_vcpu *vcpu, uint64_t value)
{
    store_cr0(vcpu, value);
    update_long_mode(value, vmcs_read64(VMCS_GUEST_EFER));
    load_pdptes(vcpu);
    vmx_flush_linear(vcpu);
}

void vmx_set_cr4(struct vmx_vcpu *vcpu, uint64_t value)
{
    store_cr4(vcpu, value);
    load_pdptes(vcpu);
    vmx_flush_linear(vcpu);
}

void vmx_set_cr3(struct vmx_vcpu *vcpu, uint64_t value)
{
    vmcs_write_natural(VMCS_GUEST_CR3, value);
    load_pdptes(vcpu);
    vmx_flush_linear(vcpu);
}

void vmx_set_efer(uint64_t value)
{
    update_long_mode(vmcs_read_natural(VMCS_GUEST_CR0), value);
}

void vmx_intercept_cr_bits(struct virt_vcpu *virt_vcpu, uint64_t cr0_bits, uint64_t cr4_bits)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    uint64_t cr0 = vmx_get_cr0(vcpu);
    uint64_t cr4 = vmx_get_cr4(vcpu);

    vcpu->cr0_intercepted = cr0_bits;
    vcpu->cr4_intercepted = cr4_bits;
    vcpu->cr0_owned = CR0_OWNED | cr0_bits;
    vcpu->cr4_owned = CR4_OWNED | cr4_bits;
    vmcs_write_natural(VMCS_CR0_MASK, vcpu->cr0_owned);
    vmcs_write_natural(VMCS_CR4_MASK, vcpu->cr4_owned);
    /* Bits that change hands keep their value. */
    store_cr0(vcpu, cr0);
    store_cr4(vcpu, cr4);
}

void vmx_write_cr(struct virt_vcpu *virt_vcpu, unsigned number, uint64_t value)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    uint64_t changed;
    bool loads_pdptes;
    bool flushes;

    ASSERT(number == 0 || number == 4, "CR0 or CR4");
    if (number == 0) {
        changed = vmx_get_cr0(vcpu) ^ value;
        loads_pdptes = changed & CR0_LOADS_PDPTES;
        flushes = changed & CR0_FLUSHES;
        store_cr0(vcpu, value);
        if (changed & CR0_PG) {
            update_long_mode(value, vmcs_read64(VMCS_GUEST_EFER));
        }
    } else {
        changed = vmx_get_cr4(vcpu) ^ value;
        loads_pdptes = changed & CR4_LOADS_PDPTES;
        flushes = changed & CR4_FLUSHES;
        store_cr4(vcpu, value);
    }
    if (loads_pdptes) {
        load_pdptes(vcpu);
    }
    if (flushes) {
        vmx_flush_linear(vcpu);
    }
}
