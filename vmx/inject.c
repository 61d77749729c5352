#include "vmx/inject.h"

#include "kernel/cpu/x86_defs.h"

#define SHADOW (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)

static uint32_t shadow(const struct injection_input *input)
{
    return input->interruptibility & SHADOW;
}

/* The guest would take an external interrupt at its next instruction. */
static bool interruptible(const struct injection_input *input)
{
    return takes_interrupts(input->interrupts_enabled, input->interruptibility) &&
           (input->activity == ACTIVITY_ACTIVE || input->activity == ACTIVITY_HLT);
}

/* NMIs are blocked until IRET. Without virtual NMIs nobody sees that IRET: then a guest that can
 * take interrupts again is taken to have left its NMI handler. */
static bool nmi_blocked(const struct injection_input *input)
{
    return (input->interruptibility & INTERRUPTIBILITY_NMI) &&
           (input->virtual_nmis || !interruptible(input));
}

static void inject(struct injection *injection, enum injection_source source,
                   enum virt_event_type type, uint8_t vector)
{
    injection->source = source;
    injection->event.type = type;
    injection->event.vector = vector;
}

/* Has the CPU leave the guest once it can take an NMI. */
static void await_nmi(const struct injection_input *input, struct injection *injection)
{
    if (!input->virtual_nmis) {
        injection->interrupt_window = true;
    } else if (injection->source == INJECT_NOTHING && !nmi_blocked(input) &&
               (shadow(input) & INTERRUPTIBILITY_STI)) {
        /* A CPU that takes NMIs in the STI shadow leaves at once through an NMI window, again and
         * again. IF is 1 now, so the interrupt window opens behind the shadow, unless the next
         * instruction is CLI: so look again at the next exit, whatever it is. */
        injection->interrupt_window = true;
        injection->decide_again = true;
    } else {
        injection->nmi_window = true;
    }
}

/* True if nothing may be injected beside or before what is queued. */
static bool decide_queued(const struct injection_input *input, struct injection *injection)
{
    const struct virt_event *queued = &input->queued;

    if (queued->type == VIRT_EVENT_NONE) {
        return false;
    }
    if (queued->type == VIRT_EVENT_EXTERNAL_INTERRUPT && !interruptible(input)) {
        injection->interrupt_window = true;
        injection->decide_again = true;
        return true;
    }
    if (queued->type == VIRT_EVENT_NMI) {
        /* Its interrupted delivery has set the blocking, which the entry checks refuse and which
         * would keep the window shut (27.2.1.3, 27.3.1.5). */
        injection->clear_nmi_blocking = input->interruptibility & INTERRUPTIBILITY_NMI;
        if (shadow(input)) {
            injection->interrupt_window = shadow(input) & INTERRUPTIBILITY_STI;
            injection->nmi_window = !injection->interrupt_window && input->virtual_nmis;
            injection->decide_again = true;
            return true;
        }
    }
    injection->source = INJECT_QUEUED;
    injection->event = *queued;
    if (queued->type == VIRT_EVENT_HARDWARE_EXCEPTION && !input->protected_mode) {
        injection->event.has_error_code = false;
        injection->event.error_code = 0;
    }
    return false;
}

static void decide_nmi(const struct injection_input *input, struct injection *injection)
{
    uint8_t waiting = input->nmi_pending;

    if (waiting && injection->source == INJECT_NOTHING && !shadow(input) && !nmi_blocked(input)) {
        inject(injection, INJECT_NMI, VIRT_EVENT_NMI, EXCEPTION_NMI);
        injection->clear_nmi_blocking = input->interruptibility & INTERRUPTIBILITY_NMI;
        waiting--;
    }
    if (waiting) {
        await_nmi(input, injection);
    }
}

static void decide_interrupt(const struct injection_input *input, struct injection *injection)
{
    const struct virt_pending_interrupts *pending = &input->pending;
    enum apic_decision decision = decide_apic(pending);
    bool apic = false;

    if (input->virtual_interrupt_delivery) {
        /* The CPU weighs priorities and delivers by itself; only ExtINT is left to us. */
        injection->rvi = pending->apic_irr < 0 ? 0 : (uint8_t)pending->apic_irr;
    } else {
        apic = decision == APIC_DELIVER;
        if (input->tpr_shadow && decision == APIC_AWAIT_TPR) {
            /* The guest lowers it without an exit. An interrupt in service is no matter for the
             * threshold: its EOI brings a new decision. */
            injection->tpr_threshold = (uint8_t)priority_class(pending->apic_irr);
        }
    }

    if (!pending->pic && !apic) {
        return;
    }
    if (injection->source != INJECT_NOTHING || !interruptible(input)) {
        injection->interrupt_window = true;
    } else if (pending->pic) {
        inject(injection, INJECT_PIC, VIRT_EVENT_EXTERNAL_INTERRUPT, 0);
        injection->interrupt_window = apic;
        /* The 8259 pair may hold its line up for another request. */
        injection->decide_again = true;
    } else {
        inject(injection, INJECT_APIC, VIRT_EVENT_EXTERNAL_INTERRUPT, (uint8_t)pending->apic_irr);
    }
}

/* With virtual-interrupt delivery: the CPU delivers an interrupt as soon as the guest is active. */
static bool cpu_delivers(const struct injection_input *input)
{
    return input->virtual_interrupt_delivery && interruptible(input) &&
           decide_apic(&input->pending) == APIC_DELIVER;
}

void decide_injection(const struct injection_input *input, struct injection *injection)
{
    *injection = (struct injection){.source = INJECT_NOTHING};

    if (input->activity == ACTIVITY_WAIT_FOR_SIPI) {
        /* Everything waits, with no window to open (SDM vol. 3, 27.7.2). */
        injection->decide_again = true;
        return;
    }
    if (decide_queued(input, injection)) {
        return;
    }
    decide_nmi(input, injection);
    decide_interrupt(input, injection);
    injection->wake = input->activity != ACTIVITY_ACTIVE &&
                      (injection->source != INJECT_NOTHING || cpu_delivers(input));
}

bool injection_has_deliverable(const struct injection_input *input)
{
    struct injection injection;

    decide_injection(input, &injection);
    return injection.source != INJECT_NOTHING || cpu_delivers(input);
}

enum exception_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT };

/* SDM vol. 3, table 6-4. What an INT instruction raises is benign whatever its vector. */
static enum exception_class exception_class(const struct virt_event *event)
{
    if (event->type != VIRT_EVENT_HARDWARE_EXCEPTION) {
        return CLASS_BENIGN;
    }
    switch (event->vector) {
    case EXCEPTION_DE:
    case EXCEPTION_TS:
    case EXCEPTION_NP:
    case EXCEPTION_SS:
    case EXCEPTION_GP:
    case EXCEPTION_CP:
        return CLASS_CONTRIBUTORY;
    case EXCEPTION_PF:
    case EXCEPTION_VE:
        return CLASS_PAGE_FAULT;
    case EXCEPTION_DF:
        return CLASS_DOUBLE_FAULT;
    default:
        return CLASS_BENIGN;
    }
}

bool merge_events(const struct virt_event *first, const struct virt_event *second,
                  struct virt_event *result)
{
    enum exception_class before = exception_class(first);
    enum exception_class after = exception_class(second);
    bool faults = after == CLASS_CONTRIBUTORY || after == CLASS_PAGE_FAULT;

    if (before == CLASS_DOUBLE_FAULT && faults) {
        return false;
    }
    if ((before == CLASS_PAGE_FAULT && faults) ||
        (before == CLASS_CONTRIBUTORY && after == CLASS_CONTRIBUTORY)) {
        *result = (struct virt_event){
            .type = VIRT_EVENT_HARDWARE_EXCEPTION, .vector = EXCEPTION_DF, .has_error_code = true};
    } else {
        /* Table 6-5 "handle exceptions serially": the second comes first; returning from it runs
         * the first one's cause again. */
        *result = *second;
    }
    return true;
}
