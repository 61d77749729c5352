/* What is done to VMs: on, off and what is between. */
#include <errno.h>
#include <stdio.h>

#include "guest/vm.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/machine_parts.h"

/* A VM whose power is cut is gone within a moment, unless its CPUs are very busy. */
#define END_PATIENCE_NS UINT64_C(200000000)
#define END_POLL_NS     UINT64_C(1000000)
/* A guest that was asked to shut down and does so later than that does it for another reason. */
#define SHUT_DOWN_PATIENCE_NS UINT64_C(300000000000)

struct managed_vm *machine_wait_for_end(struct managed_vm *vm)
{
    uint64_t deadline = time_ns() + END_PATIENCE_NS;
    uint64_t id = vm->id;

    while (vm && vm->vm && vm_is_ending(vm->vm) && time_ns() < deadline) {
        vms_unlock();
        thread_sleep_until(time_ns() + END_POLL_NS);
        vms_lock();
        vm = vms_find_id(id);
    }
    return vm;
}

/* Has a VM that is on its way to its end start when it is there. */
static int start_after_end(struct managed_vm *vm, char *reason, size_t size)
{
    vm->start_again = true;
    vm->start_again_until = UINT64_MAX;
    vm = machine_wait_for_end(vm);
    if (!vm) {
        snprintf(reason, size, "it was deleted");
        return -ENOENT;
    }
    if (!vm->vm) {
        snprintf(reason, size, "%s", vm->stop_reason);
        return -EIO;
    }
    return 0; /* it runs, or will */
}

static int start(struct managed_vm *vm, char *reason, size_t size)
{
    return vm->vm && vm_is_ending(vm->vm) ? start_after_end(vm, reason, size)
                                          : vms_start(vm, reason, size);
}

static int power_cycle(struct managed_vm *vm, char *reason, size_t size)
{
    int error;

    if (!vm->vm || vm_is_ending(vm->vm)) {
        return start(vm, reason, size);
    }
    error = vms_cut_power(vm, reason, size);
    return error ? error : start_after_end(vm, reason, size);
}

static int shut_down_and_start(struct managed_vm *vm, char *reason, size_t size)
{
    int error = vms_press_power_button(vm, reason, size);

    vm->start_again = error == 0;
    vm->start_again_until = time_ns() + SHUT_DOWN_PATIENCE_NS;
    return error;
}

static int kill(struct managed_vm *vm, char *reason, size_t size)
{
    uint64_t task = vm->fetch;
    int error = vms_kill(vm, reason, size);

    machine_cancel_fetch(task);
    return error;
}

int machine_act_now(struct managed_vm *vm, enum machine_action action, char *reason, size_t size)
{
    switch (action) {
    case MACHINE_START:
        return start(vm, reason, size);
    case MACHINE_KILL:
        return kill(vm, reason, size);
    case MACHINE_POWER_BUTTON:
        return vms_press_power_button(vm, reason, size);
    case MACHINE_RESET:
        return vms_reset(vm, reason, size);
    case MACHINE_PAUSE:
        return vms_pause(vm, reason, size);
    case MACHINE_RESUME:
        return vms_resume(vm, reason, size);
    case MACHINE_POWER_CYCLE:
        return power_cycle(vm, reason, size);
    case MACHINE_NMI:
        return vms_inject_nmi(vm, reason, size);
    case MACHINE_SHUT_DOWN_AND_START:
        return shut_down_and_start(vm, reason, size);
    }
    snprintf(reason, size, "there is no such action");
    return -EINVAL;
}

/* Whether the VM is to start from something that has to be fetched first. It is fetched before its
 * power is cut: if there is nothing to start from, it goes on. */
static bool wants_fetch(const struct managed_vm *vm, enum machine_action action)
{
    return vm->boot.override != MACHINE_OVERRIDE_DISABLED && vm->boot.url[0] != '\0' &&
           (action == MACHINE_START || action == MACHINE_POWER_CYCLE || action == MACHINE_RESET ||
            action == MACHINE_SHUT_DOWN_AND_START);
}

static int act(struct managed_vm *vm, enum machine_action action, uint64_t *task, char *reason,
               size_t size)
{
    bool runs = vm->vm && !vm_is_ending(vm->vm);

    if (!wants_fetch(vm, action)) {
        return machine_act_now(vm, action, reason, size);
    }
    if (runs ? action == MACHINE_START
             : action == MACHINE_RESET || action == MACHINE_SHUT_DOWN_AND_START) {
        snprintf(reason, size, runs ? "it is started already" : "it does not run");
        return -EBUSY;
    }
    /* A reset alone would not let go of what it runs from. */
    return machine_fetch_for_vm(vm, action == MACHINE_RESET ? MACHINE_POWER_CYCLE : action, task,
                                reason, size);
}

int machine_act(const char *name, enum machine_action action, uint64_t *task, char *reason,
                size_t size)
{
    struct managed_vm *vm;
    int error = -ENOENT;

    *task = 0;
    vms_lock();
    vm = machine_find_vm(name, reason, size);
    if (vm) {
        error = act(vm, action, task, reason, size);
    }
    vms_unlock();
    return error;
}
