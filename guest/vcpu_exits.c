#include <stdio.h>

#include "guest/layout.h"
#include "guest/vcpu.h"
#include "guest/vm.h"
#include "kernel/cpu/x86_defs.h"

#define LOW_HALF UINT64_C(0xffffffff)

/* Kept out of line, so that the handlers save and restore no registers for their sake. */
#define COLD __attribute__((noinline, cold))

static void raise_fault(struct vcpu *vcpu, uint8_t vector)
{
    virt->inject_exception(vcpu->cpu, vector, vector == EXCEPTION_GP, 0);
}

static void set_edx_eax(struct vcpu *vcpu, uint64_t value)
{
    vcpu->cpu->gpr[GPR_RAX] = value & LOW_HALF;
    vcpu->cpu->gpr[GPR_RDX] = value >> 32;
}

static void complete(struct vcpu *vcpu, const struct vm_exit *exit)
{
    virt->complete_instruction(vcpu->cpu, exit->instruction_length);
}

/* For exits that may touch devices: they may ask something of the VM or arm an earlier timer. */
static bool goes_on(const struct vm *vm)
{
    return !vm->requests && !vm->timers.new_first;
}

static void set_cpuid_answer(struct vcpu *vcpu, const struct cpuid_registers *answer)
{
    uint64_t *gpr = vcpu->cpu->gpr;

    gpr[GPR_RAX] = answer->eax;
    gpr[GPR_RBX] = answer->ebx;
    gpr[GPR_RCX] = answer->ecx;
    gpr[GPR_RDX] = answer->edx;
}

COLD static void answer_varying_cpuid(struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->cpu->gpr;
    struct cpuid_registers answer;
    struct virt_mode mode;

    virt->get_mode(vcpu->cpu, &mode);
    guest_cpuid(&vcpu->vm->cpuid, (uint32_t)gpr[GPR_RAX], (uint32_t)gpr[GPR_RCX],
                &(struct cpuid_vcpu){.apic_id = vcpu->index,
                                     .apic_enabled = lapic_mode(&vcpu->lapic) != APIC_MODE_DISABLED,
                                     .long_mode =
                                         (mode.efer & EFER_LMA) && (mode.cs_attributes & SEGMENT_L),
                                     .cr4 = mode.cr4,
                                     .xcr0 = virt->get_register(vcpu->cpu, REGISTER_XCR0)},
                &answer);
    set_cpuid_answer(vcpu, &answer);
}

static bool handle_cpuid(struct vcpu *vcpu, const struct vm_exit *exit)
{
    const struct cpuid_leaf *leaf = cpuid_find(&vcpu->vm->cpuid, (uint32_t)vcpu->cpu->gpr[GPR_RAX]);

    if (leaf->kind == CPUID_STATIC) {
        set_cpuid_answer(vcpu, &leaf->answer);
    } else {
        answer_varying_cpuid(vcpu);
    }
    complete(vcpu, exit);
    return true;
}

static bool handle_msr(struct vcpu *vcpu, const struct vm_exit *exit)
{
    uint64_t *gpr = vcpu->cpu->gpr;
    uint32_t index = (uint32_t)gpr[GPR_RCX];
    enum msr_result result;
    uint64_t value = 0;

    if (exit->kind == VM_EXIT_MSR_READ) {
        result = guest_msr_read(&vcpu->msrs, index, &value);
        if (result == MSR_OK) {
            set_edx_eax(vcpu, value);
        }
    } else {
        value = gpr[GPR_RDX] << 32 | (gpr[GPR_RAX] & LOW_HALF);
        result = guest_msr_write(&vcpu->msrs, index, value);
    }
    if (result == MSR_OK) {
        complete(vcpu, exit);
    } else {
        raise_fault(vcpu, EXCEPTION_GP);
    }
    return goes_on(vcpu->vm);
}

/* The instruction at RIP stopped the VM: say which. */
COLD static void stop_undecodable(struct vcpu *vcpu)
{
    const struct emulate_context *emulate = &vcpu->emulate;
    char bytes[3 * (INSTRUCTION_MAX + 1) + 1] = "";

    for (unsigned i = 0; i < emulate->byte_count; i++) {
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

COLD static bool handle_string_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
    vcpu->emulate.guest_phys_valid = false;
    vcpu->emulate.guest_linear_valid = false;
    finish_emulation(vcpu, emulate_string_io(&vcpu->emulate, &vcpu->vm->ports, exit));
    return goes_on(vcpu->vm);
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

static bool handle_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
    struct port_bus *ports = &vcpu->vm->ports;

    if (exit->io.string) {
        return handle_string_io(vcpu, exit);
    }
    if (exit->io.in) {
        set_rax(vcpu, exit->io.size, port_bus_read(ports, exit->io.port, exit->io.size));
    } else {
        port_bus_write(ports, exit->io.port, exit->io.size, (uint32_t)vcpu->cpu->gpr[GPR_RAX]);
    }
    if (vcpu->vm->requests & VM_REQUEST_RETRY) {
        return false;
    }
    complete(vcpu, exit);
    return goes_on(vcpu->vm);
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
static bool handle_memory(struct vcpu *vcpu, const struct vm_exit *exit)
{
    struct vm *vm = vcpu->vm;
    uint64_t start;
    struct guest_block *block;

    if (exit->memory.misconfigured) {
        vm_stop(vm, "internal error: misconfigured nested page tables at 0x%lx",
                exit->memory.guest_phys);
        return false;
    }
    block = guest_memory_block(&vm->memory, exit->memory.guest_phys, &start);
    if (block) {
        map_block(vm, start, block);
        return goes_on(vm);
    }
    vcpu->emulate.guest_phys = exit->memory.guest_phys;
    vcpu->emulate.guest_phys_valid = !exit->memory.page_walk;
    vcpu->emulate.guest_linear = exit->memory.guest_linear;
    vcpu->emulate.guest_linear_valid = exit->memory.linear_valid && !exit->memory.page_walk;
    finish_emulation(vcpu, emulate_instruction(&vcpu->emulate));
    return goes_on(vm);
}

static bool handle_apic_access(struct vcpu *vcpu, const struct vm_exit *exit)
{
    enum apic_access_type access = exit->apic_access.access;

    vcpu->emulate.guest_phys = LAYOUT_LOCAL_APIC + exit->apic_access.offset;
    vcpu->emulate.guest_phys_valid =
        access == APIC_ACCESS_LINEAR_READ || access == APIC_ACCESS_LINEAR_WRITE;
    vcpu->emulate.guest_linear_valid = false;
    finish_emulation(vcpu, emulate_instruction(&vcpu->emulate));
    return goes_on(vcpu->vm);
}

static bool handle_apic_write(struct vcpu *vcpu, const struct vm_exit *exit)
{
    lapic_after_hardware_write(&vcpu->lapic, exit->apic_write.offset);
    return goes_on(vcpu->vm);
}

static bool handle_apic_eoi(struct vcpu *vcpu, const struct vm_exit *exit)
{
    lapic_after_hardware_eoi(&vcpu->lapic, exit->apic_eoi.vector);
    return goes_on(vcpu->vm);
}

static bool handle_halt(struct vcpu *vcpu, const struct vm_exit *exit)
{
    complete(vcpu, exit);
    vcpu->halted = !virt->has_deliverable_event(vcpu->cpu);
    return !vcpu->halted;
}

/* The host took its CPU back. */
static bool handle_interrupted(struct vcpu *vcpu, const struct vm_exit *exit)
{
    (void)vcpu;
    (void)exit;
    return false;
}

/* The guest can take what waits for it. */
static bool handle_window(struct vcpu *vcpu, const struct vm_exit *exit)
{
    (void)exit;
    vcpu->cpu->events_changed = true;
    return true;
}

/* PAUSE, and INVD and WBINVD: guest memory is write-back and coherent, and a guest may not drop
 * anyone's cache. */
static bool handle_no_operation(struct vcpu *vcpu, const struct vm_exit *exit)
{
    complete(vcpu, exit);
    return true;
}

/* There are no performance counters. */
static bool handle_rdpmc(struct vcpu *vcpu, const struct vm_exit *exit)
{
    (void)exit;
    raise_fault(vcpu, EXCEPTION_GP);
    return true;
}

static bool handle_undefined(struct vcpu *vcpu, const struct vm_exit *exit)
{
    (void)exit;
    raise_fault(vcpu, EXCEPTION_UD);
    return true;
}

/* Someone asked to see this exception; the guest gets it all the same. */
static bool handle_exception(struct vcpu *vcpu, const struct vm_exit *exit)
{
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
    return true;
}

static bool handle_shutdown(struct vcpu *vcpu, const struct vm_exit *exit)
{
    (void)exit;
    vm_stop(vcpu->vm, "triple fault at rip 0x%lx", virt->get_register(vcpu->cpu, REGISTER_RIP));
    return false;
}

static bool handle_entry_failure(struct vcpu *vcpu, const struct vm_exit *exit)
{
    vm_stop(vcpu->vm, "VM entry failed: %s", exit->entry_failure.rule);
    virt->dump(vcpu->cpu);
    return false;
}

/* INIT is for the physical CPU, which does not react while it is in a guest. */
static bool handle_init(struct vcpu *vcpu, const struct vm_exit *exit)
{
    (void)vcpu;
    (void)exit;
    return true;
}

static bool handle_startup(struct vcpu *vcpu, const struct vm_exit *exit)
{
    (void)exit;
    virt->set_activity(vcpu->cpu, ACTIVITY_ACTIVE);
    return true;
}

static bool handle_unexpected(struct vcpu *vcpu, const struct vm_exit *exit)
{
    vm_stop(vcpu->vm, "internal error: unexpected exit %s (reason %u)",
            vm_exit_kind_name(exit->kind), exit->reason);
    virt->dump(vcpu->cpu);
    return false;
}

const vcpu_exit_handler vcpu_exit_handlers[VM_EXIT_KINDS] = {
    [VM_EXIT_INTERRUPTED] = handle_interrupted,
    [VM_EXIT_IO] = handle_io,
    [VM_EXIT_MEMORY] = handle_memory,
    [VM_EXIT_CPUID] = handle_cpuid,
    [VM_EXIT_MSR_READ] = handle_msr,
    [VM_EXIT_MSR_WRITE] = handle_msr,
    [VM_EXIT_CR_ACCESS] = vcpu_handle_cr,
    [VM_EXIT_DR_ACCESS] = vcpu_handle_dr,
    [VM_EXIT_HLT] = handle_halt,
    [VM_EXIT_MWAIT] = handle_undefined,
    [VM_EXIT_MONITOR] = handle_undefined,
    [VM_EXIT_PAUSE] = handle_no_operation,
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
    [VM_EXIT_TASK_SWITCH] = handle_unexpected,
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
