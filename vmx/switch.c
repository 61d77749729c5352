/*
 * Vcpus come to physical CPUs and leave them: the VMCS, and the registers which no VMCS field
 * switches. The kernel uses no FPU or SSE, no SYSCALL, no debug registers and takes no page fault
 * that it survives, so a guest's values stay in the CPU until another vCPU is loaded there.
 */
#include <stddef.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/x86.h"
#include "kernel/panic.h"
#include "kernel/smp.h"
#include "vmx/definitions.h"
#include "vmx/extended_state.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

#define RESET_DR6 UINT64_C(0xffff0ff0)

/* TSC_AUX is last: it is there only with RDTSCP. */
static const uint32_t switched_msrs[SWITCHED_MSR_COUNT] = {
    MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK, MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
};

static unsigned switched_msr_count(void)
{
    return vmx_controls.features.rdtscp ? SWITCHED_MSR_COUNT : SWITCHED_MSR_COUNT - 1;
}

int vmx_switched_msr(uint32_t msr)
{
    for (unsigned i = 0; i < switched_msr_count(); i++) {
        if (switched_msrs[i] == msr) {
            return (int)i;
        }
    }
    return -1;
}

/* DR6 is always the guest's: a single-step trap writes it even if the guest never reads it. */
static void save_debug_registers(struct vmx_vcpu *vcpu)
{
    vcpu->dr6 = read_dr6();
    if (vcpu->uses_dr) {
        vcpu->dr[0] = read_dr0();
        vcpu->dr[1] = read_dr1();
        vcpu->dr[2] = read_dr2();
        vcpu->dr[3] = read_dr3();
    }
}

static void load_debug_registers(const struct vmx_vcpu *vcpu)
{
    write_dr6(vcpu->dr6);
    if (vcpu->uses_dr) {
        write_dr0(vcpu->dr[0]);
        write_dr1(vcpu->dr[1]);
        write_dr2(vcpu->dr[2]);
        write_dr3(vcpu->dr[3]);
    }
}

/* Unrolled, as the numbers are then constants. */
static void save_msrs(struct vmx_vcpu *vcpu)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < SWITCHED_MSR_COUNT - 1; i++) {
        vcpu->msrs[i] = rdmsr(switched_msrs[i]);
    }
    if (vmx_controls.features.rdtscp) {
        vcpu->msrs[SWITCHED_MSR_COUNT - 1] = rdmsr(MSR_TSC_AUX);
    }
}

static void load_msrs(const struct vmx_vcpu *vcpu)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < SWITCHED_MSR_COUNT - 1; i++) {
        wrmsr(switched_msrs[i], vcpu->msrs[i]);
    }
    if (vmx_controls.features.rdtscp) {
        wrmsr(MSR_TSC_AUX, vcpu->msrs[SWITCHED_MSR_COUNT - 1]);
    }
}

static void save_registers(struct vmx_vcpu *vcpu)
{
    vcpu->cr2 = read_cr2();
    save_debug_registers(vcpu);
    save_msrs(vcpu);
    if (extended_state_has_xcr0()) {
        vcpu->xcr0 = xgetbv(0);
    }
    extended_state_save(vcpu->extended_state);
    /* Saving changed XCR0, and this vCPU may be the next here again. */
    if (extended_state_has_xcr0()) {
        xsetbv(0, vcpu->xcr0);
    }
}

static void load_registers(const struct vmx_vcpu *vcpu)
{
    write_cr2(vcpu->cr2);
    load_debug_registers(vcpu);
    load_msrs(vcpu);
    extended_state_load(vcpu->extended_state, vcpu->xcr0);
}

void vmx_reset_registers(struct vmx_vcpu *vcpu)
{
    vcpu->cr2 = 0;
    for (unsigned i = 0; i < 4; i++) {
        vcpu->dr[i] = 0;
    }
    vcpu->dr6 = RESET_DR6;
    vcpu->uses_dr = false;
    for (unsigned i = 0; i < SWITCHED_MSR_COUNT; i++) {
        vcpu->msrs[i] = 0;
    }
    vcpu->xcr0 = XCR0_X87;
    extended_state_reset(vcpu->extended_state);
    if (vcpu->cpu) {
        load_registers(vcpu);
    }
}

void vmx_give_debug_registers(struct vmx_vcpu *vcpu)
{
    vcpu->uses_dr = true;
    write_dr0(vcpu->dr[0]);
    write_dr1(vcpu->dr[1]);
    write_dr2(vcpu->dr[2]);
    write_dr3(vcpu->dr[3]);
    vmcs_switch_proc(vcpu, PROC_MOV_DR_EXITING, 0);
}

/*
 * A VM exit leaves the limits of GDTR and IDTR at 0xffff (SDM vol. 3, 28.5.2). While guests run
 * that is harmless: vectors end at 255 anyway and the kernel loads no selectors then. So the true
 * limits come back when the last vCPU leaves, not on every exit.
 */
static void restore_table_limits(void)
{
    const struct descriptor_table gdtr = {sizeof(this_cpu()->tables.gdt) - 1,
                                          (uint64_t)this_cpu()->tables.gdt};

    lgdt(&gdtr);
}

/*
 * A VM entry on Bochs 2.7 does not end the blocking of NMIs that the vCPU before left in the CPU
 * when the next one is without it. That one then seems to be in a handler of NMIs, and never leaves
 * it: whose blocking it is has to be remembered.
 */
static void leave_nmi_blocking(struct vmx_cpu *cpu, const struct vmx_vcpu *vcpu)
{
    uint32_t interruptibility = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);

    cpu->nmis_blocked = interruptibility & INTERRUPTIBILITY_NMI;
    if (cpu->nmis_blocked && vcpu->nmi_blocking_inherited) {
        vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, interruptibility & ~INTERRUPTIBILITY_NMI);
    }
}

static void find_nmi_blocking(const struct vmx_cpu *cpu, struct vmx_vcpu *vcpu)
{
    vcpu->nmi_blocking_inherited =
        cpu->nmis_blocked && !(vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_NMI);
}

static void put_here(void *context)
{
    struct vmx_vcpu *vcpu = context;
    struct vmx_cpu *cpu = vmx_this_cpu();
    bool ok;

    if (cpu->current != vcpu) {
        return; /* another vCPU was loaded meanwhile */
    }
    save_registers(vcpu);
    leave_nmi_blocking(cpu, vcpu);
    /* Its data may be cached in this CPU: another may load the VMCS only after this (SDM vol. 3,
     * 25.11.1). */
    ok = vmclear(vcpu->vmcs);
    ASSERT(ok, "a vCPU's VMCS can be cleared");
    cpu->current = NULL;
    vcpu->cpu = NULL;
    restore_table_limits();
}

void vmx_vcpu_put(struct virt_vcpu *virt_vcpu)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    struct vmx_cpu *cpu = vcpu->cpu;

    if (cpu) {
        smp_call(cpu->percpu, put_here, vcpu);
    }
}

/* Out of line, for the vCPU that is loaded already. */
__attribute__((noinline)) static void load(struct vmx_vcpu *vcpu, struct vmx_cpu *cpu)
{
    bool moved = vcpu->last_cpu != cpu;
    /* Another CPU may call for the vCPU that is loaded here. */
    bool interrupts = interrupts_save();
    bool ok;

    vmx_vcpu_put(&vcpu->virt); /* if it is still loaded on another CPU */
    if (cpu->current) {
        put_here(cpu->current);
    }
    ok = vmptrld(vcpu->vmcs);
    ASSERT(ok, "a vCPU's VMCS can be loaded");
    cpu->current = vcpu;
    vcpu->cpu = cpu;
    find_nmi_blocking(cpu, vcpu);
    if (moved) {
        vmcs_write_host_state();
        vcpu->last_cpu = cpu;
        /* From the last time it was here, if any: it may have changed its page tables since. */
        vmx_flush_linear(vcpu);
    }
    if (moved || cpu->registers_owner != vcpu) {
        load_registers(vcpu);
        cpu->registers_owner = vcpu;
    }
    interrupts_restore(interrupts);
}

void vmx_vcpu_load(struct virt_vcpu *virt_vcpu)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    struct vmx_cpu *cpu = vmx_this_cpu();

    if (cpu->current != vcpu) {
        load(vcpu, cpu);
    }
}
