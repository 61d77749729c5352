/* What an exit says, and what it asks of this back end. */
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/x86_defs.h"
#include "vmx/decode.h"
#include "vmx/definitions.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

/* Kept out of line, so that port accesses save and restore no registers for their sake. */
#define COLD __attribute__((noinline))

static void read_rare_fields(struct vmx_raw_exit *raw, unsigned needs)
{
    if (needs & NEEDS_INSTRUCTION_INFO) {
        raw->instruction_info = vmcs_read32(VMCS_EXIT_INSTRUCTION_INFO);
    }
    if (needs & NEEDS_INTERRUPTION) {
        raw->interruption_info = vmcs_read32(VMCS_EXIT_INTERRUPTION_INFO);
    }
    if (needs & NEEDS_INTERRUPTION_ERROR) {
        raw->interruption_error = vmcs_read32(VMCS_EXIT_INTERRUPTION_ERROR);
    }
    if (needs & NEEDS_IDT_VECTORING) {
        raw->idt_vectoring_info = vmcs_read32(VMCS_IDT_VECTORING_INFO);
    }
    if (needs & NEEDS_IDT_VECTORING_ERROR) {
        raw->idt_vectoring_error = vmcs_read32(VMCS_IDT_VECTORING_ERROR);
    }
    if (needs & NEEDS_LINEAR) {
        raw->guest_linear = vmcs_read_natural(VMCS_GUEST_LINEAR_ADDRESS);
    }
    if (needs & NEEDS_PHYSICAL) {
        raw->guest_physical = vmcs_read64(VMCS_GUEST_PHYSICAL_ADDRESS);
    }
}

static void read_fields(struct vmx_raw_exit *raw, unsigned needs)
{
    if (needs & NEEDS_QUALIFICATION) {
        raw->qualification = vmcs_read_natural(VMCS_EXIT_QUALIFICATION);
    }
    if (needs & NEEDS_LENGTH) {
        raw->instruction_length = vmcs_read32(VMCS_EXIT_INSTRUCTION_LENGTH);
    }
    if (needs & ~(NEEDS_QUALIFICATION | NEEDS_LENGTH | NEEDS_MORE)) {
        read_rare_fields(raw, needs);
    }
}

/* An event was being delivered when the guest exited: it goes first at the next entry. Not so the
 * event that met a task gate: the task switch is its delivery. */
static void requeue_interrupted_event(struct vmx_vcpu *vcpu, const struct vmx_raw_exit *raw)
{
    if ((raw->reason & EXIT_REASON_BASIC_MASK) != EXIT_REASON_TASK_SWITCH) {
        decode_idt_vectoring(raw->idt_vectoring_info, raw->idt_vectoring_error,
                             raw->instruction_length, &vcpu->queued);
        vcpu->event_queued = true;
        vcpu->virt.events_changed = true;
    }
}

/* The IRET that ended blocking by NMI has faulted and will run again (SDM vol. 3, 28.2.3). */
static void block_nmi_again(void)
{
    vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY,
                 vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY) | INTERRUPTIBILITY_NMI);
}

static void settle_exception(struct vmx_vcpu *vcpu, struct vm_exit *exit)
{
    unsigned vector = exit->exception.event.vector;

    if (exit->kind == VM_EXIT_NMI) {
        call_nmi_handler();
    } else if (exit->kind == VM_EXIT_EXCEPTION && vector == EXCEPTION_MC) {
        call_machine_check_handler();
        exit->kind = VM_EXIT_INTERRUPTED;
    } else if (exit->kind == VM_EXIT_EXCEPTION && !(vcpu->exceptions & (1u << vector))) {
        vmx_reflect_exception(vcpu, &exit->exception.event, exit->exception.qualification);
        exit->kind = VM_EXIT_INTERRUPTED;
    }
}

static void settle_failure(struct vmx_vcpu *vcpu, uint32_t reason, struct vm_exit *exit)
{
    if ((reason & EXIT_REASON_BASIC_MASK) == EXIT_REASON_ENTRY_MACHINE_CHECK) {
        call_machine_check_handler();
    } else {
        vmx_explain_failure(vcpu, &exit->entry_failure.rule);
    }
}

/* What the exit asks of this back end. The kind becomes VM_EXIT_INTERRUPTED where that is all. */
static void settle_exit(struct vmx_vcpu *vcpu, const struct vmx_raw_exit *raw, struct vm_exit *exit)
{
    switch (raw->reason & EXIT_REASON_BASIC_MASK) {
    case EXIT_REASON_EXTERNAL_INTERRUPT:
        interrupt_dispatch((uint8_t)(raw->interruption_info & INTERRUPTION_VECTOR_MASK));
        break;
    case EXIT_REASON_EXCEPTION_OR_NMI:
        settle_exception(vcpu, exit);
        break;
    case EXIT_REASON_INTERRUPT_WINDOW:
    case EXIT_REASON_NMI_WINDOW:
    case EXIT_REASON_TPR_BELOW_THRESHOLD:
        vcpu->virt.events_changed = true;
        break;
    case EXIT_REASON_MOV_DR:
        vmx_give_debug_registers(vcpu);
        exit->kind = VM_EXIT_INTERRUPTED; /* and the instruction runs again */
        break;
    default:
        break;
    }
}

COLD static void take_apart(struct vmx_vcpu *vcpu, uint32_t reason, struct vm_exit *exit)
{
    struct vmx_raw_exit raw = {.reason = reason};
    unsigned needs = exit_needs(reason);

    read_fields(&raw, needs);
    if (needs & NEEDS_MORE) {
        unsigned more = exit_needs_more(&raw);

        if (more) {
            read_fields(&raw, more);
        }
    }
    decode_exit(&raw, exit);
    if (needs & NEEDS_IDT_VECTORING) {
        if (raw.idt_vectoring_info & INTERRUPTION_VALID) {
            requeue_interrupted_event(vcpu, &raw);
        } else if (exit_unblocked_nmi(&raw)) {
            block_nmi_again();
        }
    }
    if (reason & EXIT_REASON_ENTRY_FAILURE) {
        settle_failure(vcpu, reason, exit);
    } else {
        settle_exit(vcpu, &raw, exit);
    }
}

/* No event was being delivered when the guest exited. */
static inline bool no_delivery(void)
{
    return !(exit_read32(VMCS_IDT_VECTORING_INFO) & INTERRUPTION_VALID);
}

/* Out of line, so that the compiler asks for the reasons in the order in which they are frequent.
 */
COLD static void read_access_or_other(struct vmx_vcpu *vcpu, uint32_t reason)
{
    /* As a rule, a few fields tell all. */
    if (reason == EXIT_REASON_EPT_VIOLATION) {
        if (no_delivery() &&
            decode_memory_exit(exit_read_natural(VMCS_EXIT_QUALIFICATION),
                               exit_read64(VMCS_GUEST_PHYSICAL_ADDRESS),
                               exit_read_natural(VMCS_GUEST_LINEAR_ADDRESS), &vcpu->exit)) {
            return;
        }
    } else if (reason == EXIT_REASON_APIC_ACCESS) {
        if (no_delivery() &&
            decode_apic_access_exit(exit_read_natural(VMCS_EXIT_QUALIFICATION), &vcpu->exit)) {
            return;
        }
    }
    take_apart(vcpu, reason, &vcpu->exit);
}

void vmx_read_exit(struct vmx_vcpu *vcpu, uint32_t reason)
{
    /* Next to the plain exits, which do not come here, these are what guests do most. */
    if (reason == EXIT_REASON_IO) {
        if (decode_port_exit(exit_read_natural(VMCS_EXIT_QUALIFICATION),
                             (uint32_t)exit_read32(VMCS_EXIT_INSTRUCTION_LENGTH), &vcpu->exit)) {
            return;
        }
    } else if (reason == EXIT_REASON_EXTERNAL_INTERRUPT) {
        vcpu->exit.kind = VM_EXIT_INTERRUPTED;
        vcpu->exit.instruction_length = 0;
        interrupt_dispatch((uint8_t)exit_read32(VMCS_EXIT_INTERRUPTION_INFO));
        return;
    } else if (reason == EXIT_REASON_INTERRUPT_WINDOW) {
        vcpu->exit.kind = VM_EXIT_INTERRUPT_WINDOW;
        vcpu->exit.instruction_length = 0;
        vcpu->virt.events_changed = true;
        return;
    }
    read_access_or_other(vcpu, reason);
}
