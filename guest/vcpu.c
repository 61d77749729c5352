#include "guest/vcpu.h"

#include <errno.h>
#include <string.h>

#include "guest/vm.h"
#include "kernel/cpu/x86.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/paging.h"
#include "kernel/time.h"

/* Beyond any uptime; in nanoseconds it fits 64 bits even where the TSC is slow (10 MHz). */
#define MAX_HOST_TSC (UINT64_C(1) << 57)

static void poll_interrupts(void *context, struct virt_pending_interrupts *pending)
{
    struct vcpu *vcpu = context;

    lapic_pending(&vcpu->lapic, pending);
}

static void accept_apic(void *context, uint8_t vector)
{
    struct vcpu *vcpu = context;

    lapic_accept(&vcpu->lapic, vector);
}

static uint8_t accept_pic(void *context)
{
    struct vcpu *vcpu = context;

    lapic_accept_extint(&vcpu->lapic);
    return pic_acknowledge(&vcpu->vm->pc.pic);
}

static void lapic_changed(void *context)
{
    struct vcpu *vcpu = context;

    vcpu->cpu->events_changed = true;
    vcpu->woken = true;
}

static void lapic_nmi(void *context)
{
    struct vcpu *vcpu = context;

    virt->inject_nmi(vcpu->cpu);
    vcpu->woken = true;
}

static void lapic_init_received(void *context)
{
    struct vcpu *vcpu = context;

    /* INIT to a VM's only CPU restarts it at the reset vector, where there is no firmware. */
    vm_stop(vcpu->vm, "INIT to its only vCPU");
}

static void lapic_startup_received(void *context, uint8_t vector)
{
    /* A start-up IPI counts only while the CPU waits for one (SDM vol. 3, 9.4.1), and a running CPU
     * does not. */
    (void)context;
    (void)vector;
}

static void lapic_send(void *context, const struct interrupt_message *message)
{
    struct vcpu *vcpu = context;

    apic_bus_send(&vcpu->vm->pc.apic_bus, &vcpu->lapic, message);
}

static void lapic_eoi_broadcast(void *context, uint8_t vector)
{
    struct vcpu *vcpu = context;

    ioapic_eoi(&vcpu->vm->pc.ioapic, vector);
}

static void lapic_mode_changed(void *context, enum virt_apic_mode mode, uint64_t base)
{
    struct vcpu *vcpu = context;

    if (mode == APIC_MODE_XAPIC && base != LAPIC_DEFAULT_BASE) {
        vm_stop(vcpu->vm, "the guest moved its local APIC to 0x%lx, which is not supported", base);
        return;
    }
    virt->set_apic_mode(vcpu->cpu, mode);
}

static uint64_t guest_tsc(void *context)
{
    struct vcpu *vcpu = context;

    return rdtsc() + virt->get_register(vcpu->cpu, REGISTER_TSC_OFFSET);
}

static uint64_t deadline_from_tsc(void *context, uint64_t tsc)
{
    struct vcpu *vcpu = context;
    uint64_t host_tsc = tsc - virt->get_register(vcpu->cpu, REGISTER_TSC_OFFSET);

    if (host_tsc > MAX_HOST_TSC) {
        return TIMER_NEVER;
    }
    return time_from_tsc(host_tsc) + 1 - vcpu->vm->clock_start;
}

static const struct lapic_ops lapic_ops = {
    .changed = lapic_changed,
    /* One vCPU per VM: whoever requests an interrupt runs on the vCPU's own CPU, outside the guest.
     */
    .requested = lapic_changed,
    .nmi = lapic_nmi,
    .init = lapic_init_received,
    .startup = lapic_startup_received,
    .send = lapic_send,
    .eoi = lapic_eoi_broadcast,
    .mode_changed = lapic_mode_changed,
    .guest_tsc = guest_tsc,
    .deadline_from_tsc = deadline_from_tsc,
};

static bool msr_apic_read(void *context, uint32_t index, uint64_t *value)
{
    struct vcpu *vcpu = context;

    switch (index) {
    case MSR_APIC_BASE:
        *value = lapic_base_read(&vcpu->lapic);
        return true;
    case MSR_TSC_DEADLINE:
        *value = lapic_tsc_deadline_read(&vcpu->lapic);
        return true;
    default:
        return lapic_msr_read(&vcpu->lapic, index, value) == 0;
    }
}

static bool msr_apic_write(void *context, uint32_t index, uint64_t value)
{
    struct vcpu *vcpu = context;

    switch (index) {
    case MSR_APIC_BASE:
        return lapic_base_write(&vcpu->lapic, value) == 0;
    case MSR_TSC_DEADLINE:
        lapic_tsc_deadline_write(&vcpu->lapic, value);
        return true;
    default:
        return lapic_msr_write(&vcpu->lapic, index, value) == 0;
    }
}

static uint64_t msr_get_register(void *context, enum virt_register which)
{
    struct vcpu *vcpu = context;

    return virt->get_register(vcpu->cpu, which);
}

static void msr_set_register(void *context, enum virt_register which, uint64_t value)
{
    struct vcpu *vcpu = context;

    virt->set_register(vcpu->cpu, which, value);
    if (which == REGISTER_TSC_OFFSET) {
        lapic_tsc_changed(&vcpu->lapic);
    }
}

static uint64_t msr_get_segment_base(void *context, enum virt_segment which)
{
    struct vcpu *vcpu = context;
    struct virt_segment_state state;

    virt->get_segment(vcpu->cpu, which, &state);
    return state.base;
}

static void msr_set_segment_base(void *context, enum virt_segment which, uint64_t base)
{
    struct vcpu *vcpu = context;
    struct virt_segment_state state;

    virt->get_segment(vcpu->cpu, which, &state);
    state.base = base;
    virt->set_segment(vcpu->cpu, which, &state);
}

static uint64_t msr_host_tsc(void *context)
{
    (void)context;
    return rdtsc();
}

/* What RESET leaves, and firmware on top of it: the state in which every image starts. */
static void set_reset_state(struct vcpu *vcpu)
{
    virt->set_register(vcpu->cpu, REGISTER_TSC_OFFSET, 0 - vcpu->vm->tsc_start);
    virt->set_apic_mode(vcpu->cpu, lapic_mode(&vcpu->lapic));
    if (vcpu->index == 0) {
        lapic_set_virtual_wire(&vcpu->lapic);
    }
    guest_msrs_init(&vcpu->msrs, &vcpu->msr_environment, &vcpu->vm->cpuid, &vcpu->vm->control,
                    (uint32_t)(rdmsr(MSR_BIOS_SIGN_ID) >> 32));
    vcpu->halted = false;
}

int vcpu_create(struct vcpu *vcpu, struct vm *vm, unsigned index)
{
    struct virt_vcpu_config config;
    int error;

    vcpu->vm = vm;
    vcpu->index = index;
    vcpu->apic_page_phys = frame_alloc(0);
    if (!vcpu->apic_page_phys) {
        return -ENOMEM;
    }
    config = (struct virt_vcpu_config){
        .space = vm->space,
        .interrupts = {.poll = poll_interrupts,
                       .accept_apic = accept_apic,
                       .accept_pic = accept_pic,
                       .context = vcpu},
        .exit_handlers = vcpu_exit_handlers,
        .exit_context = vcpu,
        .apic_page = phys_to_virt(vcpu->apic_page_phys),
        .apic_page_phys = vcpu->apic_page_phys,
        .has_apic_access_page = true,
    };
    error = virt->vcpu_create(&vcpu->cpu, &config);
    if (error) {
        frame_free(vcpu->apic_page_phys, 0);
        vcpu->apic_page_phys = 0;
        return error;
    }
    lapic_init(&vcpu->lapic, config.apic_page, index, index == 0, vm->cpuid.physical_bits,
               &vm->timers, &lapic_ops, vcpu);
    vcpu->msr_environment = (struct msr_environment){
        .apic_read = msr_apic_read,
        .apic_write = msr_apic_write,
        .get_register = msr_get_register,
        .set_register = msr_set_register,
        .get_segment_base = msr_get_segment_base,
        .set_segment_base = msr_set_segment_base,
        .host_tsc = msr_host_tsc,
        .context = vcpu,
    };
    vcpu->emulate.vcpu = vcpu->cpu;
    vcpu->emulate.memory = &vm->memory;
    vcpu->emulate.mmio = &vcpu->mmio;
    vcpu->emulate.physical_bits = (uint8_t)vm->cpuid.physical_bits;
    virt->vcpu_load(vcpu->cpu);
    for (const struct msr_passthrough *msr = msr_passthrough; msr->index; msr++) {
        /* One that the back end cannot let through is emulated instead. */
        (void)virt->allow_msr(vcpu->cpu, msr->index, msr->read, msr->write);
    }
    virt->intercept_cr_bits(vcpu->cpu, 0, control_cr4_intercepts(&vm->control));
    set_reset_state(vcpu);
    return mmio_bus_add(&vcpu->mmio, LAPIC_DEFAULT_BASE, LAPIC_PAGE_SIZE, &vcpu->lapic,
                        lapic_mmio_read, lapic_mmio_write);
}

void vcpu_destroy(struct vcpu *vcpu)
{
    if (vcpu->cpu) {
        virt->vcpu_put(vcpu->cpu);
        virt->vcpu_destroy(vcpu->cpu);
    }
    if (vcpu->apic_page_phys) {
        frame_free(vcpu->apic_page_phys, 0);
    }
    memset(vcpu, 0, sizeof(*vcpu));
}

void vcpu_reset(struct vcpu *vcpu)
{
    virt->vcpu_load(vcpu->cpu);
    virt->vcpu_reset(vcpu->cpu);
    lapic_reset(&vcpu->lapic);
    set_reset_state(vcpu);
}

void vcpu_apply_boot_state(struct vcpu *vcpu, const struct boot_state *state)
{
    struct virt_vcpu *cpu = vcpu->cpu;

    virt->vcpu_load(cpu);
    for (unsigned gpr = 0; gpr < GPR_COUNT; gpr++) {
        vcpu_write_gpr(cpu, gpr, state->gpr[gpr]);
    }
    virt->set_register(cpu, REGISTER_EFER, state->efer);
    virt->set_register(cpu, REGISTER_CR4, state->cr4);
    virt->set_register(cpu, REGISTER_CR3, state->cr3);
    virt->set_register(cpu, REGISTER_CR0, state->cr0);
    virt->set_register(cpu, REGISTER_RIP, state->rip);
    virt->set_register(cpu, REGISTER_RFLAGS, state->rflags);
    for (unsigned segment = 0; segment < SEGMENT_COUNT; segment++) {
        virt->set_segment(cpu, (enum virt_segment)segment, &state->segments[segment]);
    }
    virt->set_tables(cpu, &state->gdtr, &state->idtr);
}

bool vcpu_wakes(struct vcpu *vcpu)
{
    if (vcpu->halted && vcpu->woken) {
        vcpu->woken = false;
        virt->vcpu_load(vcpu->cpu);
        vcpu->halted = !virt->has_deliverable_event(vcpu->cpu);
    }
    return !vcpu->halted;
}

enum vcpu_run_result vcpu_run(struct vcpu *vcpu, uint64_t slice_end)
{
    struct vm *vm = vcpu->vm;
    uint64_t alarm = 0;

    vcpu->halted = false;
    virt->vcpu_load(vcpu->cpu);
    for (;;) {
        uint64_t wanted = vm_next_deadline(vm);

        vm->timers.new_first = false;
        if (wanted > slice_end) {
            wanted = slice_end;
        }
        if (wanted != alarm) {
            alarm = wanted;
            alarm_set(alarm);
        }
        virt->run(vcpu->cpu);
        if (vm->requests) {
            vm->requests &= ~(unsigned)VM_REQUEST_RETRY;
            return vm->requests ? VCPU_STOPPED : VCPU_SLICE_OVER;
        }
        if (time_ns() >= alarm) {
            vm_run_timers(vm);
            alarm = 0;
        }
        if (!vcpu_wakes(vcpu)) {
            return VCPU_HALTED;
        }
        if (time_ns() >= slice_end) {
            return VCPU_SLICE_OVER;
        }
    }
}
