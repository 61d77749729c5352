/* The devices that a VM's vCPUs share: whose turn it is to use them, and their timers. */
#include <stddef.h>

#include "guest/vm.h"
#include "kernel/clock.h"
#include "kernel/cpu/percpu.h"

uint64_t vm_clock(void *context)
{
    const struct vm *vm = context;

    return clock_ns() - vm->clock_start;
}

void vm_lock_devices(struct vm *vm, struct vcpu *user)
{
    struct percpu *cpu = this_cpu();

    /* Only this CPU can make it this CPU. */
    if (__atomic_load_n(&vm->device_cpu, __ATOMIC_RELAXED) == cpu) {
        vm->device_depth++;
        return;
    }
    spin_lock(&vm->device_lock);
    __atomic_store_n(&vm->device_cpu, cpu, __ATOMIC_RELAXED);
    vm->device_user = user;
}

/* Out of line, so that the usual case saves and restores no registers for its sake. */
static __attribute__((noinline)) void tell_timers(struct vm *vm)
{
    bool new_first = vm->timers.new_first;

    vm->timers.changed = false;
    vm->timers.new_first = false;
    __atomic_store_n(&vm->device_deadline, timer_next_deadline(&vm->timers), __ATOMIC_RELAXED);
    if (new_first) {
        /* With the lock: without it the VM may stop, and the vCPU's thread end. */
        vcpu_signal(&vm->vcpus[0], VCPU_LOOK);
    }
}

void vm_unlock_devices(struct vm *vm)
{
    if (vm->device_depth > 0) {
        vm->device_depth--;
        return;
    }
    if (__builtin_expect(vm->timers.changed, 0)) {
        tell_timers(vm);
    }
    __atomic_store_n(&vm->device_cpu, NULL, __ATOMIC_RELAXED);
    spin_unlock(&vm->device_lock);
}

void vm_run_timers(struct vm *vm)
{
    timer_run(&vm->timers, timer_now(&vm->timers));
}
