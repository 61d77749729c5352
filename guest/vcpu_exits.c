#include <stdio.h>

#include "guest/layout.h"
#include "guest/vcpu.h"
#include "guest/vm.h"
#include "kernel/cpu/x86_defs.h"

#define LOW_HALF UINT64_C(0xffffffff)

static void raise_fault(struct vcpu *vcpu, uint8_t vector)
{
    virt->inject_exception(vcpu->cpu, vector, vector == EXCEPTION_GP, 0);
}

static void set_edx_eax(struct vcpu *vcpu, uint64_t value)
{
    vcpu->cpu->gpr[GPR_RAX] = value & LOW_HALF;
    vcpu->cpu->gpr[GPR_RDX] = value >> 32;
}

static void handle_cpuid(struct vcpu *vcpu)
{
    uint64_t *gpr = vcpu->cpu->gpr;
    uint32_t leaf = (uint32_t)gpr[GPR_RAX];
    const struct cpuid_leaf *found = cpuid_find(&vcpu->vm->cpuid, leaf);
    struct cpuid_registers answer;

    if (found->kind == CPUID_STATIC) {
        answer = found->answer;
    } else {
        struct virt_mode mode;

        virt->get_mode(vcpu->cpu, &mode);
        guest_cpuid(&vcpu->vm->cpuid, leaf, (uint32_t)gpr[GPR_RCX],
                    &(struct cpuid_vcpu){
                        .apic_id = vcpu->index,
                        .apic_enabled = lapic_mode(&vcpu->lapic) != APIC_MODE_DISABLED,
                        .long_mode = (mode.efer & EFER_LMA) && (mode.cs_attributes & SEGMENT_L),
                        .cr4 = mode.cr4,
                        .xcr0 = virt->get_register(vcpu->cpu, REGISTER_XCR0)},
                    &answer);
    }
    gpr[GPR_RAX] = answer.eax;
    gpr[GPR_RBX] = answer.ebx;
    gpr[GPR_RCX] = answer.ecx;
    gpr[GPR_RDX] = answer.edx;
}

static void handle_msr(struct vcpu *vcpu, const struct vm_exit *exit)
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
        virt->complete_instruction(vcpu->cpu, exit->instruction_length);
    } else {
        raise_fault(vcpu, EXCEPTION_GP);
    }
}

/* The instruction at RIP stopped the VM: say which. */
static void stop_undecodable(struct vcpu *vcpu)
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

static void handle_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
    uint64_t *rax = &vcpu->cpu->gpr[GPR_RAX];
    struct vm *vm = vcpu->vm;

    if (exit->io.string) {
        vcpu->emulate.guest_phys_valid = false;
        vcpu->emulate.guest_linear_valid = false;
        finish_emulation(vcpu, emulate_string_io(&vcpu->emulate, &vm->ports, exit));
        return;
    }
    if (exit->io.in) {
        uint64_t value = port_bus_read(&vm->ports, exit->io.port, exit->io.size);

        if (exit->io.size == 4) {
            *rax = value; /* a 32-bit result clears the upper half */
        } else {
            uint64_t mask = exit->io.size == 2 ? 0xffff : 0xff;

            *rax = (*rax & ~mask) | (value & mask);
        }
    } else {
        port_bus_write(&vm->ports, exit->io.port, exit->io.size, (uint32_t)*rax);
    }
    if (!(vm->requests & VM_REQUEST_RETRY)) {
        virt->complete_instruction(vcpu->cpu, exit->instruction_length);
    }
}

/* Access to memory that is not mapped: RAM at its first touch, else a device. */
static void handle_memory(struct vcpu *vcpu, const struct vm_exit *exit)
{
    struct vm *vm = vcpu->vm;
    uint64_t start;
    struct guest_block *block;

    if (exit->memory.misconfigured) {
        vm_stop(vm, "internal error: misconfigured nested page tables at 0x%lx",
                exit->memory.guest_phys);
        return;
    }
    block = guest_memory_block(&vm->memory, exit->memory.guest_phys, &start);
    if (block) {
        int error = virt->space.map(vm->space, start, block->host_phys, GUEST_BLOCK_SIZE,
                                    VIRT_PROT_ALL, VIRT_MEMORY_WRITE_BACK);

        if (error) {
            vm_stop(vm, "no memory for its page tables (error %d)", error);
        }
        return;
    }
    vcpu->emulate.guest_phys = exit->memory.guest_phys;
    vcpu->emulate.guest_phys_valid = !exit->memory.page_walk;
    vcpu->emulate.guest_linear = exit->memory.guest_linear;
    vcpu->emulate.guest_linear_valid = exit->memory.linear_valid && !exit->memory.page_walk;
    finish_emulation(vcpu, emulate_instruction(&vcpu->emulate));
}

static void handle_apic_access(struct vcpu *vcpu, const struct vm_exit *exit)
{
    enum apic_access_type access = exit->apic_access.access;

    vcpu->emulate.guest_phys = LAYOUT_LOCAL_APIC + exit->apic_access.offset;
    vcpu->emulate.guest_phys_valid =
        access == APIC_ACCESS_LINEAR_READ || access == APIC_ACCESS_LINEAR_WRITE;
    vcpu->emulate.guest_linear_valid = false;
    finish_emulation(vcpu, emulate_instruction(&vcpu->emulate));
}

/* Someone asked to see this exception; the guest gets it all the same. */
static void handle_exception(struct vcpu *vcpu, const struct vm_exit *exit)
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
}

static void stop_unexpected(struct vcpu *vcpu, const struct vm_exit *exit)
{
    vm_stop(vcpu->vm, "internal error: unexpected exit %s (reason %u)",
            vm_exit_kind_name(exit->kind), exit->reason);
    virt->dump(vcpu->cpu);
}

bool vcpu_handle_exit(struct vcpu *vcpu, const struct vm_exit *exit)
{
    struct vm *vm = vcpu->vm;
    uint64_t first_timer;

    switch (exit->kind) {
    case VM_EXIT_CPUID:
        handle_cpuid(vcpu);
        virt->complete_instruction(vcpu->cpu, exit->instruction_length);
        return true;
    case VM_EXIT_HYPERCALL:
        vcpu_handle_hypercall(vcpu, exit);
        return !vm->requests;
    case VM_EXIT_INTERRUPTED:
    case VM_EXIT_NMI:
        return false;
    case VM_EXIT_HLT:
        virt->complete_instruction(vcpu->cpu, exit->instruction_length);
        vcpu->halted = !virt->has_deliverable_event(vcpu->cpu);
        return !vcpu->halted;
    case VM_EXIT_INTERRUPT_WINDOW:
    case VM_EXIT_NMI_WINDOW:
    case VM_EXIT_TPR_BELOW_THRESHOLD:
        vcpu->cpu->events_changed = true;
        return true;
    case VM_EXIT_PAUSE:
    case VM_EXIT_INVD:
    case VM_EXIT_WBINVD:
        /* Guest memory is write-back and coherent, and a guest may not drop anyone's cache. */
        virt->complete_instruction(vcpu->cpu, exit->instruction_length);
        return true;
    case VM_EXIT_RDPMC:
        raise_fault(vcpu, EXCEPTION_GP); /* there are no counters */
        return true;
    case VM_EXIT_MONITOR:
    case VM_EXIT_MWAIT:
    case VM_EXIT_XSAVES:
    case VM_EXIT_XRSTORS:
    case VM_EXIT_UNDEFINED:
        raise_fault(vcpu, EXCEPTION_UD);
        return true;
    case VM_EXIT_SHUTDOWN:
        vm_stop(vm, "triple fault at rip 0x%lx", virt->get_register(vcpu->cpu, REGISTER_RIP));
        return false;
    case VM_EXIT_ENTRY_FAILURE:
        vm_stop(vm, "VM entry failed: %s", exit->entry_failure.rule);
        virt->dump(vcpu->cpu);
        return false;
    case VM_EXIT_CR_ACCESS:
        vcpu_handle_cr(vcpu, exit);
        return true;
    case VM_EXIT_DR_ACCESS:
        vcpu_handle_dr(vcpu, exit);
        return true;
    case VM_EXIT_XSETBV:
        vcpu_handle_xsetbv(vcpu, exit);
        return true;
    case VM_EXIT_EXCEPTION:
        handle_exception(vcpu, exit);
        return true;
    case VM_EXIT_SIPI:
        virt->set_activity(vcpu->cpu, ACTIVITY_ACTIVE);
        return true;
    case VM_EXIT_INIT:
        return true;
    default:
        break;
    }

    /* What follows may touch devices: they may arm an earlier timer or ask something of the VM. */
    first_timer = timer_next_deadline(&vm->timers);
    switch (exit->kind) {
    case VM_EXIT_IO:
        handle_io(vcpu, exit);
        break;
    case VM_EXIT_MEMORY:
        handle_memory(vcpu, exit);
        break;
    case VM_EXIT_MSR_READ:
    case VM_EXIT_MSR_WRITE:
        handle_msr(vcpu, exit);
        break;
    case VM_EXIT_APIC_ACCESS:
        handle_apic_access(vcpu, exit);
        break;
    case VM_EXIT_APIC_WRITE:
        lapic_after_hardware_write(&vcpu->lapic, exit->apic_write.offset);
        break;
    case VM_EXIT_APIC_EOI:
        lapic_after_hardware_eoi(&vcpu->lapic, exit->apic_eoi.vector);
        break;
    default:
        stop_unexpected(vcpu, exit);
        return false;
    }
    return !vm->requests && timer_next_deadline(&vm->timers) == first_timer;
}
