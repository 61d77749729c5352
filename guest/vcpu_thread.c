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

/* Several times what exits, resets and the reports of failures were seen to use. */
#define STACK_SIZE 12288u

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

static void tell_change(const struct vm *vm)
{
    void (*changed)(void) = vm->changed;

    if (changed) {
        changed();
    }
}

/* All vCPUs have stopped. Does what is asked for until there is nothing more; true if the VM has
 * come to its end. */
static bool do_requests(struct vm *vm)
{
    for (;;) {
        unsigned requests = __atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST);

        if (requests & VM_REQUEST_STOP) {
            return true;
        }
        if (requests & VM_REQUEST_RESET) {
            __atomic_fetch_and(&vm->requests, ~(unsigned)VM_REQUEST_RESET, __ATOMIC_SEQ_CST);
            vm_end_pause(vm);
            if (vm_restart(vm)) {
                vm_stop(vm, "the reset failed");
            }
            tell_change(vm);
        } else if (requests & VM_REQUEST_PAUSE) {
            if (!vm_drop_pause(vm)) {
                vm_begin_pause(vm);
                tell_change(vm);
                thread_block();
            }
        } else {
            vm_end_pause(vm);
            tell_change(vm);
            return false;
        }
    }
}

static void act(struct vm *vm)
{
    bool ends = do_requests(vm);

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

/* Another vCPU of the VM that waits for this CPU, and may be the one that is waited for; the next
 * in turn. */
static struct thread *waiting_sibling(const struct vcpu *vcpu)
{
    const struct vm *vm = vcpu->vm;
    unsigned count = vm->description.vcpus;

    for (unsigned i = 1; i < count; i++) {
        struct thread *thread = vm->vcpus[(vcpu->index + i) % count].thread;

        if (thread_waits_here(thread)) {
            return thread;
        }
    }
    return NULL;
}

/* The last that a thread does with its VM. */
static void leave(struct vm *vm)
{
    void (*changed)(void) = vm->changed;

    if (__atomic_sub_fetch(&vm->threads, 1, __ATOMIC_SEQ_CST) == 0 && changed) {
        changed();
    }
}

static void serve(void *context)
{
    struct vcpu *vcpu = context;
    bool runs;

    cli();
    /* Whoever starts the threads still wakes others under the lock. */
    runs = read_settled(vcpu->vm, &vcpu->vm->state) == VM_RUNNING;
    say_first_entry();
    while (runs) {
        switch (vcpu_run(vcpu)) {
        case VCPU_SLICE_OVER:
            pvclock_set_preempted(&vcpu->pvclock, true);
            thread_yield();
            pvclock_set_preempted(&vcpu->pvclock, false);
            break;
        case VCPU_SPINS:
            pvclock_set_preempted(&vcpu->pvclock, true);
            thread_yield_to(waiting_sibling(vcpu));
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
    vcpu->run_time = thread_run_time(thread_current());
    vcpu->steal_time = thread_wait_time(thread_current());
    leave(vcpu->vm);
}

static int refuse_start(struct vm *vm, int error, const char *reason)
{
    snprintf(vm->stop_reason, sizeof(vm->stop_reason), "%s", reason);
    return error;
}

/* The CPUs that can run guests and that the VM may have. */
static struct cpu_mask allowed_cpus(const struct vm *vm)
{
    struct cpu_mask mask = {{0}};

    for (unsigned i = 0; i < smp_count(); i++) {
        if (smp_cpu(i)->virt && cpu_mask_has(&vm->description.sched.cpus, i)) {
            mask.words[i / 64] |= UINT64_C(1) << i % 64;
        }
    }
    return mask;
}

/* Gives the thread its part of the CPUs. */
static int set_share(struct vm *vm, struct thread *thread)
{
    const struct sched_description *sched = &vm->description.sched;
    const struct cpu_mask cpus = allowed_cpus(vm);
    int error = thread_set_weight(thread, sched->weight);

    if (error == 0 && thread_set_cpus(thread, &cpus) != 0) {
        return refuse_start(vm, -EINVAL, "it may run on none of the CPUs");
    }
    if (error == 0 && vm->cap) {
        error = thread_set_cap(thread, vm->cap);
    }
    if (error == 0 && sched->budget != 0) {
        error = thread_reserve(thread, sched->budget, sched->period);
    }
    return error ? refuse_start(vm, error, "no CPU can give it what it reserves") : 0;
}

static int create_threads(struct vm *vm)
{
    const struct sched_description *sched = &vm->description.sched;

    if (sched->cap != 0 && !vm->cap) {
        vm->cap = thread_cap_create(sched->cap);
        if (!vm->cap) {
            return refuse_start(vm, -ENOMEM, "no memory for its cap");
        }
    }
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        struct vcpu *vcpu = &vm->vcpus[i];
        char name[THREAD_NAME_SIZE];
        int error;

        snprintf(name, sizeof(name), "%s/%u", vm->description.name, i);
        vcpu->thread = thread_create_with_stack(STACK_SIZE, name, serve, vcpu);
        if (!vcpu->thread) {
            return refuse_start(vm, -ENOMEM, "no memory for the threads of its vCPUs");
        }
        vm->threads++; /* it is started in any case */
        error = set_share(vm, vcpu->thread);
        if (error) {
            return error;
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
            thread_start(vm->vcpus[i].thread); /* if there is an error, it ends at once */
        }
    }
    vm_unlock_devices(vm);
    interrupts_restore(interrupts);
    return error;
}
