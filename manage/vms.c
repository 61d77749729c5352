#include "manage/vms.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/vm.h"
#include "kernel/log.h"
#include "kernel/memory/heap.h"
#include "kernel/mutex.h"
#include "kernel/panic.h"
#include "kernel/time.h"
#include "manage/events.h"
#include "manage/vm_files.h"

static struct mutex mutex;
static struct managed_vm *vms[VMS_MAX];
static unsigned count;
static struct managed_vm *deleted; /* until the console's thread has freed them */
static uint64_t last_id;
static void (*notify)(void);
static void (*watcher)(void);

void vms_init(void (*notify_function)(void), void (*watcher_function)(void))
{
    notify = notify_function;
    watcher = watcher_function;
}

void vms_lock(void)
{
    mutex_lock(&mutex);
}

void vms_unlock(void)
{
    mutex_unlock(&mutex);
}

unsigned vms_count(void)
{
    ASSERT(mutex_is_mine(&mutex), "whoever deals with VMs has their lock");
    return count;
}

struct managed_vm *vms_get(unsigned index)
{
    return index < vms_count() ? vms[index] : NULL;
}

struct managed_vm *vms_find(const char *name)
{
    for (unsigned i = 0; i < vms_count(); i++) {
        if (strcmp(vms[i]->description.name, name) == 0) {
            return vms[i];
        }
    }
    return NULL;
}

struct managed_vm *vms_find_id(uint64_t id)
{
    for (unsigned i = 0; i < vms_count(); i++) {
        if (vms[i]->id == id) {
            return vms[i];
        }
    }
    return NULL;
}

enum machine_vm_state vms_state(const struct managed_vm *vm)
{
    if (!vm->vm) {
        return vm->starts > 0 ? MACHINE_STOPPED : MACHINE_DEFINED;
    }
    switch ((enum vm_state)__atomic_load_n(&vm->vm->state, __ATOMIC_RELAXED)) {
    case VM_READY:
        return MACHINE_DEFINED;
    case VM_RUNNING:
        return MACHINE_RUNNING;
    case VM_PAUSED:
        return MACHINE_PAUSED;
    case VM_STOPPED:
        break;
    }
    return MACHINE_STOPPED;
}

const char *vms_state_name(const struct managed_vm *vm)
{
    static const char *const names[] = {
        [MACHINE_DEFINED] = "defined",
        [MACHINE_RUNNING] = "running",
        [MACHINE_PAUSED] = "paused",
        [MACHINE_STOPPED] = "stopped",
    };

    return names[vms_state(vm)];
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
    if (vm) {
        vm->console.ring = kmalloc(CONSOLE_RING_SIZE);
    }
    if (!vm || !vm->console.ring) {
        kfree(vm);
        return -ENOMEM;
    }
    vm->id = ++last_id;
    vm->description = *description;
    vm->console.notify = notify;
    vm->console.watcher = watcher;
    vms[count++] = vm;
    log_info("vm %s: %lu MiB, %u vCPU%s, image %s", description->name, description->memory >> 20,
             description->vcpus, description->vcpus > 1 ? "s" : "", description->image);
    events_post(MACHINE_EVENT_VM_ADDED, description->name, "defined");
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

/* Tells the console's thread of a new VM, and everybody of an error. */
static int defined(int error, char *reason, size_t size)
{
    if (error) {
        snprintf(reason, size, "%s", why_not_defined(error));
    } else {
        notify();
    }
    return error;
}

int vms_define(const struct vm_description *description, char *reason, size_t size)
{
    return defined(define(description), reason, size);
}

int vms_define_again(const char *name, char *reason, size_t size)
{
    struct wanted wanted = {name, -ENOENT};

    if (vms_find(name)) {
        wanted.error = -EEXIST;
    } else {
        vm_files_read(define_wanted, &wanted);
    }
    return defined(wanted.error, reason, size);
}

int vms_delete(struct managed_vm *vm, char *reason, size_t size)
{
    unsigned index = 0;

    if (vm->vm) {
        snprintf(reason, size, "it runs (kill or stop it first)");
        return -EBUSY;
    }
    if (vm->fetch) {
        snprintf(reason, size, "an image is being fetched for it (task %lu)", vm->fetch);
        return -EBUSY;
    }
    while (vms[index] != vm) {
        index++;
    }
    log_info("vm %s: deleted", vm->description.name);
    events_post(MACHINE_EVENT_VM_REMOVED, vm->description.name, "deleted");
    for (count--; index < count; index++) {
        vms[index] = vms[index + 1];
    }
    vm->next_deleted = deleted;
    deleted = vm;
    notify();
    return 0;
}

struct managed_vm *vms_take_deleted(void)
{
    struct managed_vm *vm;

    vms_lock();
    vm = deleted;
    if (vm) {
        deleted = vm->next_deleted;
    }
    vms_unlock();
    return vm;
}

void vms_free(struct managed_vm *vm)
{
    vms_lock();
    vms_set_next(vm, NULL);
    vms_unlock();
    kfree(vm->past);
    kfree(vm->console.ring);
    kfree(vm);
}
