/* Events on their way to the guest: from what waits, over the pure decision, into the VMCS. */
#include "kernel/cpu/x86_defs.h"
#include "vmx/decode.h"
#include "vmx/definitions.h"
#include "vmx/inject.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

#define MAX_PENDING_NMIS 2

/* Machine checks are the host's (SDM vol. 3, 34.9). #AC and #DB: see reflect.c. */
#define ALWAYS_INTERCEPTED (1u << EXCEPTION_MC | 1u << EXCEPTION_AC | 1u << EXCEPTION_DB)

static void poll(struct vmx_vcpu *vcpu)
{
    const struct virt_interrupt_source *source = &vcpu->virt.interrupts;

    source->poll(source->context, &vcpu->pending);
}

/* Nothing has a part in the decision but an active guest and requests of its local APIC that we
 * deliver: the case that counts, and a short one. */
static bool only_apic_matters(const struct vmx_vcpu *vcpu)
{
    return !vcpu->unusual && !vcpu->pending.pic;
}

static bool guest_takes_interrupts(void)
{
    return (exit_read_natural(VMCS_GUEST_RFLAGS) & RFLAGS_IF) &&
           takes_interrupts(true, (uint32_t)exit_read32(VMCS_GUEST_INTERRUPTIBILITY));
}

/* Blocking that the vCPU has taken over from another is none. */
static uint32_t own_interruptibility(const struct vmx_vcpu *vcpu)
{
    uint32_t interruptibility = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);

    if (vcpu->nmi_blocking_inherited && (interruptibility & INTERRUPTIBILITY_NMI)) {
        interruptibility &= ~INTERRUPTIBILITY_NMI;
        vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, interruptibility);
    }
    return interruptibility;
}

static void read_injection_input(struct vmx_vcpu *vcpu, struct injection_input *input)
{
    input->queued = vcpu->queued;
    input->nmi_pending = vcpu->nmi_pending;
    input->pending = vcpu->pending;
    input->activity = vcpu->inactive ? vmx_get_activity(&vcpu->virt) : ACTIVITY_ACTIVE;
    input->interruptibility = own_interruptibility(vcpu);
    input->interrupts_enabled = vmcs_read_natural(VMCS_GUEST_RFLAGS) & RFLAGS_IF;
    input->protected_mode = vcpu->queued.type != VIRT_EVENT_HARDWARE_EXCEPTION ||
                            (vmcs_read_natural(VMCS_GUEST_CR0) & CR0_PE);
    input->virtual_nmis = vmx_controls.features.virtual_nmis;
    input->tpr_shadow = vmx_controls.features.tpr_shadow;
    input->virtual_interrupt_delivery = vcpu->cpu_delivers;
}

/* Takes what the decision chose away from where it waited. */
static void accept(struct vmx_vcpu *vcpu, struct injection *injection)
{
    const struct virt_interrupt_source *source = &vcpu->virt.interrupts;

    switch (injection->source) {
    case INJECT_NOTHING:
        return;
    case INJECT_QUEUED:
        vcpu->nmi_blocking_inherited &= vcpu->queued.type != VIRT_EVENT_NMI;
        vcpu->queued.type = VIRT_EVENT_NONE;
        return;
    case INJECT_NMI:
        vcpu->nmi_blocking_inherited = false; /* from now on it is its own */
        vcpu->nmi_pending--;
        return;
    case INJECT_APIC:
        source->accept_apic(source->context, injection->event.vector);
        return;
    case INJECT_PIC:
        injection->event.vector = source->accept_pic(source->context);
        return;
    }
}

static void write_event(const struct virt_event *event)
{
    uint32_t info;
    uint32_t error;
    uint32_t length;

    encode_event(event, &info, &error, &length);
    vmcs_write32(VMCS_ENTRY_INTERRUPTION_INFO, info);
    if (info & INTERRUPTION_ERROR_CODE) {
        vmcs_write32(VMCS_ENTRY_ERROR_CODE, error);
    }
    if (length) {
        vmcs_write32(VMCS_ENTRY_INSTRUCTION_LENGTH, length);
    }
}

/* RVI is what we found requested; SVI too must follow an ISR that emulation changed (SDM vol. 3,
 * 25.4.2). */
static void write_interrupt_status(const struct injection_input *input, uint8_t rvi)
{
    int isr = input->pending.apic_isr;

    vmcs_write16(VMCS_GUEST_INTERRUPT_STATUS, (uint16_t)((isr < 0 ? 0 : isr) << 8 | rvi));
}

static void set_tpr_threshold(struct vmx_vcpu *vcpu, uint8_t threshold)
{
    if (threshold != vcpu->tpr_threshold) {
        vcpu->tpr_threshold = threshold;
        vmcs_write32(VMCS_TPR_THRESHOLD, threshold);
    }
}

/* Has the CPU leave the guest when it can take what waits, if something does. */
static inline void await(struct vmx_vcpu *vcpu, uint8_t tpr_threshold, uint32_t windows)
{
    set_tpr_threshold(vcpu, tpr_threshold);
    vmcs_switch_proc(vcpu, PROC_INTERRUPT_WINDOW_EXITING | PROC_NMI_WINDOW_EXITING, windows);
}

static inline void prepare_apic_interrupt(struct vmx_vcpu *vcpu)
{
    const struct virt_pending_interrupts *pending = &vcpu->pending;
    const struct virt_interrupt_source *source = &vcpu->virt.interrupts;
    enum apic_decision decision = decide_apic(pending);

    if (decision == APIC_DELIVER && guest_takes_interrupts()) {
        await(vcpu, 0, 0);
        exit_write32(VMCS_ENTRY_INTERRUPTION_INFO,
                     INTERRUPTION_VALID | (uint32_t)pending->apic_irr);
        source->accept_apic(source->context, (uint8_t)pending->apic_irr);
    } else if (decision == APIC_AWAIT_TPR && vmx_controls.features.tpr_shadow) {
        await(vcpu, (uint8_t)priority_class(pending->apic_irr), 0);
    } else {
        await(vcpu, 0, decision == APIC_DELIVER ? PROC_INTERRUPT_WINDOW_EXITING : 0);
    }
}

/* A CPU that waits for a start-up IPI hears nothing else: neither interrupts nor the preemption
 * timer bring it back (SDM vol. 3, 26.2 and 26.5.1). Start-up IPIs come from emulation. */
static bool waits_for_startup(struct vmx_vcpu *vcpu)
{
    return vcpu->inactive && vmx_get_activity(&vcpu->virt) == ACTIVITY_WAIT_FOR_SIPI;
}

static __attribute__((noinline)) bool prepare_any_event(struct vmx_vcpu *vcpu)
{
    struct injection_input input;
    struct injection injection;

    if (vcpu->shut_down || waits_for_startup(vcpu)) {
        vcpu->virt.events_changed = true;
        return false;
    }
    read_injection_input(vcpu, &input);
    decide_injection(&input, &injection);
    accept(vcpu, &injection);
    vcpu->event_queued = vcpu->queued.type != VIRT_EVENT_NONE;

    if (injection.clear_nmi_blocking) {
        vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, input.interruptibility & ~INTERRUPTIBILITY_NMI);
    }
    if (injection.source != INJECT_NOTHING) {
        write_event(&injection.event);
    }
    if (injection.wake) {
        vmcs_write32(VMCS_GUEST_ACTIVITY, ACTIVITY_STATE_ACTIVE);
        vcpu->inactive = false;
    }
    if (input.virtual_interrupt_delivery) {
        write_interrupt_status(&input, injection.rvi);
    }
    await(vcpu, injection.tpr_threshold,
          (injection.interrupt_window ? PROC_INTERRUPT_WINDOW_EXITING : 0) |
              (injection.nmi_window ? PROC_NMI_WINDOW_EXITING : 0));
    vcpu->virt.events_changed |= injection.decide_again;
    return true;
}

bool vmx_prepare_events(struct vmx_vcpu *vcpu)
{

    vcpu->virt.events_changed = false;
    poll(vcpu);
    if (__builtin_expect(only_apic_matters(vcpu), 1)) {
        prepare_apic_interrupt(vcpu);
        return true;
    }
    return prepare_any_event(vcpu);
}

bool vmx_has_deliverable_event(struct virt_vcpu *virt_vcpu)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    struct injection_input input;

    poll(vcpu);
    if (only_apic_matters(vcpu)) {
        return decide_apic(&vcpu->pending) == APIC_DELIVER && guest_takes_interrupts();
    }
    read_injection_input(vcpu, &input);
    return vcpu->shut_down || injection_has_deliverable(&input);
}

void vmx_inject_event(struct virt_vcpu *virt_vcpu, const struct virt_event *event)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);

    vcpu->queued = *event;
    vcpu->event_queued = true;
    vcpu->virt.events_changed = true;
}

void vmx_inject_exception(struct virt_vcpu *virt_vcpu, uint8_t vector, bool has_error_code,
                          uint32_t error_code)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    const struct virt_event first = vcpu->queued;
    const struct virt_event second = {
        .type = VIRT_EVENT_HARDWARE_EXCEPTION,
        .vector = vector,
        .has_error_code = has_error_code,
        .error_code = error_code,
    };

    vcpu->event_queued = true;
    vcpu->virt.events_changed = true;
    if (!merge_events(&first, &second, &vcpu->queued)) {
        vcpu->queued.type = VIRT_EVENT_NONE;
        vcpu->shut_down = true;
    }
}

void vmx_inject_nmi(struct virt_vcpu *virt_vcpu)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    bool in_service =
        vcpu->queued.type == VIRT_EVENT_NMI || (own_interruptibility(vcpu) & INTERRUPTIBILITY_NMI);

    if (vcpu->nmi_pending < (in_service ? MAX_PENDING_NMIS - 1 : MAX_PENDING_NMIS)) {
        vcpu->nmi_pending++;
    }
    vcpu->virt.events_changed = true;
}

void vmx_intercept_exceptions(struct virt_vcpu *virt_vcpu, uint32_t vectors, uint32_t pf_mask,
                              uint32_t pf_match)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);

    vcpu->exceptions = vectors;
    vmcs_write32(VMCS_EXCEPTION_BITMAP, vectors | ALWAYS_INTERCEPTED);
    /* With bit 14 of the bitmap clear, the CPU turns mask and match round and would exit on page
     * faults that do not match (SDM vol. 3, 26.2): all match then. */
    vmcs_write32(VMCS_PAGE_FAULT_MASK, vectors & (1u << EXCEPTION_PF) ? pf_mask : 0);
    vmcs_write32(VMCS_PAGE_FAULT_MATCH, vectors & (1u << EXCEPTION_PF) ? pf_match : 0);
}

void vmx_reset_events(struct vmx_vcpu *vcpu)
{
    vcpu->queued = (struct virt_event){.type = VIRT_EVENT_NONE};
    vcpu->event_queued = false;
    vcpu->nmi_pending = 0;
    vcpu->inactive = false;
    vcpu->shut_down = false;
    vcpu->tpr_threshold = 0;
    vcpu->virt.events_changed = true;
}
