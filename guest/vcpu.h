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
#include "guest/pvclock.h"
#include "virt/vcpu.h"

struct percpu;
struct thread;
struct vm;

/* What a vCPU is to look at. */
#define VCPU_LOOK      (1u << 0) /* vm->requests, or the timers of the VM's devices */
#define VCPU_INTERRUPT (1u << 1) /* the injection decision may come out differently */
#define VCPU_NMI       (1u << 2)
#define VCPU_EOI_EXITS (1u << 3) /* vm->eoi_exits */
#define VCPU_INIT      (1u << 4)
#define VCPU_STARTUP   (1u << 5) /* startup_vector */
#define VCPU_RETRY     (1u << 6) /* a device could not do it now: the instruction comes again later */
#define VCPU_YIELD     (1u << 7) /* it spins: others may make better use of the CPU */
#define VCPU_CLOCK     (1u << 8) /* a TSC was set, its own or another vCPU's */

struct vcpu {
    struct virt_vcpu *cpu; /* the back end's part */
    struct vm *vm;
    unsigned index;         /* also its APIC id */
    bool halted;            /* in HLT: waits for an event */
    bool woken;             /* something came that may end the HLT */
    bool waits_for_startup; /* since INIT, or since RESET if it is not the first */
    struct thread *thread;  /* runs it; NULL before vm_start */
    uint64_t run_time;      /* ns of CPU time, when its thread has ended */
    uint64_t steal_time;    /* ns for which that waited for a CPU */
    /* Any CPU, atomically. */
    unsigned signals; /* VCPU_... bits that it has to look at before it enters the guest again */
    uint8_t startup_vector;
    struct percpu *running_on; /* the CPU that runs it now; NULL: none */
    struct timer_queue timers; /* of its local APIC: its own CPU's only */
    uint64_t apic_page_phys;
    struct lapic lapic;
    /* Each vCPU sees its own local APIC at the same address, so each has a bus of its own. */
    struct mmio_bus mmio;
    struct pvclock pvclock;
    uint64_t waited_before; /* its thread's waiting time when it was reset last */
    struct guest_msrs msrs;
    struct msr_environment msr_environment;
    struct emulate_context emulate;
};

enum vcpu_run_result {
    VCPU_SLICE_OVER, /* its time is up; it can run on */
    VCPU_SPINS,      /* it waits for another vCPU, and can run on */
    VCPU_WAITS,      /* nothing to do until a signal or vcpu_deadline */
    VCPU_RETRIES,    /* a device could not do it now: try again in a moment */
    VCPU_STOPPED,    /* vm->requests says what is asked for */
};

/** 0 or a negative errno. */
int vcpu_create(struct vcpu *vcpu, struct vm *vm, unsigned index);
void vcpu_destroy(struct vcpu *vcpu);
/** Architectural RESET. */
void vcpu_reset(struct vcpu *vcpu);
/** Gives the vCPU the state that a loader asked for. */
void vcpu_apply_boot_state(struct vcpu *vcpu, const struct boot_state *state);

/** Runs the vCPU until its thread should yield, until it has nothing to do or until its VM asks for
 * something. By its thread; interrupts off, on return too. */
enum vcpu_run_result vcpu_run(struct vcpu *vcpu);
/** When the first timer is due that this vCPU has to run (ns since boot), TIME_NEVER for none. By
 * its thread. */
uint64_t vcpu_deadline(const struct vcpu *vcpu);

/** Has the vCPU look at `signal`, wherever it is: it leaves the guest or is woken. Any context but
 * NMI. */
void vcpu_signal(struct vcpu *vcpu, unsigned signal);
/** True if it has a signal that it has not looked at. Any CPU. */
static inline bool vcpu_signalled(const struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->signals, __ATOMIC_SEQ_CST) != 0;
}

/** What exits do to a struct vcpu, their context; they leave virt_ops.run when vcpu_run has to look
 * at vcpu->signals, vcpu->halted or the clock. In vcpu_exits.c. */
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
