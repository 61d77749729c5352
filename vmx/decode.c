#include "vmx/decode.h"

#include "kernel/cpu/x86_defs.h"
#include "virt/vcpu.h"

/* Kept out of line, so that decode_exit saves and restores no registers for their sake. */
#define COLD __attribute__((noinline))

bool exit_unblocked_nmi(const struct vmx_raw_exit *raw)
{
    if (!(exit_needs(raw->reason) & NEEDS_IDT_VECTORING) ||
        (raw->idt_vectoring_info & INTERRUPTION_VALID)) {
        return false;
    }
    switch (raw->reason & EXIT_REASON_BASIC_MASK) {
    case EXIT_REASON_EXCEPTION_OR_NMI:
        return (raw->interruption_info & INTERRUPTION_NMI_UNBLOCKING) &&
               (raw->interruption_info & INTERRUPTION_VECTOR_MASK) != EXCEPTION_DF;
    case EXIT_REASON_EPT_VIOLATION:
    case EXIT_REASON_PML_FULL:
    case EXIT_REASON_SPP:
        return raw->qualification & EPT_NMI_UNBLOCKING;
    default:
        return false;
    }
}

static void decode_io(const struct vmx_raw_exit *raw, struct vm_exit *exit)
{
    static const uint8_t address_sizes[] = {2, 4, 8, 0, 0, 0, 0, 0};
    static const int8_t segments[] = {SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS,
                                      SEGMENT_FS, SEGMENT_GS, -1,         -1};
    uint32_t info = raw->instruction_info;

    decode_port(raw->qualification, exit);
    if (!(raw->qualification & IO_STRING)) {
        return;
    }
    exit->kind = VM_EXIT_STRING_IO;
    exit->io.rep = raw->qualification & IO_REP;
    exit->io.address_size = address_sizes[info >> INFO_ADDRESS_SIZE_SHIFT & INFO_ADDRESS_SIZE_MASK];
    /* INS always stores through ES and leaves the field undefined. */
    exit->io.segment =
        segments[exit->io.in ? SEGMENT_ES : info >> INFO_SEGMENT_SHIFT & INFO_SEGMENT_MASK];
    exit->io.linear = raw->guest_linear;
}

static void decode_cr_access(const struct vmx_raw_exit *raw, struct vm_exit *exit)
{
    static const uint8_t operations[] = {CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW};
    uint64_t qualification = raw->qualification;
    enum cr_operation operation = (enum cr_operation)operations[CR_ACCESS_TYPE(qualification)];
    bool mov = operation == CR_MOV_TO || operation == CR_MOV_FROM;
    bool memory = operation == CR_LMSW && (qualification & CR_LMSW_MEMORY);

    exit->cr.number = mov ? (uint8_t)(qualification & CR_NUMBER_MASK) : 0;
    exit->cr.operation = operation;
    exit->cr.gpr = mov ? (uint8_t)(qualification >> CR_GPR_SHIFT & CR_GPR_MASK) : 0;
    exit->cr.memory_operand = memory;
    exit->cr.lmsw_source =
        operation == CR_LMSW ? (uint16_t)(qualification >> CR_LMSW_SOURCE_SHIFT) : 0;
    exit->cr.linear = memory ? raw->guest_linear : 0;
}

COLD static void decode_memory(const struct vmx_raw_exit *raw, struct vm_exit *exit)
{
    if ((raw->reason & EXIT_REASON_BASIC_MASK) == EXIT_REASON_EPT_MISCONFIGURATION) {
        /* Says nothing of the access. */
        decode_violation(0, raw->guest_physical, 0, exit);
        exit->memory.misconfigured = true;
    } else {
        decode_violation(raw->qualification, raw->guest_physical, raw->guest_linear, exit);
    }
}

COLD static void decode_apic_access(const struct vmx_raw_exit *raw, struct vm_exit *exit)
{
    uint64_t qualification = raw->qualification;
    uint64_t type = qualification >> APIC_ACCESS_SHIFT & APIC_ACCESS_MASK;

    exit->apic_access.offset = (uint16_t)(qualification & APIC_OFFSET_MASK);
    switch (type) {
    case 0:
        exit->apic_access.access = APIC_ACCESS_LINEAR_READ;
        break;
    case 1:
        exit->apic_access.access = APIC_ACCESS_LINEAR_WRITE;
        break;
    case 2:
        exit->apic_access.access = APIC_ACCESS_LINEAR_FETCH;
        break;
    case 3:
        exit->apic_access.access = APIC_ACCESS_LINEAR_EVENT;
        break;
    case 10: /* guest-physical accesses have no offset */
        exit->apic_access.access = APIC_ACCESS_PHYSICAL_EVENT;
        exit->apic_access.offset = 0;
        break;
    case 15:
        exit->apic_access.access = APIC_ACCESS_PHYSICAL_INSTRUCTION;
        exit->apic_access.offset = 0;
        break;
    default:
        exit->kind = VM_EXIT_INTERNAL_ERROR;
        exit->internal_error.qualification = qualification;
        break;
    }
}

COLD static void decode_task_switch(const struct vmx_raw_exit *raw, struct vm_exit *exit)
{
    static const uint8_t sources[] = {TASK_SWITCH_CALL, TASK_SWITCH_IRET, TASK_SWITCH_JMP,
                                      TASK_SWITCH_TASK_GATE};
    enum task_switch_source source = (enum task_switch_source)
        sources[raw->qualification >> TASK_SOURCE_SHIFT & TASK_SOURCE_MASK];
    struct virt_event during = {.type = VIRT_EVENT_NONE};

    if (source == TASK_SWITCH_TASK_GATE) {
        decode_idt_vectoring(raw->idt_vectoring_info, raw->idt_vectoring_error,
                             raw->instruction_length, &during);
        /* No instruction switched tasks, unless it raised the event. */
        exit->instruction_length = during.instruction_length;
    }
    exit->task_switch.selector = (uint16_t)raw->qualification;
    exit->task_switch.source = source;
    exit->task_switch.during = during;
}

COLD static void decode_exception(const struct vmx_raw_exit *raw, struct vm_exit *exit)
{
    struct virt_event event;

    /* VM-exit interruption information is laid out as IDT-vectoring information is. */
    if (!decode_idt_vectoring(raw->interruption_info, raw->interruption_error,
                              raw->instruction_length, &event) ||
        event.type == VIRT_EVENT_EXTERNAL_INTERRUPT ||
        event.type == VIRT_EVENT_SOFTWARE_INTERRUPT) {
        exit->kind = VM_EXIT_INTERNAL_ERROR;
        exit->internal_error.qualification = raw->qualification;
        return;
    }
    if (event.type == VIRT_EVENT_NMI) {
        exit->kind = VM_EXIT_NMI;
        return;
    }
    exit->instruction_length = event.instruction_length;
    exit->exception.event = event;
    exit->exception.qualification = raw->qualification;
    exit->exception.nmi_unblocking = exit_unblocked_nmi(raw);
}

/* Exits that are no exits: entry failures, and reasons past the table. */
COLD static void decode_unlisted(const struct vmx_raw_exit *raw, struct vm_exit *exit)
{
    const char *rule;

    if (!(raw->reason & EXIT_REASON_ENTRY_FAILURE)) {
        exit->kind = VM_EXIT_INTERNAL_ERROR;
        exit->internal_error.qualification = raw->qualification;
        return;
    }
    switch (raw->reason & EXIT_REASON_BASIC_MASK) {
    case EXIT_REASON_ENTRY_GUEST_STATE:
        /* 28.2.1: the qualification is 0 but for these causes. */
        switch (raw->qualification) {
        case 2:
            rule = "guest PDPTEs: one that is present has reserved bits set";
            break;
        case 3:
            rule = "event injection: an NMI while blocking by STI is set";
            break;
        case 4:
            rule = "guest VMCS link pointer: not a VMCS that may be linked";
            break;
        default:
            rule = "guest state: the CPU does not say which rule";
            break;
        }
        break;
    case EXIT_REASON_ENTRY_MSR_LOADING:
        rule = "VM-entry MSR-load area: an entry cannot be loaded";
        break;
    case EXIT_REASON_ENTRY_MACHINE_CHECK:
        rule = "a machine check struck during VM entry";
        break;
    default:
        rule = "VM entry failed for a reason that is not known here";
        break;
    }
    exit->kind = VM_EXIT_ENTRY_FAILURE;
    exit->entry_failure.rule = rule;
}

void decode_exit(const struct vmx_raw_exit *raw, struct vm_exit *exit)
{
    uint32_t index = raw->reason & (EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_BASIC_MASK);
    struct exit_traits traits;

    exit->instruction_length = 0;
    if (__builtin_expect(index >= EXIT_REASON_COUNT, 0)) {
        decode_unlisted(raw, exit);
        return;
    }
    traits = exit_traits[index];
    exit->kind = (enum vm_exit_kind)traits.kind;
    if (traits.needs & NEEDS_LENGTH) {
        exit->instruction_length = (uint8_t)raw->instruction_length;
    }

    switch (exit->kind) {
    case VM_EXIT_IO:
        decode_io(raw, exit);
        break;
    case VM_EXIT_MEMORY:
        decode_memory(raw, exit);
        break;
    case VM_EXIT_CR_ACCESS:
        decode_cr_access(raw, exit);
        break;
    case VM_EXIT_DR_ACCESS:
        exit->dr.number = (uint8_t)(raw->qualification & DR_NUMBER_MASK);
        exit->dr.from_dr = raw->qualification & DR_FROM;
        exit->dr.gpr = (uint8_t)(raw->qualification >> DR_GPR_SHIFT & DR_GPR_MASK);
        break;
    case VM_EXIT_INVLPG:
        exit->invlpg.linear = raw->qualification;
        break;
    case VM_EXIT_TASK_SWITCH:
        decode_task_switch(raw, exit);
        break;
    case VM_EXIT_EXCEPTION:
        decode_exception(raw, exit);
        break;
    case VM_EXIT_SIPI:
        exit->sipi.vector = (uint8_t)raw->qualification;
        break;
    case VM_EXIT_APIC_ACCESS:
        decode_apic_access(raw, exit);
        break;
    case VM_EXIT_APIC_WRITE:
        exit->apic_write.offset = (uint16_t)(raw->qualification & APIC_OFFSET_MASK);
        break;
    case VM_EXIT_APIC_EOI:
        exit->apic_eoi.vector = (uint8_t)raw->qualification;
        break;
    case VM_EXIT_INTERNAL_ERROR:
        exit->internal_error.qualification = raw->qualification;
        break;
    default: /* the kind says it all */
        break;
    }
}
