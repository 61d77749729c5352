#include "guest/vcpu.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guest/vm.h"
#include "kernel/clock.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/paging.h"
#include "kernel/smp.h"
#include "kernel/thread.h"
#include "kernel/time.h"

/* Beyond any uptime; in nanoseconds it fits 64 bits even where the TSC is slow (10 MHz). */
#define MAX_HOST_TSC (UINT64_C(1) << 57)

/* Waits shorter than this add up before the guest is told: a wake-up is to be quick, and guests
 * look at the time stolen once a tick. */
#define STEAL_STEP_NS UINT64_C(20000)

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
    uint8_t vector;

    lapic_accept_extint(&vcpu->lapic);
    vm_lock_devices(vcpu->vm, vcpu);
    vector = pic_acknowledge(&vcpu->vm->pc.pic);
    vm_unlock_devices(vcpu->vm);
    return vector;
}

static void lapic_changed(void *context)
{
    struct vcpu *vcpu = context;

    vcpu->cpu->events_changed = true;
    vcpu->woken = true;
}

/* Its own thread runs, so it is in no guest and its VMCS is at hand. */
static bool is_own_thread(const struct vcpu *vcpu)
{
    return vcpu->thread == thread_current();
}

void vcpu_signal(struct vcpu *vcpu, unsigned signal)
{
    unsigned before = __atomic_fetch_or(&vcpu->signals, signal, __ATOMIC_SEQ_CST);
    struct percpu *cpu;

    if (!vcpu->thread) {
        return; /* nobody could look yet */
    }
    if (is_own_thread(vcpu)) {
        vcpu->cpu->exits_left = 1;
        return;
    }
    if (before) {
        return; /* it is going to look */
    }
    /* Here the signal is set first and then the CPU read; the vCPU's thread does the opposite. So
     * one of the two sees the other. */
    cpu = __atomic_load_n(&vcpu->running_on, __ATOMIC_SEQ_CST);
    if (!cpu) {
        thread_wake(vcpu->thread);
    } else if (cpu != this_cpu()) {
        smp_kick(cpu);
    }
}

static void lapic_requested(void *context)
{
    struct vcpu *vcpu = context;

    if (is_own_thread(vcpu)) {
        lapic_changed(vcpu);
    } else {
        vcpu_signal(vcpu, VCPU_INTERRUPT);
    }
}

static void lapic_timer_armed(void *context)
{
    struct vcpu *vcpu = context;

    vcpu->cpu->exits_left = 1;
}

static void lapic_nmi(void *context)
{
    vcpu_signal(context, VCPU_NMI);
}

static void lapic_init_received(void *context)
{
    struct vcpu *vcpu = context;

    /* What came before INIT is lost by it: a start-up IPI in particular, which found the CPU
     * running, must not start it afterwards. */
    __atomic_fetch_and(&vcpu->signals, ~(VCPU_STARTUP | VCPU_NMI), __ATOMIC_SEQ_CST);
    vcpu_signal(vcpu, VCPU_INIT);
}

static void lapic_startup_received(void *context, uint8_t vector)
{
    struct vcpu *vcpu = context;

    __atomic_store_n(&vcpu->startup_vector, vector, __ATOMIC_RELAXED);
    vcpu_signal(vcpu, VCPU_STARTUP);
}

static void lapic_send(void *context, const struct interrupt_message *message)
{
    struct vcpu *vcpu = context;

    apic_bus_send(&vcpu->vm->pc.apic_bus, &vcpu->lapic, message);
}

static void lapic_eoi_broadcast(void *context, uint8_t vector)
{
    struct vcpu *vcpu = context;

    vm_lock_devices(vcpu->vm, vcpu);
    ioapic_eoi(&vcpu->vm->pc.ioapic, vector);
    vm_unlock_devices(vcpu->vm);
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

static uint64_t deadline_from_tsc(void *context, uint64_t tsc)
{
    struct vcpu *vcpu = context;
    uint64_t offset = virt->get_register(vcpu->cpu, REGISTER_TSC_OFFSET);
    uint64_t host_tsc = tsc - offset;

    if (rdtsc() + offset >= tsc) {
        return 0;
    }
    if (host_tsc > MAX_HOST_TSC) {
        return TIMER_NEVER;
    }
    return clock_from_tsc(host_tsc) + 1 - vcpu->vm->clock_start;
}

static const struct lapic_ops lapic_ops = {
    .changed = lapic_changed,
    .requested = lapic_requested,
    .timer_armed = lapic_timer_armed,
    .nmi = lapic_nmi,
    .init = lapic_init_received,
    .startup = lapic_startup_received,
    .send = lapic_send,
    .eoi = lapic_eoi_broadcast,
    .mode_changed = lapic_mode_changed,
    .deadline_from_tsc = deadline_from_tsc,
};

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
        for (unsigned i = 0; i < vcpu->vm->description.vcpus; i++) {
            vcpu_signal(&vcpu->vm->vcpus[i], VCPU_CLOCK);
        }
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

/* All vCPUs read the same TSC at the same moment, wherever they run. */
static bool tscs_agree(const struct vm *vm)
{
    uint64_t first = __atomic_load_n(&vm->vcpus[0].msrs.tsc_adjust, __ATOMIC_RELAXED);

    for (unsigned i = 1; i < vm->description.vcpus; i++) {
        if (__atomic_load_n(&vm->vcpus[i].msrs.tsc_adjust, __ATOMIC_RELAXED) != first) {
            return false;
        }
    }
    return smp_tscs_in_step();
}

static void tell_tsc(struct vcpu *vcpu)
{
    pvclock_set_tsc(&vcpu->pvclock,
                    vcpu->vm->tsc_start + virt->get_register(vcpu->cpu, REGISTER_TSC_OFFSET),
                    tscs_agree(vcpu->vm));
}

/* What RESET leaves, and firmware on top of it: the state in which every image starts. */
static void set_reset_state(struct vcpu *vcpu)
{
    virt->set_register(vcpu->cpu, REGISTER_TSC_OFFSET, 0 - vcpu->vm->tsc_start);
    virt->set_apic_mode(vcpu->cpu, lapic_mode(&vcpu->lapic));
    if (vcpu->index == 0) {
        lapic_set_virtual_wire(&vcpu->lapic);
    }
    pvclock_init(&vcpu->pvclock, &vcpu->vm->pvclock);
    vcpu->waited_before = vcpu->thread ? thread_wait_time(vcpu->thread) : 0;
    guest_msrs_init(&vcpu->msrs, &vcpu->msr_environment, &vcpu->vm->cpuid, &vcpu->vm->control,
                    &vcpu->pvclock, (uint32_t)(rdmsr(MSR_BIOS_SIGN_ID) >> 32));
    vcpu->halted = false;
    vcpu->waits_for_startup = vcpu->index != 0;
    /* What was signalled before has been overtaken, but for what devices say now. */
    __atomic_store_n(&vcpu->signals, VCPU_EOI_EXITS | VCPU_CLOCK, __ATOMIC_SEQ_CST);
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
        /* With none but itself to wait for, it waits for nobody in vain. */
        .reports_spinning = vm->description.vcpus > 1,
    };
    error = virt->vcpu_create(&vcpu->cpu, &config);
    if (error) {
        frame_free(vcpu->apic_page_phys, 0);
        vcpu->apic_page_phys = 0;
        return error;
    }
    timer_queue_init(&vcpu->timers, vm->timers.clock, vm->timers.context);
    lapic_init(&vcpu->lapic, config.apic_page, index, index == 0, vm->cpuid.physical_bits,
               virt->features->virtual_interrupt_delivery, &vcpu->timers, &lapic_ops, vcpu);
    vcpu->msr_environment = (struct msr_environment){
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
    vcpu->emulate.requests = &vcpu->signals;
    vcpu->emulate.retry_request = VCPU_RETRY;
    virt->vcpu_load(vcpu->cpu);
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

/* INIT (SDM vol. 3, table 10-1): what RESET does, but the local APIC's mode, TSC and MTRRs stay. */
static void receive_init(struct vcpu *vcpu)
{
    uint64_t tsc_offset = virt->get_register(vcpu->cpu, REGISTER_TSC_OFFSET);

    if (vcpu->index == 0) {
        /* It would start again at the reset vector, where there is no firmware. */
        vm_stop(vcpu->vm, "INIT to its first vCPU");
        return;
    }
    virt->vcpu_reset(vcpu->cpu);
    virt->set_register(vcpu->cpu, REGISTER_TSC_OFFSET, tsc_offset);
    lapic_init_signal(&vcpu->lapic);
    virt->set_apic_mode(vcpu->cpu, lapic_mode(&vcpu->lapic));
    /* Who starts again does not know of what the memory was for. */
    pvclock_init(&vcpu->pvclock, &vcpu->vm->pvclock);
    tell_tsc(vcpu);
    vcpu->halted = false;
    vcpu->waits_for_startup = true;
}

/* It counts only while the CPU waits for it (SDM vol. 3, 9.4.1). */
static void receive_startup(struct vcpu *vcpu)
{
    uint8_t vector = __atomic_load_n(&vcpu->startup_vector, __ATOMIC_RELAXED);
    struct virt_segment_state cs;

    if (!vcpu->waits_for_startup) {
        return;
    }
    vcpu->waits_for_startup = false;
    virt->get_segment(vcpu->cpu, SEGMENT_CS, &cs);
    cs.selector = (uint16_t)(vector << 8);
    cs.base = (uint64_t)vector << 12;
    virt->set_segment(vcpu->cpu, SEGMENT_CS, &cs);
    virt->set_register(vcpu->cpu, REGISTER_RIP, 0);
}

static void take_eoi_exits(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    uint64_t bitmap[4];

    vm_lock_devices(vm, vcpu);
    memcpy(bitmap, vm->eoi_exits, sizeof(bitmap));
    vm_unlock_devices(vm);
    virt->set_eoi_exits(vcpu->cpu, bitmap);
}

/* Looks at what others want of this vCPU; returns it. */
static unsigned take_signals(struct vcpu *vcpu)
{
    unsigned signals;

    if (!vcpu_signalled(vcpu)) {
        return 0;
    }
    signals = __atomic_exchange_n(&vcpu->signals, 0, __ATOMIC_SEQ_CST);
    if (signals & VCPU_EOI_EXITS) {
        take_eoi_exits(vcpu);
    }
    if (signals & VCPU_CLOCK) {
        tell_tsc(vcpu);
    }
    if (signals & VCPU_INIT) {
        receive_init(vcpu);
    }
    if (signals & VCPU_STARTUP) {
        receive_startup(vcpu);
    }
    if ((signals & VCPU_NMI) && !vcpu->waits_for_startup) {
        virt->inject_nmi(vcpu->cpu);
        vcpu->woken = true;
    }
    if (signals & VCPU_INTERRUPT) {
        lapic_changed(vcpu);
    }
    return signals;
}

/* True if it has something to do: no HLT, or an event has come that ends it. */
static bool is_awake(struct vcpu *vcpu)
{
    if (vcpu->halted && vcpu->woken) {
        vcpu->woken = false;
        vcpu->halted = !virt->has_deliverable_event(vcpu->cpu);
    }
    return !vcpu->halted && !vcpu->waits_for_startup;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t next_deadline(const struct vcpu *vcpu)
{
    uint64_t own = timer_next_deadline(&vcpu->timers);

    if (own != TIMER_NEVER) {
        own += vcpu->vm->clock_start;
    }
    /* The first vCPU's thread runs the devices' timers. */
    return vcpu->index == 0 ? earlier(own, vm_next_deadline(vcpu->vm)) : own;
}

uint64_t vcpu_deadline(const struct vcpu *vcpu)
{
    return next_deadline(vcpu);
}

static void run_timers(struct vcpu *vcpu, uint64_t now)
{
    timer_run(&vcpu->timers, now - vcpu->vm->clock_start);
    if (vcpu->index == 0 && vm_next_deadline(vcpu->vm) <= now) {
        vm_lock_devices(vcpu->vm, vcpu);
        vm_run_timers(vcpu->vm);
        vm_unlock_devices(vcpu->vm);
    }
}

static enum vcpu_run_result run(struct vcpu *vcpu)
{
    uint64_t alarm = 0;

    virt->vcpu_load(vcpu->cpu);
    for (;;) {
        unsigned signals = take_signals(vcpu);
        uint64_t slice_end;
        uint64_t deadline;
        uint64_t wanted;
        uint64_t now;

        if (vcpu->vm->requests) {
            return VCPU_STOPPED;
        }
        if (signals & VCPU_RETRY) {
            return VCPU_RETRIES;
        }
        if (signals & VCPU_YIELD) {
            return VCPU_SPINS;
        }
        deadline = next_deadline(vcpu);
        now = clock_ns();
        if (now >= deadline) {
            run_timers(vcpu, now);
            alarm = 0;
            deadline = next_deadline(vcpu);
            if (vcpu_signalled(vcpu)) {
                continue;
            }
        }
        if (!is_awake(vcpu)) {
            return VCPU_WAITS;
        }
        slice_end = thread_slice_end();
        if (now >= slice_end) {
            return VCPU_SLICE_OVER;
        }
        wanted = earlier(deadline, slice_end);
        if (wanted != alarm) {
            alarm = wanted;
            alarm_set(alarm);
        }
        virt->run(vcpu->cpu);
    }
}

/* How long it has waited for the CPU, if that is worth an update. */
static void tell_steal(struct vcpu *vcpu)
{
    uint64_t steal = thread_wait_time(vcpu->thread) - vcpu->waited_before;

    if (steal - vcpu->pvclock.steal >= STEAL_STEP_NS) {
        pvclock_set_steal(&vcpu->pvclock, steal);
    }
}

enum vcpu_run_result vcpu_run(struct vcpu *vcpu)
{
    enum vcpu_run_result result;

    tell_steal(vcpu);
    __atomic_store_n(&vcpu->running_on, this_cpu(), __ATOMIC_SEQ_CST);
    result = run(vcpu);
    __atomic_store_n(&vcpu->running_on, NULL, __ATOMIC_SEQ_CST);
    return result;
}
