/* VMs from their start to their end, and what is done to them meanwhile. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/vm.h"
#include "kernel/log.h"
#include "kernel/memory/heap.h"
#include "kernel/time.h"
#include "manage/events.h"
#include "manage/vms.h"

/* A guest that does nothing but reset must not fill the ring of events. */
#define RESET_PERIOD_NS UINT64_C(1000000000)

/* Has an image that was fetched for it take the place of the described one: for its first run, or
 * for all until it is stopped. */
static void use_next(struct managed_vm *vm, struct image_set *set)
{
    struct image *image = vm->next;
    struct guest_image file = {image->name, image->data, image->size};
    enum boot_kind kind;

    if (!image_kind(image->data, image->size, &kind)) {
        kind = vm->description.boot; /* its loader says what is wrong */
    }
    set->uses[set->count++].image = image; /* whose holder is the set now */
    vm->next = NULL;
    if (vm->boot.override == MACHINE_OVERRIDE_ONCE) {
        set->images.once = file;
        set->images.once_boot = kind;
    } else {
        set->images.image = file;
        set->images.boot = kind;
    }
}

static int take_images(struct managed_vm *vm, char *reason, size_t size)
{
    struct image_set *set = kzalloc(sizeof(*set));
    int error;

    if (!set) {
        snprintf(reason, size, "the kernel heap is exhausted");
        return -ENOMEM;
    }
    error = image_set_take(set, &vm->description, vm->next != NULL, reason, size);
    if (error) {
        log_error("vm %s: %s", vm->description.name, reason);
        kfree(set);
        return error;
    }
    if (vm->next) {
        use_next(vm, set);
    }
    vm->images = set;
    return 0;
}

void vms_set_next(struct managed_vm *vm, struct image *image)
{
    if (vm->next) {
        image_drop(vm->next);
    }
    vm->next = image;
}

static void drop_images(struct managed_vm *vm)
{
    image_set_drop(vm->images);
    kfree(vm->images);
    vm->images = NULL;
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
    error = take_images(vm, reason, size);
    if (error) {
        return error;
    }
    error = vm_create(&vm->vm, &vm->description, &vm->images->images, &vm->console, reason, size);
    if (error) {
        drop_images(vm);
        return error;
    }
    if (vm->images->images.once.data) {
        vm->boot.override = MACHINE_OVERRIDE_DISABLED; /* that was the once */
    }
    kfree(vm->past);
    vm->past = NULL;
    vm->starts++;
    vm->started_at = time_ns();
    vm->start_again = false;
    vm->told = MACHINE_RUNNING;
    vm->resets_told = 0;
    vm->vm->changed = vm->console.notify;
    error = vm_start(vm->vm);
    vm->console.notify(); /* it has ended, or takes what was typed before */
    if (error) {
        snprintf(reason, size, "%s", vm->vm->stop_reason);
    } else {
        events_post(MACHINE_EVENT_VM_STATE, vm->description.name, "started");
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
        return -EBUSY;
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
    return error ? -EBUSY : 0;
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
    vm->start_again = false; /* a restart that was asked for before and did not come */
    return control(vm, vm_press_power_button, "power button pressed", "it does not run any more",
                   reason, size);
}

int vms_cut_power(struct managed_vm *vm, char *reason, size_t size)
{
    return control(vm, vm_kill, "power cut", "it does not run any more", reason, size);
}

int vms_kill(struct managed_vm *vm, char *reason, size_t size)
{
    bool was_on_its_way = vm->fetch != 0;

    vm->start_again = false;
    vm->fetch = 0;
    vms_set_next(vm, NULL);
    return was_on_its_way && !vm->vm ? 0 : vms_cut_power(vm, reason, size);
}

int vms_inject_nmi(struct managed_vm *vm, char *reason, size_t size)
{
    return control(vm, vm_inject_nmi, "NMI sent", "it does not run any more", reason, size);
}

static int share_error(const struct managed_vm *vm, int error, char *reason, size_t size)
{
    switch (error) {
    case 0:
        return 0;
    case -ERANGE:
        snprintf(reason, size, "the weight is %u to %u, the cap at most %u for %u vCPU%s",
                 DESCRIPTION_WEIGHT_MIN, DESCRIPTION_WEIGHT_MAX,
                 vm->description.vcpus * DESCRIPTION_CAP_PERCENT_MAX, vm->description.vcpus,
                 vm->description.vcpus > 1 ? "s" : "");
        return -EINVAL;
    case -EOPNOTSUPP:
        snprintf(reason, size, "it was started without a cap, and can have one when it has ended");
        return -EBUSY;
    case -EBUSY:
        snprintf(reason, size, "its vCPUs have more than that reserved");
        return -EBUSY;
    default:
        snprintf(reason, size, "it does not run any more");
        return -EBUSY;
    }
}

/* A VM that is not started has nothing but its description. */
static int check_share(const struct vm_description *description, uint32_t weight, uint32_t cap)
{
    const struct sched_description *sched = &description->sched;

    if (weight > DESCRIPTION_WEIGHT_MAX || cap > description->vcpus * DESCRIPTION_CAP_PERCENT_MAX) {
        return -ERANGE;
    }
    return cap != 0 && sched->budget * description->vcpus * 100 > cap * sched->period ? -EBUSY : 0;
}

int vms_set_share(struct managed_vm *vm, uint32_t weight, uint32_t cap, char *reason, size_t size)
{
    struct sched_description *sched = &vm->description.sched;
    int error =
        vm->vm ? vm_set_share(vm->vm, weight, cap) : check_share(&vm->description, weight, cap);

    if (!error) {
        sched->weight = weight != 0 ? weight : sched->weight;
        sched->cap = cap != 0 ? cap : sched->cap;
        events_post(MACHINE_EVENT_VM_CHANGED, vm->description.name, "weight %u, cap %u",
                    sched->weight, sched->cap);
    }
    return share_error(vm, error, reason, size);
}

bool vms_ended(const struct managed_vm *vm)
{
    return vm->vm && vm_ended(vm->vm);
}

/* Without memory for it, nothing is known of it later. */
static void remember(struct managed_vm *vm)
{
    snprintf(vm->stop_reason, sizeof(vm->stop_reason), "%s", vm->vm->stop_reason);
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
    char reason[MACHINE_REASON_SIZE];

    vm_log_end(vm->vm);
    remember(vm);
    vm_destroy(vm->vm);
    vm->vm = NULL;
    drop_images(vm);
    vm->told = MACHINE_STOPPED;
    events_post(MACHINE_EVENT_VM_STATE, vm->description.name, "ended: %s", vm->stop_reason);
    if (vm->start_again) {
        vm->start_again = false;
        if (time_ns() > vm->start_again_until) {
            vms_set_next(vm, NULL);
            return; /* it ends for a reason of its own */
        }
        if (vms_start(vm, reason, sizeof(reason)) != 0) {
            log_error("vm %s: not started again: %s", vm->description.name, reason);
            events_post(MACHINE_EVENT_VM_STATE, vm->description.name, "not started again: %s",
                        reason);
            snprintf(vm->stop_reason, sizeof(vm->stop_reason), "not started again: %.160s", reason);
        }
    }
}

static void watch(struct managed_vm *vm)
{
    enum machine_vm_state state = vms_state(vm);
    uint64_t now = time_ns();
    const char *name = vm->description.name;

    if (vm->vm && vm->vm->resets != vm->resets_told &&
        (vm->resets_told == 0 || now - vm->reset_told_at >= RESET_PERIOD_NS)) {
        vm->resets_told = vm->vm->resets;
        vm->reset_told_at = now;
        events_post(MACHINE_EVENT_VM_STATE, name, "was reset, number %u", vm->resets_told);
    }
    if (vm->told == MACHINE_RUNNING && state == MACHINE_PAUSED) {
        events_post(MACHINE_EVENT_VM_STATE, name, "paused");
    } else if (vm->told == MACHINE_PAUSED && state == MACHINE_RUNNING) {
        events_post(MACHINE_EVENT_VM_STATE, name, "resumed");
    } else {
        return; /* its start and its end are told when they come */
    }
    vm->told = state;
}

void vms_watch(void)
{
    struct managed_vm *vm;

    for (unsigned i = 0; (vm = vms_get(i)) != NULL; i++) {
        watch(vm);
    }
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
