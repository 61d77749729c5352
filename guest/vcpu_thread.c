/*
 * The thread of a vCPU: runs it, waits with it, and stops with all others of its VM when the VM is
 * to be reset or to end. What then has to be done, the first vCPU's thread does.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "guest/vm.h"
#include "kernel/boot/boot.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/smp.h"
#include "kernel/thread.h"
#include "kernel/time.h"

/* How long a vCPU waits whose device could not take what it wrote. */
#define RETRY_NS UINT64_C(1000000)

/* How long a machine takes from our first instruction to a guest's. */
static void say_first_entry(void)
{
    static bool said;

    if (!__atomic_exchange_n(&said, true, __ATOMIC_RELAXED)) {
        log_info("first VM entry %lu ticks after the first instruction", rdtsc() - boot_tsc);
    }
}

/* All vCPUs have stopped. */
static void act(struct vm *vm)
{
    bool ends = vm->requests & VM_REQUEST_STOP;

    if (!ends && vm_reset(vm)) {
        vm_stop(vm, "the reset failed");
        ends = true;
    }
    vm_lock_devices(vm, NULL);
    vm->stopped = 0;
    if (ends) {
        vm->state = VM_STOPPED;
    }
    vm->epoch++;
    for (unsigned i = 1; i < vm->description.vcpus; i++) {
        thread_wake(vm->vcpus[i].thread);
    }
    vm_unlock_devices(vm);
    if (ends && vm->ended) {
        vm->ended();
    }
}

/* Reads a counter that others change under the device lock. Whoever changed it has woken whom they
 * wanted to wake when this returns: their threads may end then. */
static unsigned read_settled(struct vm *vm, const unsigned *counter)
{
    unsigned value;

    vm_lock_devices(vm, NULL);
    value = *counter;
    vm_unlock_devices(vm);
    return value;
}

static bool act_on_requests(struct vm *vm, struct vcpu *vcpu)
{
    unsigned epoch;

    virt->vcpu_put(vcpu->cpu);
    if (vcpu->index == 0) {
        while (read_settled(vm, &vm->stopped) != vm->description.vcpus - 1) {
            thread_block();
        }
        act(vm);
    } else {
        vm_lock_devices(vm, NULL);
        epoch = vm->epoch;
        vm->stopped++;
        thread_wake(vm->vcpus[0].thread);
        vm_unlock_devices(vm);
        while (read_settled(vm, &vm->epoch) == epoch) {
            thread_block();
        }
    }
    return vm->state != VM_STOPPED;
}

static void serve(void *context)
{
    struct vcpu *vcpu = context;
    bool runs;

    cli();
    /* Until all vCPUs have their threads: they may signal each other at once. */
    while (read_settled(vcpu->vm, &vcpu->vm->state) == VM_READY) {
        thread_block();
    }
    runs = vcpu->vm->state == VM_RUNNING;
    say_first_entry();
    while (runs) {
        switch (vcpu_run(vcpu)) {
        case VCPU_SLICE_OVER:
            pvclock_set_preempted(&vcpu->pvclock, true);
            thread_yield();
            pvclock_set_preempted(&vcpu->pvclock, false);
            break;
        case VCPU_WAITS:
            /* A signal that came before vcpu_run ended found it running, and woke nobody. */
            if (!vcpu_signalled(vcpu)) {
                (void)thread_block_until(vcpu_deadline(vcpu));
            }
            break;
        case VCPU_RETRIES:
            (void)thread_block_until(time_ns() + RETRY_NS);
            break;
        case VCPU_STOPPED:
            runs = act_on_requests(vcpu->vm, vcpu);
            break;
        }
    }
}

static int create_threads(struct vm *vm)
{
    static unsigned next_cpu;

    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        struct vcpu *vcpu = &vm->vcpus[i];
        char name[THREAD_NAME_SIZE];

        /* The boot CPU can run guests, or there would be no VM. */
        while (!smp_cpu(next_cpu % smp_count())->virt) {
            next_cpu++;
        }
        snprintf(name, sizeof(name), "%s/%u", vm->description.name, i);
        vcpu->thread = thread_create(name, smp_cpu(next_cpu++ % smp_count()), serve, vcpu);
        if (!vcpu->thread) {
            log_error("vm %s: no memory for the threads of its vCPUs", vm->description.name);
            return -ENOMEM;
        }
    }
    return 0;
}

int vm_start(struct vm *vm)
{
    bool interrupts = interrupts_save();
    int error;

    /* Where they were made, for their threads on other CPUs. */
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        virt->vcpu_put(vm->vcpus[i].cpu);
    }
    error = create_threads(vm);
    vm_lock_devices(vm, NULL);
    vm->state = error ? VM_STOPPED : VM_RUNNING;
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        if (vm->vcpus[i].thread) {
            thread_wake(vm->vcpus[i].thread);
        }
    }
    vm_unlock_devices(vm);
    interrupts_restore(interrupts);
    return error;
}
