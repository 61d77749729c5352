/*
 * One virtual CPU of the VT-x back end, and one physical CPU in VMX operation. For vmx/ only.
 */
#ifndef VMX_VCPU_H
#define VMX_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/spinlock.h"
#include "virt/vcpu.h"
#include "vmx/controls.h"
#include "vmx/definitions.h"
#include "vmx/entry_check.h"
#include "vmx/ept.h"
#include "vmx/instructions.h"

/* MSRs that no VMCS field switches and that the kernel does not use: a guest's values stay in the
 * CPU until another vCPU's are needed there. */
#define SWITCHED_MSR_COUNT 6

struct vmx_vcpu;

/* A guest-physical address space, and what may be touched by who runs in it. */
struct virt_space {
    struct ept ept;
    uint64_t apic_access_page; /* host-physical, 0 while no vCPU has one */
    unsigned apic_access_users;
    uint64_t io_bitmaps;  /* host-physical */
    uint64_t msr_bitmaps; /* see space_msr_bitmap */
    struct spinlock lock; /* the tables; taken by smp_lock, as its holders call other CPUs */
};

/* A physical CPU in VMX operation: percpu.virt. */
struct vmx_cpu {
    struct percpu *percpu;
    uint64_t vmxon_region;
    struct vmx_vcpu *current;         /* whose VMCS is current; NULL for none */
    struct vmx_vcpu *registers_owner; /* whose lazily switched registers the CPU holds */
    bool nmis_blocked;                /* as the last vCPU left it */
};

struct vmx_vcpu {
    struct virt_vcpu virt; /* first: entry.S finds the GPRs at offset 0 */

    union {
        uint64_t unusual; /* not 0 with any of these */
        struct {
            uint8_t nmi_pending;
            bool shut_down;    /* emulation raised a triple fault: the next entry reports it */
            bool inactive;     /* the activity state may be other than active */
            bool event_queued; /* `queued` may hold one */
            bool cpu_delivers; /* by virtual-interrupt delivery */
        };
    };
    bool nmi_blocking_inherited; /* that its VMCS tells of; see vmx_vcpu_load */
    uint64_t exit_tsc;           /* host TSC when virt_ops.run was last left by an exit */
    uint32_t exit_tsc_low;       /* its lower half, at the last exit */
    struct vm_exit exit;         /* the last one */
    virt_exit_handler exit_handlers[VM_EXIT_KINDS]; /* what an exit calls; see exit_ticks.c */
    const virt_exit_handler *given_handlers;        /* by the config */
    void *exit_context;
    struct virt_event queued;
    struct virt_pending_interrupts pending; /* when they were last asked for */

    struct vmx_cpu *_Atomic cpu; /* on which it is loaded; NULL: on none */
    struct vmx_cpu *last_cpu;    /* whose host state its VMCS holds */
    struct virt_space *space;
    uint64_t vmcs;
    uint16_t vpid;

    /* Copies of VMCS fields that we alone write. */
    uint32_t proc;
    uint32_t proc2;
    bool reports_spinning;
    uint32_t exceptions; /* that guest/ asked to see, bit per vector */
    uint8_t tpr_threshold;
    uint64_t cr0_owned; /* guest/host masks: what we must own and what guest/ wants to see */
    uint64_t cr4_owned;
    uint64_t cr0_intercepted; /* what guest/ wants to see */
    uint64_t cr4_intercepted;
    uint64_t cr0_shadow;
    uint64_t cr4_shadow;

    /* Guest registers while they are not in the CPU. */
    uint64_t cr2;
    uint64_t dr[4];
    uint64_t dr6;
    bool uses_dr; /* the guest has touched DR0-DR3: they are switched, and MOV DR does not exit */
    uint64_t msrs[SWITCHED_MSR_COUNT];
    uint64_t xcr0;
    void *extended_state;

    void *apic_page;
    uint64_t apic_page_phys;
    bool has_apic_access_page;
    bool maps_apic_access_page; /* is one of the space's apic_access_users */
    enum virt_apic_mode apic_mode;

    char broken_rule[ENTRY_CHECK_TEXT_SIZE]; /* where exit.entry_failure.rule may lie */
};

/* What this machine's CPUs can do and the controls we chose; set by vmx_probe. */
extern struct vmx_capabilities vmx_capabilities;
extern struct vmx_controls vmx_controls;

static inline struct vmx_vcpu *vmx_vcpu(struct virt_vcpu *vcpu)
{
    return (struct vmx_vcpu *)vcpu;
}

/* Its secondary controls, beside those that depend on the mode of its APIC. */
static inline uint32_t vmx_proc2(const struct vmx_vcpu *vcpu)
{
    return vmx_controls.proc2 | (vcpu->reports_spinning ? PROC2_PAUSE_LOOP_EXITING : 0);
}

/* This CPU's state; NULL if it is not in VMX operation. */
static inline struct vmx_cpu *vmx_this_cpu(void)
{
    return this_cpu()->virt;
}

/* vcpu.c */
void vmx_vcpu_reset(struct virt_vcpu *vcpu);

/* vmcs_setup.c: all of these on the loaded vCPU */
/** Controls and what else never changes with a reset. */
void vmcs_write_controls(struct vmx_vcpu *vcpu);
/** Host state that belongs to this physical CPU. */
void vmcs_write_host_state(void);
/** Guest state after RESET. */
void vmcs_write_reset_state(void);
/** Switches primary controls off and on, if they are not so already. */
static inline void vmcs_switch_proc(struct vmx_vcpu *vcpu, uint32_t off, uint32_t on)
{
    uint32_t controls = (vcpu->proc & ~off) | on;

    if (controls != vcpu->proc) {
        vcpu->proc = controls;
        exit_write32(VMCS_PROC_CONTROLS, controls);
    }
}

/* switch.c */
void vmx_vcpu_load(struct virt_vcpu *vcpu);
void vmx_vcpu_put(struct virt_vcpu *vcpu);
/** Puts lazily switched registers to their RESET values. Loaded or not. */
void vmx_reset_registers(struct vmx_vcpu *vcpu);
/** The guest touched DR0-DR3: gives it the real ones. */
void vmx_give_debug_registers(struct vmx_vcpu *vcpu);
/** Index of an MSR among the switched ones; -1 if it is none. */
int vmx_switched_msr(uint32_t msr);

/* state.c: see virt/vcpu.h */
uint64_t vmx_get_register(struct virt_vcpu *vcpu, enum virt_register which);
void vmx_set_register(struct virt_vcpu *vcpu, enum virt_register which, uint64_t value);
void vmx_get_segment(struct virt_vcpu *vcpu, enum virt_segment which,
                     struct virt_segment_state *state);
void vmx_set_segment(struct virt_vcpu *vcpu, enum virt_segment which,
                     const struct virt_segment_state *state);
void vmx_get_tables(struct virt_vcpu *vcpu, struct virt_table_state *gdtr,
                    struct virt_table_state *idtr);
void vmx_set_tables(struct virt_vcpu *vcpu, const struct virt_table_state *gdtr,
                    const struct virt_table_state *idtr);
void vmx_get_mode(struct virt_vcpu *vcpu, struct virt_mode *mode);
void vmx_get_code_place(struct virt_vcpu *vcpu, struct virt_code_place *place);
void vmx_set_activity(struct virt_vcpu *vcpu, enum virt_activity activity);
enum virt_activity vmx_get_activity(struct virt_vcpu *vcpu);

/* control_registers.c */
static inline uint64_t vmx_get_cr0(const struct vmx_vcpu *vcpu)
{
    return (vmcs_read_natural(VMCS_GUEST_CR0) & ~vcpu->cr0_owned) |
           (vcpu->cr0_shadow & vcpu->cr0_owned);
}

static inline uint64_t vmx_get_cr4(const struct vmx_vcpu *vcpu)
{
    return (vmcs_read_natural(VMCS_GUEST_CR4) & ~vcpu->cr4_owned) |
           (vcpu->cr4_shadow & vcpu->cr4_owned);
}

void vmx_set_cr0(struct vmx_vcpu *vcpu, uint64_t value);
void vmx_set_cr4(struct vmx_vcpu *vcpu, uint64_t value);
void vmx_set_cr3(struct vmx_vcpu *vcpu, uint64_t value);
void vmx_set_efer(uint64_t value);
void vmx_intercept_cr_bits(struct virt_vcpu *vcpu, uint64_t cr0_bits, uint64_t cr4_bits);
void vmx_write_cr(struct virt_vcpu *vcpu, unsigned number, uint64_t value);

/* pending_events.c */
void vmx_inject_exception(struct virt_vcpu *vcpu, uint8_t vector, bool has_error_code,
                          uint32_t error_code);
void vmx_inject_event(struct virt_vcpu *vcpu, const struct virt_event *event);
void vmx_inject_nmi(struct virt_vcpu *vcpu);
bool vmx_has_deliverable_event(struct virt_vcpu *vcpu);
void vmx_intercept_exceptions(struct virt_vcpu *vcpu, uint32_t vectors, uint32_t pf_mask,
                              uint32_t pf_match);
/** Decides on injection and writes what it decided to the VMCS. False if there is nothing to enter:
 * it shuts down, or waits for a start-up IPI. */
bool vmx_prepare_events(struct vmx_vcpu *vcpu);
void vmx_reset_events(struct vmx_vcpu *vcpu);

/* run.c */
void vmx_run(struct virt_vcpu *vcpu);
void vmx_complete_instruction(struct virt_vcpu *vcpu, uint8_t length);

/* exit_ticks.c */
/** Without any histogram but that of the kind that a vCPU begins with. 0 or -ENOMEM. */
int vmx_create_exit_ticks(struct vmx_vcpu *vcpu);
void vmx_free_exit_ticks(struct vmx_vcpu *vcpu);

/* read_exit.c */
/** Reads and decodes the exit that has just happened, and does what it asks of this back end. */
void vmx_read_exit(struct vmx_vcpu *vcpu, uint32_t reason);

/* reflect.c */
/** Gives the guest an exception back that exited without anyone wanting to see it. */
void vmx_reflect_exception(struct vmx_vcpu *vcpu, const struct virt_event *event,
                           uint64_t qualification);

/* apic.c */
void vmx_set_apic_mode(struct virt_vcpu *vcpu, enum virt_apic_mode mode);
void vmx_set_eoi_exits(struct virt_vcpu *vcpu, const uint64_t bitmap[4]);
/** No vCPU-specific MSR access or page mapping remains. */
void vmx_release_apic(struct vmx_vcpu *vcpu);

/* space.c; the first four: see virt_space_ops */
struct virt_space *space_create(void);
void space_destroy(struct virt_space *space);
int space_map(struct virt_space *space, uint64_t guest_phys, uint64_t host_phys, uint64_t size,
              unsigned prot, enum virt_memory_type type);
int space_unmap(struct virt_space *space, uint64_t guest_phys, uint64_t size);
uint64_t space_page_size(struct virt_space *space, uint64_t guest_phys);
/** Forgets all linear translations of the vCPU on this CPU. */
void vmx_flush_linear(const struct vmx_vcpu *vcpu);
/** The APIC-access page at its default address, for as long as a vCPU wants it. 0 or -ENOMEM. */
int space_map_apic_access(struct virt_space *space);
void space_unmap_apic_access(struct virt_space *space);

/* passthrough.c; the first two: see virt_space_ops */
int space_allow_msr(struct virt_space *space, uint32_t index, bool read, bool write);
void space_allow_ports(struct virt_space *space, uint16_t port, uint32_t count, bool allow);
/** 0 or -ENOMEM. */
int space_create_bitmaps(struct virt_space *space);
/** As far as they were made. */
void space_free_bitmaps(struct virt_space *space);
/** Host-physical address of the MSR bitmap for a vCPU whose x2APIC the CPU virtualises, or for all
 * others. */
uint64_t space_msr_bitmap(const struct virt_space *space, bool virtual_x2apic);

/* failure.c */
/** What a VM-instruction error means. */
const char *vmx_instruction_error(uint32_t error);
/** Puts the rule that the current VMCS breaks to `*rule`, if one can be found. */
void vmx_explain_failure(struct vmx_vcpu *vcpu, const char **rule);
int vmx_break_state(struct virt_vcpu *vcpu, unsigned which);
void vmx_dump(struct virt_vcpu *vcpu);

#endif
