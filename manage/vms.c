#include "manage/vms.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/vm.h"
#include "kernel/log.h"
#include "kernel/memory/heap.h"
#include "manage/vm_files.h"

static struct managed_vm *vms[VMS_MAX];
static unsigned count;
static uint64_t last_id;
static void (*notify)(void);

void vms_init(void (*function)(void))
{
    notify = function;
}

unsigned vms_count(void)
{
    return count;
}

struct managed_vm *vms_get(unsigned index)
{
    return index < count ? vms[index] : NULL;
}

struct managed_vm *vms_find(const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(vms[i]->description.name, name) == 0) {
            return vms[i];
        }
    }
    return NULL;
}

const char *vms_state(const struct managed_vm *vm)
{
    if (!vm->vm) {
        return vm->started ? "stopped" : "defined";
    }
    switch ((enum vm_state)__atomic_load_n(&vm->vm->state, __ATOMIC_RELAXED)) {
    case VM_READY:
        return "defined";
    case VM_RUNNING:
        return "running";
    case VM_PAUSED:
        return "paused";
    case VM_STOPPED:
        break;
    }
    return "stopped";
}

static int define(const struct vm_description *description)
{
    struct managed_vm *vm;

    if (vms_find(description->name)) {
        return -EEXIST;
    }
    if (count == VMS_MAX) {
        return -ENOSPC;
    }
    vm = kzalloc(sizeof(*vm));
    if (!vm) {
        return -ENOMEM;
    }
    vm->id = ++last_id;
    vm->description = *description;
    vm->console.notify = notify;
    vms[count++] = vm;
    log_info("vm %s: %lu MiB, %u vCPU%s, image %s", description->name, description->memory >> 20,
             description->vcpus, description->vcpus > 1 ? "s" : "", description->image);
    return 0;
}

static const char *why_not_defined(int error)
{
    switch (error) {
    case -EEXIST:
        return "there is a VM of that name already";
    case -ENOSPC:
        return "there are as many VMs as there can be";
    case -ENOENT:
        return "no description has a VM of that name";
    default:
        return "no memory for it";
    }
}

static void define_one(void *context, const struct vm_description *description)
{
    int error = define(description);

    (void)context;
    if (error) {
        log_error("vm %s: not defined: %s", description->name, why_not_defined(error));
    }
}

void vms_define_all(void)
{
    vm_files_read(define_one, NULL);
}

struct wanted {
    const char *name;
    int error;
};

static void define_wanted(void *context, const struct vm_description *description)
{
    struct wanted *wanted = context;

    if (strcmp(description->name, wanted->name) == 0) {
        wanted->error = define(description);
    }
}

int vms_define(const char *name, char *reason, size_t size)
{
    struct wanted wanted = {name, -ENOENT};

    if (vms_find(name)) {
        wanted.error = -EEXIST;
    } else {
        vm_files_read(define_wanted, &wanted);
    }
    if (wanted.error) {
        snprintf(reason, size, "%s", why_not_defined(wanted.error));
    }
    return wanted.error;
}

int vms_start(struct managed_vm *vm, char *reason, size_t size)
{
    int error;

    if (vm->vm) {
        snprintf(reason, size, "it is started already");
        return -EBUSY;
    }
    if (!virt) {
        snprintf(reason, size, "no VM can run on this machine");
        return -ENODEV;
    }
    error = vm_create(&vm->vm, &vm->description, &vm->console);
    if (error) {
        snprintf(reason, size, "it cannot be made, see the log");
        return error;
    }
    kfree(vm->past);
    vm->past = NULL;
    vm->started = true;
    vm->vm->ended = notify;
    error = vm_start(vm->vm);
    if (error) {
        snprintf(reason, size, "%s", vm->vm->stop_reason);
        notify();
    }
    return error;
}

/* Does it, if the VM is started, and says why if it cannot be done; `refusal` if it is the VM's
 * state. */
static int control(struct managed_vm *vm, int (*function)(struct vm *), const char *done,
                   const char *refusal, char *reason, size_t size)
{
    int error = -EINVAL;

    if (!vm->vm || vm->vm->state == VM_STOPPED) {
        snprintf(reason, size, "it does not run");
        return error;
    }
    error = function(vm->vm);
    if (error == -EAGAIN) {
        snprintf(reason, size, "it is paused");
    } else if (error == -EOPNOTSUPP) {
        snprintf(reason, size, "the guest does not listen to its power button now");
    } else if (error) {
        snprintf(reason, size, "%s", refusal);
    } else {
        log_info("vm %s: %s", vm->description.name, done);
    }
    return error;
}

int vms_pause(struct managed_vm *vm, char *reason, size_t size)
{
    return control(vm, vm_pause, "paused", "it is paused already", reason, size);
}

int vms_resume(struct managed_vm *vm, char *reason, size_t size)
{
    return control(vm, vm_resume, "resumed", "it is not paused", reason, size);
}

int vms_reset(struct managed_vm *vm, char *reason, size_t size)
{
    return control(vm, vm_reset, "reset button pressed", "it does not run any more", reason, size);
}

int vms_press_power_button(struct managed_vm *vm, char *reason, size_t size)
{
    return control(vm, vm_press_power_button, "power button pressed", "it does not run any more",
                   reason, size);
}

int vms_kill(struct managed_vm *vm, char *reason, size_t size)
{
    return control(vm, vm_kill, "power cut", "it does not run any more", reason, size);
}

int vms_delete(struct managed_vm *vm, char *reason, size_t size)
{
    unsigned index = 0;

    if (vm->vm) {
        snprintf(reason, size, "it runs (kill or stop it first)");
        return -EBUSY;
    }
    while (vms[index] != vm) {
        index++;
    }
    log_info("vm %s: deleted", vm->description.name);
    for (count--; index < count; index++) {
        vms[index] = vms[index + 1];
    }
    kfree(vm->past);
    kfree(vm);
    return 0;
}

bool vms_ended(const struct managed_vm *vm)
{
    return vm->vm && vm_ended(vm->vm);
}

/* Without memory for it, nothing is known of it later. */
static void remember(struct managed_vm *vm)
{
    vm->past = kmalloc(sizeof(*vm->past));
    if (!vm->past) {
        return;
    }
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        vm_vcpu_statistics(vm->vm, i, &vm->past->vcpus[i]);
    }
    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        vm_exit_statistics(vm->vm, (enum vm_exit_kind)kind, &vm->past->exits[kind]);
    }
}

void vms_release(struct managed_vm *vm)
{
    vm_log_end(vm->vm);
    remember(vm);
    vm_destroy(vm->vm);
    vm->vm = NULL;
}

void vms_vcpu_statistics(const struct managed_vm *vm, unsigned index,
                         struct vcpu_statistics *statistics)
{
    if (vm->vm) {
        vm_vcpu_statistics(vm->vm, index, statistics);
    } else if (vm->past) {
        *statistics = vm->past->vcpus[index];
    } else {
        *statistics = (struct vcpu_statistics){.activity = VCPU_IS_STOPPED, .cpu = -1};
    }
}

void vms_exit_statistics(const struct managed_vm *vm, enum vm_exit_kind kind,
                         struct exit_statistics *statistics)
{
    if (vm->vm) {
        vm_exit_statistics(vm->vm, kind, statistics);
    } else if (vm->past) {
        *statistics = vm->past->exits[kind];
    } else {
        memset(statistics, 0, sizeof(*statistics));
    }
}
