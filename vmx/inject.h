/*
 * The injection decision: what a guest gets at this VM entry, and what must be asked for so that
 * nothing that waits is forgotten. Pure. Decided once per entry, with interrupts off from here to
 * the entry.
 *
 * Order: the queued event (interrupted in delivery, or raised by emulation), then an NMI, then
 * external interrupts, the 8259's (ExtINT) before the local APIC's. One event per entry; what must
 * wait gets a window, the TPR threshold, or a new decision at the next entry.
 */
#ifndef VMX_INJECT_H
#define VMX_INJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "virt/vcpu.h"
#include "virt/vm_exit.h"
#include "vmx/definitions.h"

/* What to do about the local APIC's highest request. */
enum apic_decision {
    APIC_NOTHING,
    APIC_AWAIT_TPR, /* only the TPR is in its way */
    APIC_DELIVER,   /* as soon as the guest takes interrupts */
};

struct injection_input {
    struct virt_event queued; /* at most one event; VIRT_EVENT_NONE for none */
    uint8_t nmi_pending;      /* NMIs that wait, 0-2 */
    struct virt_pending_interrupts pending;

    enum virt_activity activity;
    uint32_t interruptibility; /* VMCS field (SDM vol. 3, table 25-3) */
    bool interrupts_enabled;   /* RFLAGS.IF */
    bool protected_mode;       /* CR0.PE: without it exceptions have no error code */

    bool virtual_nmis;
    bool tpr_shadow;
    bool virtual_interrupt_delivery;
};

enum injection_source {
    INJECT_NOTHING,
    INJECT_QUEUED, /* the queue is empty then */
    INJECT_NMI,    /* one less is pending then */
    INJECT_APIC,   /* accept_apic(event.vector) */
    INJECT_PIC,    /* the vector is what accept_pic returns; the caller writes it into the event */
};

struct injection {
    enum injection_source source;
    struct virt_event event; /* for encode_event; type VIRT_EVENT_NONE with INJECT_NOTHING */
    bool interrupt_window;   /* interrupt-window exiting on, else off */
    bool nmi_window;         /* NMI-window exiting on, else off; never without virtual NMIs */
    bool clear_nmi_blocking; /* "blocking by NMI" must be cleared before the entry */
    bool wake;               /* the activity state must become active before the entry */
    bool decide_again;       /* the next entry must decide again, whatever happens till then */
    uint8_t tpr_threshold;   /* priority class 1-15 for the TPR threshold, 0 for none */
    uint8_t rvi;             /* virtual-interrupt delivery: requesting vector for the guest
                                interrupt status; 0 for none. SVI is not touched. */
};

#define LAST_OF_CLASS 15

/* Priority class of a vector, 0-15; -1 for no vector (SDM vol. 3, 11.8.3). */
static inline int priority_class(int vector)
{
    return vector >> 4;
}

/** An active guest would take an external interrupt at its next instruction. */
static inline bool takes_interrupts(bool interrupts_enabled, uint32_t interruptibility)
{
    return interrupts_enabled &&
           !(interruptibility & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
}

/** The local APIC's part of the decision: its request against the processor priority. */
static inline enum apic_decision decide_apic(const struct virt_pending_interrupts *pending)
{
    /* Of a higher class than another is what is more than the last vector of that class; of no
     * vector, -1, that is -1 as well. */
    if (pending->apic_irr <= (pending->apic_isr | LAST_OF_CLASS)) {
        return APIC_NOTHING;
    }
    return pending->apic_irr > (pending->tpr | LAST_OF_CLASS) ? APIC_DELIVER : APIC_AWAIT_TPR;
}

/** Decides. Sources: SDM vol. 3, 11.8.3 (priorities), 27.6 (injection), 27.7 (windows). */
void decide_injection(const struct injection_input *input, struct injection *injection);

/** True if something that waits can be delivered now, and so would end a HLT. With
 * virtual-interrupt delivery, interrupts which the CPU itself would deliver count too. */
bool injection_has_deliverable(const struct injection_input *input);

/**
 * An exception `second` was raised while `first` waited or was being delivered (SDM vol. 3, tables
 * 6-4 and 6-5). True: `result` (which may be one of them) is what to deliver: `second`, or a double
 * fault. False: triple fault, the guest shuts down. With no first event the second is the result.
 */
bool merge_events(const struct virt_event *first, const struct virt_event *second,
                  struct virt_event *result);

#endif
