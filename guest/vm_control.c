/*
 * What is done to a VM from outside: pause, resume, reset, power button, power cut, NMI, its share
 * of the CPUs.
 */
#include <errno.h>

#include "guest/vm.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/x86.h"
#include "kernel/thread.h"
#include "kernel/time.h"

/* While the device lock is held in one of these states, all threads of the VM are there. */
static bool is_alive(const struct vm *vm)
{
    return vm->state == VM_RUNNING || vm->state == VM_PAUSED;
}

/* Interrupts as they were before come back with `unlock`. */
static bool lock(struct vm *vm)
{
    bool interrupts = interrupts_save();

    vm_lock_devices(vm, NULL);
    return interrupts;
}

static void unlock(struct vm *vm, bool interrupts)
{
    vm_unlock_devices(vm);
    interrupts_restore(interrupts);
}

/* The first vCPU's thread may be waiting in a pause, where it does not look at signals. */
static void wake_first(struct vm *vm)
{
    thread_wake(vm->vcpus[0].thread);
}

static unsigned requested(const struct vm *vm)
{
    return __atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST);
}

int vm_pause(struct vm *vm)
{
    bool interrupts = lock(vm);
    int error = 0;

    if (!is_alive(vm)) {
        error = -EINVAL;
    } else if (requested(vm) & VM_REQUEST_RESUME) {
        __atomic_fetch_and(&vm->requests, ~(unsigned)VM_REQUEST_RESUME, __ATOMIC_SEQ_CST);
    } else if (requested(vm) & VM_REQUEST_PAUSE) {
        error = -EINVAL;
    } else {
        vm_request(vm, VM_REQUEST_PAUSE);
    }
    unlock(vm, interrupts);
    return error;
}

int vm_resume(struct vm *vm)
{
    bool interrupts = lock(vm);
    int error = -EINVAL;

    if (is_alive(vm) &&
        (requested(vm) & (VM_REQUEST_PAUSE | VM_REQUEST_RESUME)) == VM_REQUEST_PAUSE) {
        vm_request(vm, VM_REQUEST_RESUME);
        wake_first(vm);
        error = 0;
    }
    unlock(vm, interrupts);
    return error;
}

int vm_reset(struct vm *vm)
{
    bool interrupts = lock(vm);
    int error = -EINVAL;

    if (is_alive(vm)) {
        vm_request(vm, VM_REQUEST_RESET);
        wake_first(vm);
        error = 0;
    }
    unlock(vm, interrupts);
    return error;
}

int vm_press_power_button(struct vm *vm)
{
    bool interrupts = lock(vm);
    int error = 0;

    if (!is_alive(vm)) {
        error = -EINVAL;
    } else if (vm->state == VM_PAUSED) {
        error = -EAGAIN;
    } else if (!acpi_pm_power_button_enabled(&vm->pc.pm)) {
        error = -EOPNOTSUPP;
    } else {
        acpi_pm_press_power_button(&vm->pc.pm);
    }
    unlock(vm, interrupts);
    return error;
}

int vm_kill(struct vm *vm)
{
    bool interrupts = lock(vm);
    int error = -EINVAL;

    if (is_alive(vm)) {
        vm_stop(vm, "killed");
        wake_first(vm);
        error = 0;
    }
    unlock(vm, interrupts);
    return error;
}

int vm_inject_nmi(struct vm *vm)
{
    bool interrupts = lock(vm);
    int error = -EINVAL;

    if (is_alive(vm)) {
        vcpu_signal(&vm->vcpus[0], VCPU_NMI);
        error = 0;
    }
    unlock(vm, interrupts);
    return error;
}

static int set_cap(struct vm *vm, uint32_t cap)
{
    int error;

    if (!vm->cap) {
        return -EOPNOTSUPP;
    }
    error = thread_cap_set_percent(vm->cap, cap);
    if (error == 0) {
        vm->description.sched.cap = cap;
    }
    return error == -EINVAL ? -ERANGE : error;
}

int vm_set_share(struct vm *vm, uint32_t weight, uint32_t cap)
{
    bool interrupts = lock(vm);
    int error = is_alive(vm) ? 0 : -EINVAL;

    /* The cap first: what can be refused comes before what cannot. */
    if (error == 0 && (weight > DESCRIPTION_WEIGHT_MAX ||
                       cap > vm->description.vcpus * DESCRIPTION_CAP_PERCENT_MAX)) {
        error = -ERANGE;
    }
    if (error == 0 && cap != 0) {
        error = set_cap(vm, cap);
    }
    for (unsigned i = 0; error == 0 && weight != 0 && i < vm->description.vcpus; i++) {
        error = thread_set_weight(vm->vcpus[i].thread, weight);
    }
    if (error == 0 && weight != 0) {
        vm->description.sched.weight = weight;
    }
    unlock(vm, interrupts);
    return error;
}

bool vm_is_ending(const struct vm *vm)
{
    return requested(vm) & VM_REQUEST_STOP ||
           __atomic_load_n(&vm->state, __ATOMIC_SEQ_CST) == VM_STOPPED;
}

bool vm_ended(const struct vm *vm)
{
    return __atomic_load_n(&vm->state, __ATOMIC_SEQ_CST) == VM_STOPPED &&
           __atomic_load_n(&vm->threads, __ATOMIC_SEQ_CST) == 0;
}

bool vm_drop_pause(struct vm *vm)
{
    unsigned both = VM_REQUEST_PAUSE | VM_REQUEST_RESUME;
    bool over;

    vm_lock_devices(vm, NULL);
    over = requested(vm) & VM_REQUEST_RESUME;
    if (over) {
        __atomic_fetch_and(&vm->requests, ~both, __ATOMIC_SEQ_CST);
    }
    vm_unlock_devices(vm);
    return over;
}

void vm_begin_pause(struct vm *vm)
{
    vm_lock_devices(vm, NULL);
    if (vm->state == VM_RUNNING) {
        vm->paused_tsc = rdtsc();
        vm->state = VM_PAUSED;
    }
    vm_unlock_devices(vm);
}

/* To the guest, the pause never was: all clocks go on where they were. */
void vm_end_pause(struct vm *vm)
{
    uint64_t ticks;

    if (vm->state != VM_PAUSED) {
        return;
    }
    ticks = rdtsc() - vm->paused_tsc;
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        struct virt_vcpu *cpu = vm->vcpus[i].cpu;

        virt->vcpu_load(cpu);
        virt->set_register(cpu, REGISTER_TSC_OFFSET,
                           virt->get_register(cpu, REGISTER_TSC_OFFSET) - ticks);
        virt->vcpu_put(cpu);
    }
    vm_lock_devices(vm, NULL);
    vm->tsc_start += ticks;
    vm->clock_start = time_from_tsc(vm->tsc_start);
    vm->state = VM_RUNNING;
    vm_unlock_devices(vm);
}
