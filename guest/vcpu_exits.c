#include <stdio.h>

#include "guest/emulate/task_switch.h"
#include "guest/layout.h"
#include "guest/vcpu.h"
#include "guest/vm.h"
#include "kernel/cpu/x86_defs.h"
#include "kernel/likely.h"

#define LOW_HALF UINT64_C(0xffffffff)

/* Kept out of line, so that the handlers save and restore no registers for their sake. */
#define COLD __attribute__((noinline, cold))

static void raise_fault(struct vcpu *vcpu, uint8_t vector)
{
    virt->inject_exception(vcpu->cpu, vector, vector == EXCEPTION_GP, 0);
}

static void set_cpuid_answer(struct vcpu *vcpu, const struct cpuid_registers *answer)
{
    uint64_t *gpr = vcpu->cpu->gpr;

    gpr[GPR_RAX] = answer->eax;
    gpr[GPR_RBX] = answer->ebx;
    gpr[GPR_RCX] = answer->ecx;
    gpr[GPR_RDX] = answer->edx;
}

static bool runs_64bit_code(const struct vcpu *vcpu)
{
    struct virt_mode mode;

    virt->get_mode(vcpu->cpu, &mode);
    return (mode.efer & EFER_LMA) && (mode.cs_attributes & SEGMENT_L);
}

COLD static void answer_varying_cpuid(struct vcpu *vcpu, enum cpuid_leaf_kind kind)
{
    const uint64_t *gpr = vcpu->cpu->gpr;
    struct cpuid_vcpu state = {.apic_id = vcpu->index};
    struct cpuid_registers answer;

    /* Only what is asked for: each takes its time. */
    switch (kind) {
    case CPUID_PER_VCPU:
        state.apic_enabled = lapic_mode(&vcpu->lapic) != APIC_MODE_DISABLED;
        state.cr4 = virt->get_register(vcpu->cpu, REGISTER_CR4);
        break;
    case CPUID_STRUCTURED:
        state.cr4 = virt->get_register(vcpu->cpu, REGISTER_CR4);
        break;
    case CPUID_XSAVE:
        state.xcr0 = virt->get_register(vcpu->cpu, REGISTER_XCR0);
        break;
    case CPUID_EXTENDED_VCPU:
        state.long_mode = runs_64bit_code(vcpu);
        break;
    default:
        break;
    }
    guest_cpuid(&vcpu->vm->cpuid, (uint32_t)gpr[GPR_RAX], (uint32_t)gpr[GPR_RCX], &state, &answer);
    set_cpuid_answer(vcpu, &answer);
}

static __attribute__((noinline)) void answer_by_subleaf(struct vcpu *vcpu,
                                                        const struct cpuid_leaf *leaf)
{
    if (leaf->kind == CPUID_CACHE) { /* programs read it over and over as they start */
        uint32_t subleaf = (uint32_t)vcpu->cpu->gpr[GPR_RCX];

        set_cpuid_answer(vcpu, cpuid_cache(&vcpu->vm->cpuid, subleaf));
    } else {
        answer_varying_cpuid(vcpu, (enum cpuid_leaf_kind)leaf->kind);
    }
}

static enum virt_next handle_cpuid(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    const struct cpuid_leaf *leaf = cpuid_find(&vcpu->vm->cpuid, (uint32_t)vcpu->cpu->gpr[GPR_RAX]);

    (void)exit;
    if (LIKELY(leaf->kind == CPUID_STATIC)) {
        set_cpuid_answer(vcpu, &leaf->answer);
    } else {
        answer_by_subleaf(vcpu, leaf);
    }
    return VIRT_ADVANCE;
}

COLD static enum virt_next refuse_msr(struct vcpu *vcpu)
{
    raise_fault(vcpu, EXCEPTION_GP);
    return VIRT_ENTER;
}

static bool read_msr(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
    return lapic_has_msr(index) ? lapic_msr_read(&vcpu->lapic, index, value) == 0
                                : guest_msr_read(&vcpu->msrs, index, value) == MSR_OK;
}

static bool write_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    return lapic_has_msr(index) ? lapic_msr_write(&vcpu->lapic, index, value) == 0
                                : guest_msr_write(&vcpu->msrs, index, value) == MSR_OK;
}

static enum virt_next handle_msr_read(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    uint64_t value;

    (void)exit;
    if (!read_msr(vcpu, (uint32_t)vcpu->cpu->gpr[GPR_RCX], &value)) {
        return refuse_msr(vcpu);
    }
    vcpu->cpu->gpr[GPR_RAX] = value & LOW_HALF;
    vcpu->cpu->gpr[GPR_RDX] = value >> 32;
    return VIRT_ADVANCE;
}

static enum virt_next handle_msr_write(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    const uint64_t *gpr = vcpu->cpu->gpr;
    uint64_t value = gpr[GPR_RDX] << 32 | (gpr[GPR_RAX] & LOW_HALF);

    (void)exit;
    if (!write_msr(vcpu, (uint32_t)gpr[GPR_RCX], value)) {
        return refuse_msr(vcpu);
    }
    return VIRT_ADVANCE;
}

/* The instruction at RIP stopped the VM: say which. */
COLD static void stop_undecodable(struct vcpu *vcpu)
{
    const struct emulate_context *emulate = &vcpu->emulate;
    char bytes[3 * (INSTRUCTION_MAX + 1) + 1] = "";

    for (size_t i = 0; i < emulate->byte_count; i++) {
        snprintf(bytes + 3 * i, sizeof(bytes) - 3 * i, " %02x", emulate->bytes[i]);
    }
    vm_stop(vcpu->vm, "cannot emulate the instruction at rip 0x%lx (cs base 0x%lx):%s",
            emulate->mode.rip, emulate->mode.cs_base, bytes);
    virt->dump(vcpu->cpu);
}

static void finish_emulation(struct vcpu *vcpu, enum emulate_result result)
{
    if (result == EMULATE_FAULT) {
        emulate_deliver_fault(&vcpu->emulate);
    } else if (result == EMULATE_UNDECODABLE) {
        stop_undecodable(vcpu);
    }
}

static void set_rax(struct vcpu *vcpu, unsigned size, uint32_t value)
{
    uint64_t *rax = &vcpu->cpu->gpr[GPR_RAX];

    if (size == 1) {
        *rax = (*rax & ~UINT64_C(0xff)) | (value & 0xff);
    } else if (size == 2) {
        *rax = (*rax & ~UINT64_C(0xffff)) | (value & 0xffff);
    } else {
        *rax = value; /* a 32-bit result clears the upper half */
    }
}

static enum virt_next handle_string_io(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    vcpu->emulate.guest_phys_valid = false;
    vcpu->emulate.guest_linear_valid = false;
    vm_lock_devices(vcpu->vm, vcpu);
    finish_emulation(vcpu, emulate_string_io(&vcpu->emulate, &vcpu->vm->ports, exit));
    vm_unlock_devices(vcpu->vm);
    return VIRT_ENTER;
}

static enum virt_next handle_io(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    struct port_bus *ports = &vcpu->vm->ports;

    vm_lock_devices(vcpu->vm, vcpu);
    if (exit->io.in) {
        set_rax(vcpu, exit->io.size, port_bus_read(ports, exit->io.port, exit->io.size));
    } else {
        port_bus_write(ports, exit->io.port, exit->io.size, (uint32_t)vcpu->cpu->gpr[GPR_RAX]);
    }
    vm_unlock_devices(vcpu->vm);
    return __atomic_load_n(&vcpu->signals, __ATOMIC_RELAXED) & VCPU_RETRY ? VIRT_LEAVE
                                                                          : VIRT_ADVANCE;
}

COLD static void map_block(struct vm *vm, uint64_t start, const struct guest_block *block)
{
    int error = virt->space.map(vm->space, start, block->host_phys, GUEST_BLOCK_SIZE, VIRT_PROT_ALL,
                                VIRT_MEMORY_WRITE_BACK);

    if (error) {
        vm_stop(vm, "no memory for its page tables (error %d)", error);
    }
}

/* Access to memory that is not mapped: RAM at its first touch, else a device. */
static enum virt_next handle_memory(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    struct vm *vm = vcpu->vm;
    uint64_t start;
    struct guest_block *block;

    if (exit->memory.misconfigured) {
        vm_stop(vm, "internal error: misconfigured nested page tables at 0x%lx",
                exit->memory.guest_phys);
        return VIRT_LEAVE;
    }
    block = guest_memory_block(&vm->memory, exit->memory.guest_phys, &start);
    if (block) {
        map_block(vm, start, block);
        return VIRT_ENTER;
    }
    vcpu->emulate.guest_phys = exit->memory.guest_phys;
    vcpu->emulate.guest_phys_valid = !exit->memory.page_walk;
    vcpu->emulate.guest_linear = exit->memory.guest_linear;
    vcpu->emulate.guest_linear_valid = exit->memory.linear_valid && !exit->memory.page_walk;
    finish_emulation(vcpu, emulate_instruction(&vcpu->emulate));
    return VIRT_ENTER;
}

static enum virt_next handle_apic_access(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    enum apic_access_type access = exit->apic_access.access;

    vcpu->emulate.guest_phys = LAYOUT_LOCAL_APIC + exit->apic_access.offset;
    vcpu->emulate.guest_phys_valid =
        access == APIC_ACCESS_LINEAR_READ || access == APIC_ACCESS_LINEAR_WRITE;
    vcpu->emulate.guest_linear_valid = false;
    finish_emulation(vcpu, emulate_instruction(&vcpu->emulate));
    return VIRT_ENTER;
}

static enum virt_next handle_apic_write(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    lapic_after_hardware_write(&vcpu->lapic, exit->apic_write.offset);
    return VIRT_ENTER;
}

static enum virt_next handle_apic_eoi(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    lapic_after_hardware_eoi(&vcpu->lapic, exit->apic_eoi.vector);
    return VIRT_ENTER;
}

static enum virt_next handle_halt(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    virt->complete_instruction(vcpu->cpu, exit->instruction_length);
    vcpu->halted = !virt->has_deliverable_event(vcpu->cpu);
    return vcpu->halted ? VIRT_LEAVE : VIRT_ENTER;
}

/* The host took its CPU back. */
static enum virt_next handle_interrupted(void *context, const struct vm_exit *exit)
{
    (void)context;
    (void)exit;
    return VIRT_LEAVE;
}

/* The guest can take what waits for it: the back end decides again. */
static enum virt_next handle_window(void *context, const struct vm_exit *exit)
{
    (void)context;
    (void)exit;
    return VIRT_ENTER;
}

/* It waits for another vCPU, probably one that is not running: its turn is over. */
static enum virt_next handle_spinning(void *context, const struct vm_exit *exit)
{
    (void)exit;
    vcpu_signal(context, VCPU_YIELD);
    return VIRT_ADVANCE_AND_LEAVE;
}

/* INVD and WBINVD: guest memory is write-back and coherent, and a guest may not drop
 * anyone's cache. */
static enum virt_next handle_no_operation(void *context, const struct vm_exit *exit)
{
    (void)context;
    (void)exit;
    return VIRT_ADVANCE;
}

/* There are no performance counters. */
static enum virt_next handle_rdpmc(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    (void)exit;
    raise_fault(vcpu, EXCEPTION_GP);
    return VIRT_ENTER;
}

static enum virt_next handle_undefined(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    (void)exit;
    raise_fault(vcpu, EXCEPTION_UD);
    return VIRT_ENTER;
}

/* Someone asked to see this exception; the guest gets it all the same. */
static enum virt_next handle_exception(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    const struct virt_event *event = &exit->exception.event;

    vcpu->vm->intercepted_exceptions[event->vector & 31]++;
    if (event->type == VIRT_EVENT_HARDWARE_EXCEPTION) {
        if (event->vector == EXCEPTION_PF) {
            virt->set_register(vcpu->cpu, REGISTER_CR2, exit->exception.qualification);
        } else if (event->vector == EXCEPTION_DB) {
            uint64_t dr6 = virt->get_register(vcpu->cpu, REGISTER_DR6) & ~UINT64_C(0xf);

            virt->set_register(vcpu->cpu, REGISTER_DR6, dr6 | exit->exception.qualification);
        }
        virt->inject_exception(vcpu->cpu, event->vector, event->has_error_code, event->error_code);
    } else {
        virt->inject_event(vcpu->cpu, event);
    }
    return VIRT_ENTER;
}

static enum virt_next handle_shutdown(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    (void)exit;
    vm_stop(vcpu->vm, "triple fault at rip 0x%lx", virt->get_register(vcpu->cpu, REGISTER_RIP));
    return VIRT_LEAVE;
}

static enum virt_next handle_entry_failure(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    vm_stop(vcpu->vm, "VM entry failed: %s", exit->entry_failure.rule);
    virt->dump(vcpu->cpu);
    return VIRT_LEAVE;
}

/* INIT is for the physical CPU, which does not react while it is in a guest. */
static enum virt_next handle_init(void *context, const struct vm_exit *exit)
{
    (void)context;
    (void)exit;
    return VIRT_ENTER;
}

static enum virt_next handle_startup(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    (void)exit;
    virt->set_activity(vcpu->cpu, ACTIVITY_ACTIVE);
    return VIRT_ENTER;
}

static enum virt_next handle_task_switch(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    finish_emulation(vcpu, emulate_task_switch(&vcpu->emulate, exit));
    return VIRT_ENTER;
}

static enum virt_next handle_unexpected(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;

    vm_stop(vcpu->vm, "internal error: unexpected exit %s", vm_exit_kind_name(exit->kind));
    virt->dump(vcpu->cpu);
    return VIRT_LEAVE;
}

const virt_exit_handler vcpu_exit_handlers[VM_EXIT_KINDS] = {
    [VM_EXIT_INTERRUPTED] = handle_interrupted,
    [VM_EXIT_IO] = handle_io,
    [VM_EXIT_STRING_IO] = handle_string_io,
    [VM_EXIT_MEMORY] = handle_memory,
    [VM_EXIT_CPUID] = handle_cpuid,
    [VM_EXIT_MSR_READ] = handle_msr_read,
    [VM_EXIT_MSR_WRITE] = handle_msr_write,
    [VM_EXIT_CR_ACCESS] = vcpu_handle_cr,
    [VM_EXIT_DR_ACCESS] = vcpu_handle_dr,
    [VM_EXIT_HLT] = handle_halt,
    [VM_EXIT_MWAIT] = handle_undefined,
    [VM_EXIT_MONITOR] = handle_undefined,
    [VM_EXIT_PAUSE] = handle_spinning,
    [VM_EXIT_HYPERCALL] = vcpu_handle_hypercall,
    [VM_EXIT_XSETBV] = vcpu_handle_xsetbv,
    [VM_EXIT_INVLPG] = handle_unexpected,
    [VM_EXIT_INVD] = handle_no_operation,
    [VM_EXIT_WBINVD] = handle_no_operation,
    [VM_EXIT_RDPMC] = handle_rdpmc,
    [VM_EXIT_RDTSC] = handle_unexpected,
    [VM_EXIT_RDTSCP] = handle_unexpected,
    [VM_EXIT_RDRAND] = handle_unexpected,
    [VM_EXIT_RDSEED] = handle_unexpected,
    [VM_EXIT_INVPCID] = handle_unexpected,
    [VM_EXIT_XSAVES] = handle_undefined,
    [VM_EXIT_XRSTORS] = handle_undefined,
    [VM_EXIT_DESCRIPTOR_TABLE] = handle_unexpected,
    [VM_EXIT_UNDEFINED] = handle_undefined,
    [VM_EXIT_TASK_SWITCH] = handle_task_switch,
    [VM_EXIT_EXCEPTION] = handle_exception,
    [VM_EXIT_NMI] = handle_interrupted,
    [VM_EXIT_SHUTDOWN] = handle_shutdown,
    [VM_EXIT_INIT] = handle_init,
    [VM_EXIT_SIPI] = handle_startup,
    [VM_EXIT_INTERRUPT_WINDOW] = handle_window,
    [VM_EXIT_NMI_WINDOW] = handle_window,
    [VM_EXIT_TPR_BELOW_THRESHOLD] = handle_window,
    [VM_EXIT_APIC_ACCESS] = handle_apic_access,
    [VM_EXIT_APIC_WRITE] = handle_apic_write,
    [VM_EXIT_APIC_EOI] = handle_apic_eoi,
    [VM_EXIT_ENTRY_FAILURE] = handle_entry_failure,
    [VM_EXIT_INTERNAL_ERROR] = handle_unexpected,
};
