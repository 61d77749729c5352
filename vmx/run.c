/* Into the guest and back: the path that every exit takes. */
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/x86.h"
#include "vmx/decode.h"
#include "vmx/definitions.h"
#include "vmx/entry.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

#define LIKELY(condition)   __builtin_expect((condition) != 0, 1)
#define UNLIKELY(condition) __builtin_expect((condition) != 0, 0)

/* Kept out of line, so that the way of frequent exits saves and restores no more than its own few
 * registers. */
#define COLD __attribute__((noinline))

#define TICKS_BUCKETS 24u

static void count_exit(struct vmx_vcpu *vcpu, enum vm_exit_kind kind)
{
    vcpu->virt.exit_count[kind]++;
    vcpu->last_kind = kind;
}

/* The time since the last exit, into that exit's histogram. */
static void count_ticks(struct vmx_vcpu *vcpu)
{
    uint64_t ticks = rdtsc() - vcpu->exit_tsc;
    unsigned log2 = TICKS_BUCKETS - 1;

    if (LIKELY(ticks < UINT64_C(1) << TICKS_BUCKETS)) {
        log2 = 63 - (unsigned)__builtin_clzll(ticks | 1);
    }
    vcpu->virt.exit_ticks_log2[vcpu->last_kind][log2]++;
}

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
        vcpu->virt.events_changed = true;
    }
}

/* The IRET that ended blocking by NMI has faulted and will run again (SDM vol. 3, 28.2.3). */
static void block_nmi_again(void)
{
    vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY,
                 vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY) | INTERRUPTIBILITY_NMI);
}

static void settle_exception(struct vm_exit *exit)
{
    if (exit->kind == VM_EXIT_NMI) {
        call_nmi_handler();
    } else if (exit->kind == VM_EXIT_EXCEPTION && exit->exception.event.vector == EXCEPTION_MC) {
        call_machine_check_handler();
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
        settle_exception(exit);
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

static void no_entry(struct vmx_vcpu *vcpu, enum vm_exit_kind kind, uint32_t reason,
                     struct vm_exit *exit)
{
    exit->kind = kind;
    exit->reason = reason;
    exit->instruction_length = 0;
    count_exit(vcpu, kind);
}

/* The instruction itself failed: bad controls or host state (SDM vol. 3, 27.2). */
COLD static void refused_entry(struct vm_exit *exit)
{
    struct vmx_vcpu *vcpu = vmx_this_cpu()->current;
    uint32_t error = vmcs_read32(VMCS_INSTRUCTION_ERROR);

    no_entry(vcpu, VM_EXIT_ENTRY_FAILURE, error, exit);
    exit->entry_failure.rule = vmx_instruction_error(error);
    vmx_explain_failure(vcpu, &exit->entry_failure.rule);
}

/* Before an entry when something may have to be injected. NULL: there is nothing to enter, `exit`
 * says why. */
COLD static struct virt_vcpu *prepare_entry(struct virt_vcpu *virt_vcpu, struct vm_exit *exit)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);

    if (vcpu->shut_down) {
        vcpu->shut_down = false;
        no_entry(vcpu, VM_EXIT_SHUTDOWN, EXIT_REASON_TRIPLE_FAULT, exit);
        return NULL;
    }
    /* A CPU that waits for a start-up IPI hears nothing else: neither interrupts nor the preemption
     * timer bring it back (SDM vol. 3, 26.2 and 26.5.1). Start-up IPIs come from emulation. */
    if (vmx_get_activity(virt_vcpu) == ACTIVITY_WAIT_FOR_SIPI) {
        no_entry(vcpu, VM_EXIT_INTERRUPTED, EXIT_REASON_PREEMPTION_TIMER, exit);
        return NULL;
    }
    vmx_prepare_events(vcpu);
    return virt_vcpu;
}

/* An exit that takes more than its reason and its instruction's length to tell. */
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
    count_exit(vcpu, exit->kind);
}

/* A port access: next to the plain ones, the exit that guests have most. */
COLD static void take_port_access(struct vmx_vcpu *vcpu, struct vm_exit *exit)
{
    uint64_t qualification = vmcs_read_natural(VMCS_EXIT_QUALIFICATION);
    uint32_t length = vmcs_read32(VMCS_EXIT_INSTRUCTION_LENGTH);

    if (decode_port_exit(qualification, length, exit)) {
        count_exit(vcpu, VM_EXIT_IO);
    } else {
        take_apart(vcpu, EXIT_REASON_IO, exit);
    }
}

void vmx_enter(struct virt_vcpu *virt_vcpu, struct vm_exit *exit)
{
    struct vmx_vcpu *vcpu;
    uint32_t reason;

    if (UNLIKELY(virt_vcpu->events_changed)) {
        virt_vcpu = prepare_entry(virt_vcpu, exit);
        if (!virt_vcpu) {
            return;
        }
    }
    vcpu = vmx_vcpu(virt_vcpu);
    count_ticks(vcpu);
    vcpu = vmx_vcpu(vmx_enter_guest(virt_vcpu, &vcpu->host_rsp));
    if (UNLIKELY(!vcpu)) {
        refused_entry(exit);
        return;
    }
    vcpu->exit_tsc = rdtsc();
    reason = vmcs_read32(VMCS_EXIT_REASON);
    if (LIKELY(exit_is_plain(reason))) {
        decode_plain_exit(reason, vmcs_read32(VMCS_EXIT_INSTRUCTION_LENGTH), exit);
        count_exit(vcpu, exit->kind);
    } else if (reason == EXIT_REASON_IO) {
        take_port_access(vcpu, exit);
    } else {
        take_apart(vcpu, reason, exit);
    }
}
