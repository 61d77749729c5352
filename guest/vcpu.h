/*
 * One virtual CPU of a VM: its local APIC, its MSRs, and the run loop that enters the guest and
 * acts on exits.
 */
#ifndef GUEST_VCPU_H
#define GUEST_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/devices/lapic.h"
#include "guest/emulate/emulate.h"
#include "guest/loader/boot_state.h"
#include "guest/policy/msr.h"
#include "virt/vcpu.h"

struct vm;

struct vcpu {
    struct virt_vcpu *cpu; /* the back end's part */
    struct vm *vm;
    unsigned index; /* also its APIC id */
    bool halted;    /* in HLT: waits for an event */
    bool woken;     /* something came that may end the HLT */
    uint64_t apic_page_phys;
    struct lapic lapic;
    /* Each vCPU sees its own local APIC at the same address, so each has a bus of its own. */
    struct mmio_bus mmio;
    struct guest_msrs msrs;
    struct msr_environment msr_environment;
    struct emulate_context emulate;
};

enum vcpu_run_result {
    VCPU_SLICE_OVER, /* its time is up; it can run on */
    VCPU_HALTED,     /* nothing to do until an interrupt */
    VCPU_STOPPED,    /* vm->requests says what is asked for */
};

/** 0 or a negative errno. */
int vcpu_create(struct vcpu *vcpu, struct vm *vm, unsigned index);
void vcpu_destroy(struct vcpu *vcpu);
/** Architectural RESET. */
void vcpu_reset(struct vcpu *vcpu);
/** Gives the vCPU the state that a loader asked for. */
void vcpu_apply_boot_state(struct vcpu *vcpu, const struct boot_state *state);

/**
 * Runs the vCPU until `slice_end` (ns since boot), until it halts or until its VM asks for
 * something. Interrupts off, on return too.
 */
enum vcpu_run_result vcpu_run(struct vcpu *vcpu, uint64_t slice_end);
/** True if the vCPU has something to do: it is not in HLT, or an event has come that ends that. */
bool vcpu_wakes(struct vcpu *vcpu);

/** What exits do to a struct vcpu, their context; they leave virt_ops.run when vcpu_run has to look
 * at vm->requests, vcpu->halted or the clock. In vcpu_exits.c. */
extern const virt_exit_handler vcpu_exit_handlers[VM_EXIT_KINDS];

/** Raises what a check of policy/ asks for; true if the access is allowed. */
bool vcpu_control_allowed(struct vcpu *vcpu, enum control_result result);
/** Exits of MOV to and from control registers, CLTS, LMSW; MOV to and from debug registers; XSETBV.
 * In vcpu_control.c. */
enum virt_next vcpu_handle_cr(void *context, const struct vm_exit *exit);
enum virt_next vcpu_handle_dr(void *context, const struct vm_exit *exit);
enum virt_next vcpu_handle_xsetbv(void *context, const struct vm_exit *exit);
/** The paravirtual calls; in hypercall.c. */
enum virt_next vcpu_handle_hypercall(void *context, const struct vm_exit *exit);

#endif
