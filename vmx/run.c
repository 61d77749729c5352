/* Into the guest and back: the way of every exit. */
#include "kernel/cpu/x86.h"
#include "kernel/likely.h"
#include "vmx/decode.h"
#include "vmx/definitions.h"
#include "vmx/entry.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

/* Kept out of line, so that the way of frequent exits saves and restores no more than its own few
 * registers. */
#define COLD __attribute__((noinline))

/* A guest that does nothing but exit must not keep the caller from looking at the clock, even on a
 * CPU whose interrupts do not get through to it: this many exits at most between two looks. */
#define EXITS_PER_RUN 512

#define MAX_INSTRUCTION_LENGTH 15u

#define SHADOW (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)

/* The time since the last exit, into that exit's histogram. */
static void count_ticks(struct vmx_vcpu *vcpu, uint32_t ticks)
{
    unsigned log2 = 31 - (unsigned)__builtin_clz(ticks | 1);

    vcpu->virt.exit_ticks_log2[vcpu->exit.kind][log2]++;
}

static enum virt_next handle(struct vmx_vcpu *vcpu)
{
    vcpu->virt.exit_count[vcpu->exit.kind]++;
    return vcpu->exit_handlers[vcpu->exit.kind](vcpu->exit_context, &vcpu->exit);
}

/* Reports, in the place of an exit, why the guest was not entered. */
COLD static void handle_no_entry(struct vmx_vcpu *vcpu, enum vm_exit_kind kind)
{
    vcpu->exit.kind = kind;
    vcpu->exit.instruction_length = 0;
    (void)handle(vcpu);
}

/* The instruction itself failed: bad controls or host state (SDM vol. 3, 27.2). */
COLD static void refused_entry(struct vmx_vcpu *vcpu)
{
    const char *rule = vmx_instruction_error(vmcs_read32(VMCS_INSTRUCTION_ERROR));

    vmx_explain_failure(vcpu, &rule);
    vcpu->exit.entry_failure.rule = rule;
    handle_no_entry(vcpu, VM_EXIT_ENTRY_FAILURE);
}

/* There was nothing to enter: why. */
COLD static void report_no_entry(struct vmx_vcpu *vcpu)
{
    if (vcpu->shut_down) {
        vcpu->shut_down = false;
        handle_no_entry(vcpu, VM_EXIT_SHUTDOWN);
    } else {
        handle_no_entry(vcpu, VM_EXIT_INTERRUPTED);
    }
}

_Static_assert(RFLAGS_TF > 0xff, "no bit of the interruptibility (SDM vol. 3, table 25-3)");

/* What the end of an instruction brings beside the next one, if anything: `state` is the
 * interruptibility and RFLAGS.TF. */
COLD static void end_instruction(struct virt_vcpu *vcpu, uint64_t state)
{
    uint32_t interruptibility = (uint32_t)(state & ~RFLAGS_TF);

    /* Blocking by STI and MOV-SS is over with the instruction that follows them: what waited for
     * that comes before the next one. VM entry also checks a trap by single-stepping against the
     * two blockings (SDM vol. 3, 27.3.1.5). */
    if (interruptibility & SHADOW) {
        vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, interruptibility & ~SHADOW);
        vcpu->events_changed = true;
    }
    /* Single-stepping: the trap after the instruction. With BTF, only branches trap. */
    if ((state & RFLAGS_TF) && !(vmcs_read64(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF)) {
        vmcs_write_natural(VMCS_GUEST_PENDING_DEBUG,
                           vmcs_read_natural(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
    }
}

/* The lower half of RIP may have wrapped. Outside 64-bit mode that is all of it (SDM vol. 3,
 * 27.3.1.4). */
COLD static void wrap_rip(uint64_t rip)
{
    bool is_64bit = (vmcs_read32(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_GUEST) &&
                    (vmcs_read32(vmcs_guest_access_rights(SEGMENT_CS)) & SEGMENT_L);

    if (!is_64bit) {
        vmcs_write_natural(VMCS_GUEST_RIP, (uint32_t)rip);
    }
}

/* The compiler would rather call it than have it twice. */
static inline __attribute__((always_inline)) void complete(struct virt_vcpu *vcpu, uint8_t length)
{
    uint64_t rip = exit_read_natural(VMCS_GUEST_RIP) + length;
    uint64_t state;

    exit_write_natural(VMCS_GUEST_RIP, rip);
    if (UNLIKELY((uint32_t)rip < MAX_INSTRUCTION_LENGTH)) {
        wrap_rip(rip);
    }
    state = exit_read32(VMCS_GUEST_INTERRUPTIBILITY) |
            (exit_read_natural(VMCS_GUEST_RFLAGS) & RFLAGS_TF);
    if (UNLIKELY(state)) {
        end_instruction(vcpu, state);
    }
}

void vmx_complete_instruction(struct virt_vcpu *vcpu, uint8_t length)
{
    complete(vcpu, length);
}

COLD static void leave(struct vmx_vcpu *vcpu, enum virt_next next)
{
    if (next == VIRT_ADVANCE_AND_LEAVE) {
        vmx_complete_instruction(&vcpu->virt, vcpu->exit.instruction_length);
    }
}

void vmx_exited(struct virt_vcpu *virt_vcpu)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    enum virt_next next;
    uint64_t reason;

    vcpu->exit_tsc_low = (uint32_t)rdtsc();
    count_vmcs_exit(vcpu->exit.kind);
    reason = exit_read32(VMCS_EXIT_REASON);
    if (LIKELY(exit_is_plain(reason))) {
        decode_plain_exit(reason, (uint32_t)exit_read32(VMCS_EXIT_INSTRUCTION_LENGTH), &vcpu->exit);
    } else {
        vmx_read_exit(vcpu, (uint32_t)reason);
    }
    next = handle(vcpu);
    if (LIKELY(next == VIRT_ADVANCE)) {
        complete(virt_vcpu, vcpu->exit.instruction_length);
    } else if (next != VIRT_ENTER) {
        leave(vcpu, next);
        return;
    }
    if (--virt_vcpu->exits_left == 0) {
        return;
    }
    if (UNLIKELY(vcpu->virt.events_changed) && !vmx_prepare_events(vcpu)) {
        report_no_entry(vcpu);
        return;
    }
    /* Nothing that a handler does takes 2^32 ticks. */
    count_ticks(vcpu, (uint32_t)rdtsc() - vcpu->exit_tsc_low);
    vmx_enter_guest(virt_vcpu);
}

void vmx_run(struct virt_vcpu *virt_vcpu)
{
    struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    uint64_t ticks;
    uint64_t now;

    virt_vcpu->exits_left = EXITS_PER_RUN;
    if (virt_vcpu->events_changed && !vmx_prepare_events(vcpu)) {
        report_no_entry(vcpu);
        return;
    }
    ticks = rdtsc() - vcpu->exit_tsc;
    count_ticks(vcpu, ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX);
    if (!vmx_run_guest(virt_vcpu)) {
        refused_entry(vcpu);
    }
    now = rdtsc();
    vcpu->exit_tsc = now - ((uint32_t)now - vcpu->exit_tsc_low);
    /* Bochs 2.7 keeps the host's interrupts out of a guest that was entered with its own off: here
     * they come in, after at most EXITS_PER_RUN exits or what the preemption timer allows. On a CPU
     * as the SDM has it, none waits for long enough to be seen here. */
    sti_cli();
}
