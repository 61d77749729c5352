/*
 * Why a virtual CPU stopped running guest code, taken apart, in no vendor's terms.
 *
 * A CPU back end (vmx/) fills one of these; guest/ acts on it. Everything a device model or an
 * emulator needs to know about the exit is in here, except register values, which are read
 * through virt/vcpu.h.
 */
#ifndef VIRT_VM_EXIT_H
#define VIRT_VM_EXIT_H

#include <stdbool.h>
#include <stdint.h>

enum vm_exit_kind {
    VM_EXIT_INTERRUPTED, /* the host took its CPU back: interrupt or time bound; nothing to emulate
                          */
    VM_EXIT_IO,          /* IN, OUT */
    VM_EXIT_STRING_IO,   /* INS, OUTS */
    VM_EXIT_MEMORY,      /* access to guest-physical memory that is not mapped that way */
    VM_EXIT_CPUID,       /* leaf in EAX, subleaf in ECX */
    VM_EXIT_MSR_READ,    /* index in ECX */
    VM_EXIT_MSR_WRITE,   /* index in ECX, value in EDX:EAX */
    VM_EXIT_CR_ACCESS,   /* MOV to/from CR, CLTS, LMSW on an intercepted bit or register */
    VM_EXIT_DR_ACCESS,   /* MOV to/from DR */
    VM_EXIT_HLT,
    VM_EXIT_MWAIT,
    VM_EXIT_MONITOR,
    VM_EXIT_PAUSE,
    VM_EXIT_HYPERCALL, /* VMCALL */
    VM_EXIT_XSETBV,    /* index in ECX, value in EDX:EAX */
    VM_EXIT_INVLPG,
    VM_EXIT_INVD,
    VM_EXIT_WBINVD,
    VM_EXIT_RDPMC,
    VM_EXIT_RDTSC,
    VM_EXIT_RDTSCP,
    VM_EXIT_RDRAND,
    VM_EXIT_RDSEED,
    VM_EXIT_INVPCID,
    VM_EXIT_XSAVES,
    VM_EXIT_XRSTORS,
    VM_EXIT_DESCRIPTOR_TABLE, /* LGDT, SIDT, LLDT, STR, ... */
    VM_EXIT_UNDEFINED,        /* an instruction that is withheld from guests: deliver #UD */
    VM_EXIT_TASK_SWITCH,
    VM_EXIT_EXCEPTION,        /* an exception the host asked to see */
    VM_EXIT_NMI,              /* a host NMI arrived while the guest ran */
    VM_EXIT_SHUTDOWN,         /* triple fault */
    VM_EXIT_INIT,             /* INIT signal to the physical CPU */
    VM_EXIT_SIPI,             /* start-up IPI while waiting for one; vector given */
    VM_EXIT_INTERRUPT_WINDOW, /* the guest can take an interrupt now */
    VM_EXIT_NMI_WINDOW,
    VM_EXIT_TPR_BELOW_THRESHOLD,
    VM_EXIT_APIC_ACCESS,    /* access to the APIC page which the CPU does not virtualise */
    VM_EXIT_APIC_WRITE,     /* the CPU wrote the APIC page; the write's effect is asked for */
    VM_EXIT_APIC_EOI,       /* virtualised EOI of a vector someone wants to hear of */
    VM_EXIT_ENTRY_FAILURE,  /* the state or the controls broke a rule of VM entry */
    VM_EXIT_INTERNAL_ERROR, /* an exit reason that this back end never asked for */
    VM_EXIT_KINDS
};

/* How an event reaches the guest (SDM vol. 3, 25.8.3; numbers are ours). */
enum virt_event_type {
    VIRT_EVENT_NONE,
    VIRT_EVENT_EXTERNAL_INTERRUPT,
    VIRT_EVENT_NMI,
    VIRT_EVENT_HARDWARE_EXCEPTION,
    VIRT_EVENT_SOFTWARE_INTERRUPT,            /* INT n */
    VIRT_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, /* INT1 */
    VIRT_EVENT_SOFTWARE_EXCEPTION,            /* INT3, INTO */
};

struct virt_event {
    enum virt_event_type type;
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
    uint8_t instruction_length; /* of INT n, INT1, INT3, INTO; else 0 */
};

enum cr_operation { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

enum task_switch_source {
    TASK_SWITCH_CALL,
    TASK_SWITCH_IRET,
    TASK_SWITCH_JMP,
    TASK_SWITCH_TASK_GATE,
};

enum apic_access_type {
    APIC_ACCESS_LINEAR_READ,
    APIC_ACCESS_LINEAR_WRITE,
    APIC_ACCESS_LINEAR_FETCH,
    APIC_ACCESS_LINEAR_EVENT,   /* during event delivery */
    APIC_ACCESS_PHYSICAL_EVENT, /* guest-physical access during event delivery */
    APIC_ACCESS_PHYSICAL_INSTRUCTION,
};

struct vm_exit {
    enum vm_exit_kind kind;
    uint8_t instruction_length; /* bytes, of the instruction that exited; 0 when not known */
    union {
        struct {
            uint16_t port;
            uint8_t size; /* 1, 2 or 4 */
            bool in;
            /* The rest for string forms only. */
            bool rep;
            uint8_t address_size; /* bytes: 2, 4 or 8; 0 when not known */
            int8_t segment;       /* enum virt_segment of OUTS's source; -1 when not known */
            uint64_t linear;      /* linear address of the first element */
        } io;
        struct {
            uint64_t guest_phys;
            uint64_t guest_linear; /* valid if linear_valid */
            bool linear_valid;
            bool page_walk;     /* the access was to a guest paging structure */
            uint8_t access;     /* VIRT_PROT_* bits of what was tried; 0 when not known */
            bool misconfigured; /* the nested page tables themselves are wrong: host bug */
        } memory;
        struct {
            uint8_t number; /* 0, 3, 4 or 8 */
            enum cr_operation operation;
            uint8_t gpr;          /* MOV: enum gpr */
            bool memory_operand;  /* LMSW from memory: guest linear address in `linear` */
            uint16_t lmsw_source; /* LMSW */
            uint64_t linear;
        } cr;
        struct {
            uint8_t number; /* 0-7 */
            bool from_dr;   /* MOV r, DRn */
            uint8_t gpr;
        } dr;
        struct {
            uint64_t linear;
        } invlpg;
        struct {
            uint16_t selector;
            enum task_switch_source source;
            struct virt_event during; /* the event that met the task gate, if any */
        } task_switch;
        struct {
            struct virt_event event;
            uint64_t qualification; /* #PF: linear address; #DB: DR6-style bits */
            bool nmi_unblocking;    /* the fault hit an IRET that had unblocked NMIs */
        } exception;
        struct {
            uint8_t vector;
        } sipi;
        struct {
            uint16_t offset; /* into the APIC page */
            enum apic_access_type access;
        } apic_access;
        struct {
            uint16_t offset;
        } apic_write;
        struct {
            uint8_t vector;
        } apic_eoi;
        struct {
            const char *rule; /* the broken rule in words, never NULL */
        } entry_failure;
        struct {
            uint64_t qualification;
        } internal_error;
    };
};

/** Short lower-case name of an exit kind for logs and metrics ("io", "cpuid"); never NULL. */
const char *vm_exit_kind_name(enum vm_exit_kind kind);

#endif
