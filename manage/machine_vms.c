/* VMs as the table of functions shows them, and what is said about them rather than done to them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/vm.h"
#include "kernel/memory/heap.h"
#include "manage/events.h"
#include "manage/fetch/url.h"
#include "manage/machine_parts.h"

struct managed_vm *machine_find_vm(const char *name, char *reason, size_t size)
{
    struct managed_vm *vm = vms_find(name);

    if (!vm) {
        snprintf(reason, size, "there is no VM of that name");
    }
    return vm;
}

unsigned machine_vm_count(void)
{
    unsigned count;

    vms_lock();
    count = vms_count();
    vms_unlock();
    return count;
}

static void describe(struct managed_vm *vm, struct machine_vm *out)
{
    memset(out, 0, sizeof(*out));
    out->id = vm->id;
    out->state = vms_state(vm);
    out->starting = vm->fetch != 0;
    out->ending = vm->vm && vm_is_ending(vm->vm);
    out->description = vm->description;
    out->boot = vm->boot;
    out->started_at = vm->started_at;
    out->starts = vm->starts;
    out->console_bytes = console_sent(&vm->console);
    memcpy(out->stop_reason, vm->stop_reason, sizeof(vm->stop_reason));
    if (vm->vm) {
        out->memory_touched = guest_memory_touched(&vm->vm->memory);
    }
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        vms_vcpu_statistics(vm, i, &out->vcpus[i]);
        out->steal_time += out->vcpus[i].steal_time;
    }
}

_Static_assert(VM_STOP_REASON_SIZE <= MACHINE_REASON_SIZE, "a reason fits");

bool machine_get_vm(unsigned index, struct machine_vm *out)
{
    struct managed_vm *vm;

    vms_lock();
    vm = vms_get(index);
    if (vm) {
        describe(vm, out);
    }
    vms_unlock();
    return vm != NULL;
}

bool machine_get_vm_by_name(const char *name, struct machine_vm *out)
{
    struct managed_vm *vm;

    vms_lock();
    vm = vms_find(name);
    if (vm) {
        describe(vm, out);
    }
    vms_unlock();
    return vm != NULL;
}

bool machine_get_exits(const char *name, struct exit_statistics exits[static VM_EXIT_KINDS])
{
    const struct managed_vm *vm;

    vms_lock();
    vm = vms_find(name);
    for (unsigned kind = 0; vm && kind < VM_EXIT_KINDS; kind++) {
        vms_exit_statistics(vm, (enum vm_exit_kind)kind, &exits[kind]);
    }
    vms_unlock();
    return vm != NULL;
}

struct report {
    char *reason;
    size_t size;
};

static void take_report(void *context, const char *message)
{
    const struct report *report = context;

    snprintf(report->reason, report->size, "%s", message);
}

int machine_define(const char *json, size_t length, char name[DESCRIPTION_NAME_SIZE], char *reason,
                   size_t size)
{
    struct report report = {reason, size};
    struct vm_description *description = kmalloc(sizeof(*description));
    int error;

    if (!description) {
        snprintf(reason, size, "the kernel heap is exhausted");
        return -ENOMEM;
    }
    error = description_parse_one("description", json, length, description, take_report, &report);
    if (!error) {
        vms_lock();
        error = vms_define(description, reason, size);
        vms_unlock();
        memcpy(name, description->name, DESCRIPTION_NAME_SIZE);
    }
    kfree(description);
    return error;
}

int machine_delete(const char *name, char *reason, size_t size)
{
    struct managed_vm *vm;
    int error = -ENOENT;

    vms_lock();
    vm = machine_find_vm(name, reason, size);
    if (vm) {
        vm = machine_wait_for_end(vm);
        error = vm ? vms_delete(vm, reason, size) : 0; /* somebody else was faster */
    }
    vms_unlock();
    return error;
}

int machine_set_boot(const char *name, const struct machine_boot *boot, char *reason, size_t size)
{
    struct managed_vm *vm;
    struct url url;
    int error = boot->url[0] != '\0' ? url_parse(boot->url, &url, reason, size) : 0;

    if (error) {
        return error;
    }
    vms_lock();
    vm = machine_find_vm(name, reason, size);
    if (vm) {
        vm->boot = *boot;
        vms_set_next(vm, NULL);
        events_post(MACHINE_EVENT_VM_CHANGED, name, "boot override: %s",
                    boot->override == MACHINE_OVERRIDE_DISABLED ? "none" : boot->url);
    }
    vms_unlock();
    return vm ? 0 : -ENOENT;
}

int machine_set_share(const char *name, uint32_t weight, uint32_t cap, char *reason, size_t size)
{
    struct managed_vm *vm;
    int error = -ENOENT;

    vms_lock();
    vm = machine_find_vm(name, reason, size);
    if (vm) {
        error = vms_set_share(vm, weight, cap, reason, size);
    }
    vms_unlock();
    return error;
}
