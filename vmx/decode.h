/*
 * From raw VMCS values to a decoded exit: pure functions, no VMREAD. The hardware side asks which
 * fields an exit reason needs, reads those and nothing more, and has them taken apart here.
 *
 *     raw.reason = VMREAD;
 *     unsigned needs = exit_needs(raw.reason);
 *     ... read the fields of `needs` ...
 *     if (needs & NEEDS_MORE) { needs = exit_needs_more(&raw); ... read these too ... }
 *     decode_exit(&raw, &exit);
 */
#ifndef VMX_DECODE_H
#define VMX_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "virt/vm_exit.h"
#include "vmx/exit_reasons.h"
#include "vmx/qualification.h"

/* Exit information fields (SDM vol. 3, 25.9). Only those that the reason needs are looked at. */
struct vmx_raw_exit {
    uint32_t reason; /* all 32 bits, the entry-failure bit too */
    uint32_t instruction_length;
    uint32_t instruction_info;
    uint32_t interruption_info;
    uint32_t interruption_error;
    uint32_t idt_vectoring_info;
    uint32_t idt_vectoring_error;
    uint64_t qualification;
    uint64_t guest_linear;
    uint64_t guest_physical;
};

/* Which fields to read. */
#define NEEDS_QUALIFICATION       (1u << 0)
#define NEEDS_LENGTH              (1u << 1)
#define NEEDS_INSTRUCTION_INFO    (1u << 2)
#define NEEDS_INTERRUPTION        (1u << 3) /* information, not its error code */
#define NEEDS_INTERRUPTION_ERROR  (1u << 4)
#define NEEDS_IDT_VECTORING       (1u << 5) /* information, not its error code */
#define NEEDS_IDT_VECTORING_ERROR (1u << 6)
#define NEEDS_LINEAR              (1u << 7)
#define NEEDS_PHYSICAL            (1u << 8)
#define NEEDS_MORE                (1u << 9) /* ask exit_needs_more once the others are read */

/* What is known of a basic exit reason before any other field is read. */
struct exit_traits {
    uint16_t needs; /* NEEDS_* */
    uint8_t kind;   /* enum vm_exit_kind, unless the other fields say otherwise */
};

/* Indexed by basic exit reason; use exit_needs. */
extern const struct exit_traits exit_traits[EXIT_REASON_COUNT];

/**
 * Which fields (NEEDS_*) this exit needs. `reason` is the whole 32-bit exit reason. Unknown reasons
 * and failed VM entries need the qualification, for the report.
 */
static inline unsigned exit_needs(uint32_t reason)
{
    uint32_t index = reason & (EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_BASIC_MASK);

    return index < EXIT_REASON_COUNT ? exit_traits[index].needs : NEEDS_QUALIFICATION;
}

/** True if the reason and the instruction's length tell all: decode_plain_exit can do it. */
static inline bool exit_is_plain(uint64_t reason)
{
    return __builtin_expect(reason < EXIT_REASON_COUNT, 1) &&
           __builtin_expect(exit_traits[reason].needs == NEEDS_LENGTH, 1);
}

/** Takes a plain exit apart: what decode_exit would do, for the exits that must be fast. */
static inline void decode_plain_exit(uint64_t reason, uint32_t instruction_length,
                                     struct vm_exit *exit)
{
    exit->kind = (enum vm_exit_kind)exit_traits[reason].kind;
    exit->instruction_length = (uint8_t)instruction_length;
}

static inline void decode_port(uint64_t qualification, struct vm_exit *exit)
{
    exit->io.port = (uint16_t)(qualification >> IO_PORT_SHIFT);
    exit->io.size = (uint8_t)((qualification & IO_SIZE_MASK) + 1);
    exit->io.in = qualification & IO_IN;
}

/**
 * The other exits that must be fast, taken apart as decode_exit would; none of the last two may
 * have interrupted an event's delivery. False, and nothing is done, where there is more to look at:
 * at EXIT_REASON_IO of a string instruction, at EXIT_REASON_EPT_VIOLATION of an IRET that unblocked
 * NMIs, at EXIT_REASON_APIC_ACCESS other than linear reads and writes.
 */
static inline bool decode_port_exit(uint64_t qualification, uint32_t instruction_length,
                                    struct vm_exit *exit)
{
    if (qualification & IO_STRING) {
        return false;
    }
    exit->kind = VM_EXIT_IO;
    exit->instruction_length = (uint8_t)instruction_length;
    decode_port(qualification, exit);
    return true;
}

static inline void decode_violation(uint64_t qualification, uint64_t guest_physical,
                                    uint64_t guest_linear, struct vm_exit *exit)
{
    uint64_t linear_valid = qualification / EPT_LINEAR_VALID & 1;
    uint64_t in_tables = linear_valid & ~(qualification / EPT_FINAL_TRANSLATION);

    exit->memory.guest_phys = guest_physical;
    exit->memory.guest_linear = guest_linear & (0 - linear_valid);
    exit->memory.linear_valid = linear_valid;
    exit->memory.page_walk = in_tables;
    exit->memory.access = qualification & EPT_ACCESS;
    exit->memory.misconfigured = false;
}

static inline bool decode_memory_exit(uint64_t qualification, uint64_t guest_physical,
                                      uint64_t guest_linear, struct vm_exit *exit)
{
    if (qualification & EPT_NMI_UNBLOCKING) {
        return false;
    }
    exit->kind = VM_EXIT_MEMORY;
    exit->instruction_length = 0;
    decode_violation(qualification, guest_physical, guest_linear, exit);
    return true;
}

_Static_assert(APIC_ACCESS_LINEAR_READ == 0 && APIC_ACCESS_LINEAR_WRITE == 1,
               "numbered as in the qualification");

static inline bool decode_apic_access_exit(uint64_t qualification, struct vm_exit *exit)
{
    uint64_t type = qualification >> APIC_ACCESS_SHIFT & APIC_ACCESS_MASK;

    if (type > APIC_ACCESS_LINEAR_WRITE) {
        return false;
    }
    exit->kind = VM_EXIT_APIC_ACCESS;
    exit->instruction_length = 0;
    exit->apic_access.offset = (uint16_t)(qualification & APIC_OFFSET_MASK);
    exit->apic_access.access = (enum apic_access_type)type;
    return true;
}

/**
 * Which further fields are needed, now that those of exit_needs are in `raw`: the linear address
 * and instruction information of string I/O, error codes that are valid, the length of an
 * instruction that was interrupted in raising its event.
 */
unsigned exit_needs_more(const struct vmx_raw_exit *raw);

/**
 * Takes the exit apart. Only fields that exit_needs and exit_needs_more name are looked at; of
 * `exit`, the kind, the instruction length and the kind's own member are written. A
 * failed VM entry gets a general rule; the caller may put the one that entry_check finds.
 */
void decode_exit(const struct vmx_raw_exit *raw, struct vm_exit *exit);

/**
 * True if the exit hit an IRET that had already ended blocking by NMI: as IRET will run again,
 * "blocking by NMI" must be set before the guest goes on (SDM vol. 3, 28.2.3). With virtual NMIs.
 */
bool exit_unblocked_nmi(const struct vmx_raw_exit *raw);

/**
 * The event whose delivery the exit interrupted, from the IDT-vectoring information (SDM vol. 3,
 * 25.9.3) and its error code; `length` is the VM-exit instruction length, used for events that an
 * instruction raised. False, and an event of type VIRT_EVENT_NONE, when there was none. Only exits
 * with NEEDS_IDT_VECTORING can have one.
 */
bool decode_idt_vectoring(uint32_t info, uint32_t error, uint32_t length, struct virt_event *event);

/**
 * VM-entry interruption information (SDM vol. 3, 25.8.3), error code and instruction length that
 * deliver `event`. No event gives information 0 (nothing is injected); the error code and length
 * are 0 where the event has none.
 */
void encode_event(const struct virt_event *event, uint32_t *info, uint32_t *error,
                  uint32_t *length);

#endif
