/*
 * VMCALL. There are no hypercalls for ordinary guests, as KVM's answer tells them; a VM described
 * with "test-device" gets those by which a bare-metal test drives the back end from inside. RAX
 * holds HYPERCALL_TEST + function, RBX, RCX and RDX its arguments; the result goes to RAX.
 */
#include "guest/hypercall.h"

#include <errno.h>
#include <stddef.h>

#include "guest/vcpu.h"
#include "guest/vm.h"
#include "kernel/thread.h"
#include "kernel/time.h"

/* What guests of KVM's interface take as "there is no such call". */
#define KVM_ENOSYS 1000

#define ERROR_CODE_PRESENT (UINT64_C(1) << 32)
#define PORT_COUNT         0x10000u

static uint64_t inject(struct vcpu *vcpu, uint64_t type, uint64_t vector, uint64_t details)
{
    struct virt_event event = {.type = (enum virt_event_type)type,
                               .vector = (uint8_t)vector,
                               .has_error_code = details & ERROR_CODE_PRESENT,
                               .error_code = (uint32_t)details,
                               .instruction_length = (uint8_t)(details >> 40)};

    if (type == VIRT_EVENT_NONE || type > VIRT_EVENT_SOFTWARE_EXCEPTION) {
        return (uint64_t)-EINVAL;
    }
    virt->inject_event(vcpu->cpu, &event);
    return 0;
}

static uint64_t features(void)
{
    const struct virt_features *f = virt->features;
    const bool bits[] = {f->tpr_shadow,
                         f->apic_access_page,
                         f->apic_register_virtualization,
                         f->virtual_interrupt_delivery,
                         f->virtual_x2apic,
                         f->preemption_timer,
                         f->virtual_nmis,
                         f->vpid,
                         f->nested_accessed_dirty,
                         f->nested_2m,
                         f->nested_1g,
                         f->rdtscp,
                         f->invpcid,
                         f->pause_loop_exiting};
    uint64_t bitmap = 0;

    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        bitmap |= (uint64_t)bits[i] << i;
    }
    return bitmap;
}

static uint64_t test_call(struct vcpu *vcpu, uint64_t function)
{
    struct virt_vcpu *cpu = vcpu->cpu;
    const uint64_t first = cpu->gpr[GPR_RBX];
    const uint64_t second = cpu->gpr[GPR_RCX];
    const uint64_t third = cpu->gpr[GPR_RDX];

    switch (function) {
    case HYPERCALL_PRESENT:
        return HYPERCALL_TEST_SIGNATURE;
    case HYPERCALL_INJECT_EVENT:
        return inject(vcpu, first, second, third);
    case HYPERCALL_INTERCEPT_EXCEPTIONS:
        virt->intercept_exceptions(cpu, (uint32_t)first, (uint32_t)second, (uint32_t)third);
        return 0;
    case HYPERCALL_EXCEPTION_COUNT:
        return first < 32 ? vcpu->vm->intercepted_exceptions[first] : (uint64_t)-EINVAL;
    case HYPERCALL_EXIT_COUNT:
        return first < VM_EXIT_KINDS ? cpu->exit_count[first] : (uint64_t)-EINVAL;
    case HYPERCALL_BREAK_STATE:
        return (uint64_t)virt->break_state(cpu, (unsigned)first);
    case HYPERCALL_INJECT_NMI:
        virt->inject_nmi(cpu);
        return 0;
    case HYPERCALL_FEATURES:
        return features();
    case HYPERCALL_SET_ACTIVITY:
        if (first > ACTIVITY_WAIT_FOR_SIPI) {
            return (uint64_t)-EINVAL;
        }
        virt->set_activity(cpu, (enum virt_activity)first);
        return 0;
    case HYPERCALL_ALLOW_PORTS:
        if (first > UINT16_MAX || second > PORT_COUNT - first) {
            return (uint64_t)-EINVAL;
        }
        virt->space.allow_ports(vcpu->vm->space, (uint16_t)first, (uint32_t)second, third != 0);
        return 0;
    case HYPERCALL_INTERCEPT_CR_BITS:
        virt->intercept_cr_bits(cpu, first, second | control_cr4_intercepts(&vcpu->vm->control));
        return 0;
    case HYPERCALL_WOKEN_AT:
        return tsc_from_ns(thread_woken_at(vcpu->thread)) +
               virt->get_register(cpu, REGISTER_TSC_OFFSET);
    case HYPERCALL_UNMAP:
        return (uint64_t)virt->space.unmap(vcpu->vm->space, first, second);
    case HYPERCALL_PAGE_SIZE:
        return virt->space.page_size(vcpu->vm->space, first);
    default:
        return (uint64_t)-ENOSYS;
    }
}

/* A call of the test device's. */
__attribute__((noinline)) static enum virt_next handle_test(struct vcpu *vcpu, uint64_t function,
                                                            const struct vm_exit *exit)
{
    /* First, so that an event which is injected interrupts the next instruction, not this one. */
    virt->complete_instruction(vcpu->cpu, exit->instruction_length);
    vcpu->cpu->gpr[GPR_RAX] = test_call(vcpu, function);
    return VIRT_ENTER;
}

enum virt_next vcpu_handle_hypercall(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    uint64_t *rax = &vcpu->cpu->gpr[GPR_RAX];
    uint64_t function = *rax - HYPERCALL_TEST;

    if (vcpu->vm->description.test_device && function <= HYPERCALL_PAGE_SIZE) {
        return handle_test(vcpu, function, exit);
    }
    *rax = (uint64_t)-KVM_ENOSYS;
    return VIRT_ADVANCE;
}
