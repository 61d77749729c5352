/*
 * The border between guest/ (a virtual machine as its guest sees it) and a CPU back end (the
 * machinery of one vendor's virtualisation extension). guest/ runs a vCPU and is handed decoded
 * exits; it sets and gets architectural state, and says what events wait. No vendor's term appears
 * here: another back end can stand beside vmx/ with no change in guest/.
 *
 * Unless said otherwise, functions are called by the CPU on which the vCPU is loaded, with
 * interrupts off.
 */
#ifndef VIRT_VCPU_H
#define VIRT_VCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virt/vm_exit.h"

/* General-purpose registers by their encoding in instructions. */
enum gpr {
    GPR_RAX,
    GPR_RCX,
    GPR_RDX,
    GPR_RBX,
    GPR_RSP,
    GPR_RBP,
    GPR_RSI,
    GPR_RDI,
    GPR_R8,
    GPR_R9,
    GPR_R10,
    GPR_R11,
    GPR_R12,
    GPR_R13,
    GPR_R14,
    GPR_R15,
    GPR_COUNT
};

/* Segment registers by their encoding in instructions; then the two system segments. */
enum virt_segment {
    SEGMENT_ES,
    SEGMENT_CS,
    SEGMENT_SS,
    SEGMENT_DS,
    SEGMENT_FS,
    SEGMENT_GS,
    SEGMENT_LDTR,
    SEGMENT_TR,
    SEGMENT_COUNT
};

/* Segment attribute bits, laid out as the second dword of a descriptor shifted right by 8
 * (SDM vol. 3, 25.4.1 "access rights"), plus the hidden "unusable" bit. */
#define SEGMENT_TYPE_MASK       0x000fu
#define SEGMENT_TYPE_CODE       0x0008u /* of code or data: it is code */
#define SEGMENT_TYPE_CONFORMING 0x0004u /* of code */
#define SEGMENT_S               0x0010u /* code or data */
#define SEGMENT_DPL_SHIFT       5
#define SEGMENT_DPL_MASK        0x0060u
#define SEGMENT_P               0x0080u
#define SEGMENT_AVL             0x1000u
#define SEGMENT_L               0x2000u
#define SEGMENT_DB              0x4000u
#define SEGMENT_G               0x8000u
#define SEGMENT_UNUSABLE        0x10000u

struct virt_segment_state {
    uint16_t selector;
    uint32_t attributes;
    uint32_t limit;
    uint64_t base;
};

struct virt_table_state {
    uint64_t base;
    uint16_t limit;
};

enum virt_register {
    REGISTER_RIP,
    REGISTER_RSP,
    REGISTER_RFLAGS,
    REGISTER_CR0, /* as the guest reads it: shadowed bits from the shadow */
    REGISTER_CR2,
    REGISTER_CR3,
    REGISTER_CR4, /* as the guest reads it */
    REGISTER_DR0,
    REGISTER_DR1,
    REGISTER_DR2,
    REGISTER_DR3,
    REGISTER_DR6,
    REGISTER_DR7,
    REGISTER_EFER,
    REGISTER_PAT,
    REGISTER_SYSENTER_CS,
    REGISTER_SYSENTER_ESP,
    REGISTER_SYSENTER_EIP,
    REGISTER_DEBUGCTL,
    REGISTER_STAR,
    REGISTER_LSTAR,
    REGISTER_CSTAR,
    REGISTER_SFMASK,
    REGISTER_KERNEL_GS_BASE,
    REGISTER_TSC_AUX,
    REGISTER_XCR0,
    REGISTER_TSC_OFFSET, /* guest TSC = host TSC + this */
    REGISTER_COUNT
};

enum virt_activity {
    ACTIVITY_ACTIVE,
    ACTIVITY_HLT,
    ACTIVITY_SHUTDOWN,
    ACTIVITY_WAIT_FOR_SIPI,
};

/* What an instruction emulator needs to know about the CPU's mode, in one go. */
struct virt_mode {
    uint64_t rip;
    uint64_t rflags;
    uint64_t cr0;
    uint64_t cr3;
    uint64_t cr4;
    uint64_t efer;
    uint64_t cs_base;
    uint32_t cs_attributes;
    uint8_t cpl;
};

/* Where 64-bit code is executed: the part of the mode by which such code is found and decoded, if
 * it is known that its privilege fits its page. */
struct virt_code_place {
    uint64_t rip;
    uint64_t cr3;
    uint64_t efer;
    uint32_t cs_attributes;
};

/* How the guest's local APIC is reached, so that the back end can let the CPU virtualise it. */
enum virt_apic_mode {
    APIC_MODE_DISABLED,
    APIC_MODE_XAPIC,  /* MMIO page at its default address */
    APIC_MODE_X2APIC, /* MSRs */
};

/* What waits to be delivered to a vCPU, asked for just before an entry. */
struct virt_pending_interrupts {
    bool pic;     /* the 8259 pair has its INTR line raised and LINT0/ExtINT passes it */
    int apic_irr; /* highest vector requested in the local APIC, -1 for none */
    int apic_isr; /* highest vector in service, -1 for none */
    uint8_t tpr;  /* task priority register */
};

struct virt_vcpu;

/* Where a vCPU's external interrupts come from; called by the back end right before an entry. */
struct virt_interrupt_source {
    /* What waits now. */
    void (*poll)(void *context, struct virt_pending_interrupts *pending);
    /* The local APIC's vector `vector` is being injected: move it from IRR to ISR. */
    void (*accept_apic)(void *context, uint8_t vector);
    /* Interrupt-acknowledge cycle to the 8259 pair: returns the vector. */
    uint8_t (*accept_pic)(void *context);
    void *context;
};

/* log2 of up to 2^32 - 1 ticks; what takes longer counts as that. */
#define VIRT_TICKS_BUCKETS 32

/*
 * The part of a vCPU that both sides see. The back end embeds it as the first member of its own
 * structure and allocates it.
 *
 * gpr[GPR_RSP] is not kept here: use REGISTER_RSP.
 */
struct virt_vcpu {
    uint64_t gpr[GPR_COUNT];
    /* Set (by guest/, from the vCPU's own CPU) whenever the outcome of the injection decision may
     * have changed: a request came or went, EOI, TPR written by emulation. While clear, entries
     * skip the decision. The back end clears it. */
    bool events_changed;
    /* Until virt_ops.run returns, which starts the count; from then on, guest/ sets it to 1 (from
     * the vCPU's own CPU) to have it return after the exit at hand. */
    unsigned exits_left;
    struct virt_interrupt_source interrupts;
    uint64_t exit_count[VM_EXIT_KINDS];
    /* How many of them took so long, from the exit to the next entry: VIRT_TICKS_BUCKETS counts by
     * log2 of host TSC ticks. virt_no_ticks for a kind that has not been met, or for which there
     * was no memory. Any CPU may read, atomically. */
    uint64_t *exit_ticks_log2[VM_EXIT_KINDS];
};

/* In the place of counts; what it holds means nothing. */
extern uint64_t virt_no_ticks[VIRT_TICKS_BUCKETS];

/* What comes after an exit. */
enum virt_next {
    VIRT_ENTER,   /* the guest goes on where it is */
    VIRT_ADVANCE, /* the exited instruction is done (see complete_instruction), the guest goes on */
    VIRT_LEAVE,   /* out of virt_ops.run */
    VIRT_ADVANCE_AND_LEAVE,
};

/* Acts on one exit. */
typedef enum virt_next (*virt_exit_handler)(void *context, const struct vm_exit *exit);

/* What the vCPUs of a VM share in the CPU's eyes: the guest's physical address space, which is
 * nested page tables, and which ports and MSRs they may touch. */
struct virt_space;

enum virt_memory_type { VIRT_MEMORY_UNCACHED, VIRT_MEMORY_WRITE_BACK };

#define VIRT_PROT_READ  1u
#define VIRT_PROT_WRITE 2u
#define VIRT_PROT_EXEC  4u
#define VIRT_PROT_ALL   (VIRT_PROT_READ | VIRT_PROT_WRITE | VIRT_PROT_EXEC)

/* What this machine's back end can do, for logs and for policy (CPUID) decisions. */
struct virt_features {
    bool tpr_shadow;
    bool apic_access_page;
    bool apic_register_virtualization;
    bool virtual_interrupt_delivery;
    bool virtual_x2apic;
    bool preemption_timer;
    bool virtual_nmis;
    bool vpid;
    bool nested_accessed_dirty;
    bool nested_2m;
    bool nested_1g;
    bool rdtscp;
    bool invpcid;
    bool pause_loop_exiting;
};

struct virt_space_ops {
    /** A new, empty space; NULL when memory is short. */
    struct virt_space *(*create)(void);
    /** Frees the page tables, not what they map. No vCPU of it may be loaded anywhere. */
    void (*destroy)(struct virt_space *space);
    /**
     * Maps [guest_phys, +size) to [host_phys, +size), all multiples of 4 KiB, with the largest
     * pages that alignment and the CPU allow; replaces what was mapped there.
     * Returns 0, -ENOMEM, or -EINVAL for misaligned or too large addresses.
     */
    int (*map)(struct virt_space *space, uint64_t guest_phys, uint64_t host_phys, uint64_t size,
               unsigned prot, enum virt_memory_type type);
    /** Unmaps [guest_phys, +size) and has every CPU forget it. 0 or -ENOMEM (a page was split). */
    int (*unmap)(struct virt_space *space, uint64_t guest_phys, uint64_t size);
    /** Size in bytes of the nested page that maps guest_phys, 0 if none does. */
    uint64_t (*page_size)(struct virt_space *space, uint64_t guest_phys);

    /*
     * What all vCPUs of the space may touch; changed only while none of them, but one that waits in
     * an exit for it, is in the guest.
     */
    /** Lets guests read and/or write an MSR without an exit. Only for MSRs whose host value the
     * back end switches or that are not shared; -EINVAL for others. */
    int (*allow_msr)(struct virt_space *space, uint32_t index, bool read, bool write);
    /** Makes [port, +count) not exit (allow) or exit (the default). */
    void (*allow_ports)(struct virt_space *space, uint16_t port, uint32_t count, bool allow);
};

struct virt_vcpu_config {
    struct virt_space *space;
    struct virt_interrupt_source interrupts;
    const virt_exit_handler *exit_handlers; /* by kind of exit, VM_EXIT_KINDS */
    void *exit_context;                     /* for them */
    void *apic_page; /* 4 KiB page, direct-mapped: the local APIC's registers as the SDM
                        lays them out (vol. 3, 11.4.1); shared with the CPU */
    uint64_t apic_page_phys;
    bool has_apic_access_page; /* guest-physical 0xfee00000 is to be the APIC-access page */
    bool reports_spinning; /* VM_EXIT_PAUSE when its kernel waits in a loop of PAUSEs, if the CPU
                              can tell (virt_features.pause_loop_exiting) */
};

struct virt_ops {
    const char *name; /* "vmx" */
    const struct virt_features *features;
    struct virt_space_ops space;

    /** A vCPU in the architectural RESET state, not loaded. 0, -ENOMEM or -ENODEV. */
    int (*vcpu_create)(struct virt_vcpu **vcpu, const struct virt_vcpu_config *config);
    /** Must not be loaded anywhere: vcpu_put comes first. */
    void (*vcpu_destroy)(struct virt_vcpu *vcpu);
    /** Back to the architectural RESET state (SDM vol. 3, table 10-1), any pending event dropped.
     */
    void (*vcpu_reset)(struct virt_vcpu *vcpu);
    /** Makes the vCPU this CPU's current one; whoever was loaded is put first. It may still be
     * loaded on another CPU, which is not running it. */
    void (*vcpu_load)(struct virt_vcpu *vcpu);
    /** Takes the vCPU off the CPU on which it is loaded, whichever that is; nothing if it is loaded
     * nowhere. Nobody may be running it. */
    void (*vcpu_put)(struct virt_vcpu *vcpu);

    /**
     * Runs the vCPU. Whenever something happens that the back end cannot settle alone, the handler
     * for it is called, and says whether the vCPU goes on. Before each entry the back end decides
     * on injection if `events_changed` is set. Returns when a handler or `exits_left` says
     * so, and now and then between two exits. A stay in the guest ends within a bounded time,
     * whatever the guest does (VM_EXIT_INTERRUPTED).
     */
    void (*run)(struct virt_vcpu *vcpu);

    uint64_t (*get_register)(struct virt_vcpu *vcpu, enum virt_register which);
    void (*set_register)(struct virt_vcpu *vcpu, enum virt_register which, uint64_t value);
    void (*get_segment)(struct virt_vcpu *vcpu, enum virt_segment which,
                        struct virt_segment_state *state);
    void (*set_segment)(struct virt_vcpu *vcpu, enum virt_segment which,
                        const struct virt_segment_state *state);
    void (*get_tables)(struct virt_vcpu *vcpu, struct virt_table_state *gdtr,
                       struct virt_table_state *idtr);
    void (*set_tables)(struct virt_vcpu *vcpu, const struct virt_table_state *gdtr,
                       const struct virt_table_state *idtr);
    void (*get_mode)(struct virt_vcpu *vcpu, struct virt_mode *mode);
    /** Right after an exit only, from its handler. */
    void (*get_code_place)(struct virt_vcpu *vcpu, struct virt_code_place *place);
    void (*set_activity)(struct virt_vcpu *vcpu, enum virt_activity activity);
    enum virt_activity (*get_activity)(struct virt_vcpu *vcpu);

    /** The exited instruction is done: RIP moves past it, STI and MOV-SS blocking end, and a
     *  single-step trap is made pending if RFLAGS.TF asks for one. `length` from the vm_exit. */
    void (*complete_instruction)(struct virt_vcpu *vcpu, uint8_t length);

    /** Queues a fault or trap for the next entry. Merges with one that is queued or was interrupted
     *  in delivery, by the rules for double faults (SDM vol. 3, table 6-5). A #PF's address goes
     *  to CR2 by set_register first. */
    void (*inject_exception)(struct virt_vcpu *vcpu, uint8_t vector, bool has_error_code,
                             uint32_t error_code);
    /** Queues any event (software interrupts and exceptions too) for the next entry, as it stands.
     */
    void (*inject_event)(struct virt_vcpu *vcpu, const struct virt_event *event);
    /** Makes an NMI pending: delivered as soon as NMIs are not blocked. At most two are kept: one
     * in service, one waiting, as on a real CPU. */
    void (*inject_nmi)(struct virt_vcpu *vcpu);
    /** True if an enabled event (queued event, NMI, or an interrupt with IF=1) would end a HLT now.
     */
    bool (*has_deliverable_event)(struct virt_vcpu *vcpu);

    void (*set_apic_mode)(struct virt_vcpu *vcpu, enum virt_apic_mode mode);
    /** Which vectors' EOI must be reported (VM_EXIT_APIC_EOI): 256 bits, level-triggered ones. */
    void (*set_eoi_exits)(struct virt_vcpu *vcpu, const uint64_t bitmap[4]);

    /** Exceptions to see as VM_EXIT_EXCEPTION: bit per vector. #PF only when
     *  (error_code & pf_mask) == pf_match, if its bit is set. */
    void (*intercept_exceptions)(struct virt_vcpu *vcpu, uint32_t vectors, uint32_t pf_mask,
                                 uint32_t pf_match);
    /** Intercepts writes to these bits of CR0 / CR4 beside those that the back end must own. */
    void (*intercept_cr_bits)(struct virt_vcpu *vcpu, uint64_t cr0_bits, uint64_t cr4_bits);
    /** Completes an intercepted write of CR0 or CR4: stores what the guest shall see and what
     * holds. The value must be legal already (guest/ has checked and raised #GP otherwise); does
     * what the CPU would do (LMA, PDPTEs, TLB). */
    void (*write_cr)(struct virt_vcpu *vcpu, unsigned number, uint64_t value);
    /** Logs the whole guest state, one register group per line, at level error. */
    void (*dump)(struct virt_vcpu *vcpu);
    /** Breaks one guest-state or control field on purpose, for the tests of VM-entry failure.
     *  `which` counts from 0; -ENOENT past the last. The next enter must fail and name the rule. */
    int (*break_state)(struct virt_vcpu *vcpu, unsigned which);
};

/** The back end of this machine; NULL while there is none (no VT-x). Set once at boot. */
extern const struct virt_ops *virt;
/** Why there is none, for people; NULL while there is one, or before it was looked for. */
extern const char *virt_refusal;

static inline uint64_t vcpu_read_gpr(struct virt_vcpu *vcpu, unsigned gpr)
{
    return gpr == GPR_RSP ? virt->get_register(vcpu, REGISTER_RSP) : vcpu->gpr[gpr];
}

static inline void vcpu_write_gpr(struct virt_vcpu *vcpu, unsigned gpr, uint64_t value)
{
    if (gpr == GPR_RSP) {
        virt->set_register(vcpu, REGISTER_RSP, value);
    } else {
        vcpu->gpr[gpr] = value;
    }
}

#endif
