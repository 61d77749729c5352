/* A vCPU's life, and the table of all this back end does. */
#include "vmx/vcpu.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/x86.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "vmx/definitions.h"
#include "vmx/extended_state.h"
#include "vmx/instructions.h"
#include "vmx/vmx.h"

/* VPID 0 is the host's. A vCPU has its own from creation to destruction. */
#define VPID_COUNT 1024u
static uint64_t vpids_used[VPID_COUNT / 64] = {1};

static uint16_t alloc_vpid(void)
{
    for (unsigned vpid = 1; vpid < VPID_COUNT; vpid++) {
        uint64_t bit = UINT64_C(1) << (vpid % 64);

        if (!(__atomic_fetch_or(&vpids_used[vpid / 64], bit, __ATOMIC_RELAXED) & bit)) {
            return (uint16_t)vpid;
        }
    }
    return 0;
}

static void free_vpid(uint16_t vpid)
{
    if (vpid) {
        __atomic_fetch_and(&vpids_used[vpid / 64], ~(UINT64_C(1) << (vpid % 64)), __ATOMIC_RELAXED);
    }
}

static uint64_t alloc_vmcs(void)
{
    uint64_t phys = frame_alloc(0);
    uint32_t revision = vmx_revision(&vmx_capabilities);

    if (phys) {
        memset(phys_to_virt(phys), 0, FRAME_SIZE);
        memcpy(phys_to_virt(phys), &revision, sizeof(revision));
    }
    return phys;
}

/* Undoes what create got so far. */
static void release(struct vmx_vcpu *vcpu)
{
    vmx_release_apic(vcpu);
    vmx_free_exit_ticks(vcpu);
    if (vcpu->vmcs) {
        frame_free(vcpu->vmcs, 0);
    }
    if (vcpu->extended_state) {
        extended_state_destroy(vcpu->extended_state);
    }
    free_vpid(vcpu->vpid);
    kfree(vcpu);
}

/* Loads the vCPU for the first time and fills its VMCS; who was loaded before is so again. */
static void set_up(struct vmx_vcpu *vcpu)
{
    bool interrupts = interrupts_save();
    struct vmx_vcpu *previous = vmx_this_cpu()->current;
    static const uint64_t no_eoi_exits[4];
    bool ok = vmclear(vcpu->vmcs);

    ASSERT(ok, "a new VMCS can be initialised");
    vmx_reset_registers(vcpu); /* loading puts them into the CPU */
    vmx_vcpu_load(&vcpu->virt);
    vmcs_write_controls(vcpu);
    vmx_set_eoi_exits(&vcpu->virt, no_eoi_exits);
    vmx_intercept_exceptions(&vcpu->virt, 0, 0, 0);
    vmx_vcpu_reset(&vcpu->virt);
    vmx_vcpu_put(&vcpu->virt);
    if (previous) {
        vmx_vcpu_load(&previous->virt);
    }
    interrupts_restore(interrupts);
}

static int create(struct virt_vcpu **result, const struct virt_vcpu_config *config)
{
    struct vmx_vcpu *vcpu;

    if (!vmx_this_cpu()) {
        return -ENODEV;
    }
    vcpu = kzalloc(sizeof(*vcpu));
    if (!vcpu) {
        return -ENOMEM;
    }
    vcpu->virt.interrupts = config->interrupts;
    vcpu->given_handlers = config->exit_handlers;
    vcpu->exit_context = config->exit_context;
    vcpu->space = config->space;
    vcpu->apic_page = config->apic_page;
    vcpu->apic_page_phys = config->apic_page_phys;
    vcpu->has_apic_access_page = config->has_apic_access_page;
    vcpu->reports_spinning = config->reports_spinning && vmx_controls.features.pause_loop_exiting;
    vcpu->vmcs = alloc_vmcs();
    vcpu->extended_state = extended_state_create();
    vcpu->vpid = alloc_vpid();
    if (vmx_create_exit_ticks(vcpu) || !vcpu->vmcs || !vcpu->extended_state || !vcpu->vpid) {
        release(vcpu);
        return -ENOMEM;
    }
    set_up(vcpu);
    *result = &vcpu->virt;
    return 0;
}

static void destroy(struct virt_vcpu *virt_vcpu)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);

    ASSERT(!vcpu->cpu, "a vCPU that is destroyed is loaded nowhere");
    if (vcpu->last_cpu && vcpu->last_cpu->registers_owner == vcpu) {
        vcpu->last_cpu->registers_owner = NULL;
    }
    log_vmcs_accesses();
    release(vcpu);
}

void vmx_vcpu_reset(struct virt_vcpu *virt_vcpu)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);

    memset(virt_vcpu->gpr, 0, sizeof(virt_vcpu->gpr));
    virt_vcpu->gpr[GPR_RDX] = cpuid(1, 0).eax; /* the CPU's signature */
    vmx_reset_events(vcpu);
    vcpu->exit_tsc = rdtsc();
    vcpu->exit.kind = VM_EXIT_INTERRUPTED;
    vmcs_write_reset_state();
    vmcs_switch_proc(vcpu, PROC_INTERRUPT_WINDOW_EXITING | PROC_NMI_WINDOW_EXITING,
                     PROC_MOV_DR_EXITING);
    if (vmx_controls.features.tpr_shadow) {
        vmcs_write32(VMCS_TPR_THRESHOLD, 0);
    }
    vmx_intercept_cr_bits(virt_vcpu, vcpu->cr0_intercepted, vcpu->cr4_intercepted);
    vmx_set_cr4(vcpu, 0);
    vmx_set_cr0(vcpu, CR0_CD | CR0_NW | CR0_ET);
    vmx_reset_registers(vcpu);
    vmx_set_apic_mode(virt_vcpu, APIC_MODE_XAPIC);
}

const struct virt_ops vmx_ops = {
    .name = "vmx",
    .features = &vmx_controls.features,
    .space =
        {
            .create = space_create,
            .destroy = space_destroy,
            .map = space_map,
            .unmap = space_unmap,
            .page_size = space_page_size,
            .allow_msr = space_allow_msr,
            .allow_ports = space_allow_ports,
        },
    .vcpu_create = create,
    .vcpu_destroy = destroy,
    .vcpu_reset = vmx_vcpu_reset,
    .vcpu_load = vmx_vcpu_load,
    .vcpu_put = vmx_vcpu_put,
    .run = vmx_run,
    .get_register = vmx_get_register,
    .set_register = vmx_set_register,
    .get_segment = vmx_get_segment,
    .set_segment = vmx_set_segment,
    .get_tables = vmx_get_tables,
    .set_tables = vmx_set_tables,
    .get_mode = vmx_get_mode,
    .get_code_place = vmx_get_code_place,
    .set_activity = vmx_set_activity,
    .get_activity = vmx_get_activity,
    .complete_instruction = vmx_complete_instruction,
    .inject_exception = vmx_inject_exception,
    .inject_event = vmx_inject_event,
    .inject_nmi = vmx_inject_nmi,
    .has_deliverable_event = vmx_has_deliverable_event,
    .set_apic_mode = vmx_set_apic_mode,
    .set_eoi_exits = vmx_set_eoi_exits,
    .intercept_exceptions = vmx_intercept_exceptions,
    .intercept_cr_bits = vmx_intercept_cr_bits,
    .write_cr = vmx_write_cr,
    .dump = vmx_dump,
    .break_state = vmx_break_state,
};
