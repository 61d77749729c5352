/*
 * The VMs of this machine as a person deals with them: defined by descriptions, started, paused,
 * stopped and deleted. Only a started VM has memory, devices and vCPUs (struct vm); when it has
 * ended, all of that is given back, and what remains is its definition and what it did.
 *
 * All by one thread.
 */
#ifndef MANAGE_VMS_H
#define MANAGE_VMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/console.h"
#include "guest/description.h"
#include "guest/vm_statistics.h"

#define VMS_MAX 64u

/* What is known of a VM that has ended. */
struct vm_past {
    struct vcpu_statistics vcpus[DESCRIPTION_VCPUS_MAX];
    struct exit_statistics exits[VM_EXIT_KINDS];
};

struct managed_vm {
    uint64_t id; /* no other VM ever had it */
    struct vm_description description;
    struct console console;
    struct vm *vm;        /* NULL: it is not started */
    struct vm_past *past; /* NULL: it has not ended, or there was no memory to keep it */
    bool started;         /* ever */
};

/** `notify` is called, in any context, when a VM has ended or has something to show. */
void vms_init(void (*notify)(void));
/** Defines the VMs of all descriptions among the boot modules (names ending in .json, or the one
 * that the kernel option `vms=` names). What is wrong is logged and left out. */
void vms_define_all(void);

unsigned vms_count(void);
/** VMs in the order in which they were defined; NULL past the last. */
struct managed_vm *vms_get(unsigned index);
struct managed_vm *vms_find(const char *name);
/** "defined", "running", "paused" or "stopped". */
const char *vms_state(const struct managed_vm *vm);

/* 0, or a negative errno and why in `reason`. */

/** Defines the VM of that name, which was deleted or is described by a file that was not read. */
int vms_define(const char *name, char *reason, size_t size);
int vms_start(struct managed_vm *vm, char *reason, size_t size);
int vms_pause(struct managed_vm *vm, char *reason, size_t size);
int vms_resume(struct managed_vm *vm, char *reason, size_t size);
int vms_reset(struct managed_vm *vm, char *reason, size_t size);
int vms_press_power_button(struct managed_vm *vm, char *reason, size_t size);
/** The VM ends soon: vms_release does the rest. */
int vms_kill(struct managed_vm *vm, char *reason, size_t size);
/** Forgets a VM that is not started; `vm` is gone then. */
int vms_delete(struct managed_vm *vm, char *reason, size_t size);

/** True if a VM was started and has ended, and vms_release is to be called. */
bool vms_ended(const struct managed_vm *vm);
/** Logs how it ended and gives back what only a started VM has. */
void vms_release(struct managed_vm *vm);

void vms_vcpu_statistics(const struct managed_vm *vm, unsigned index,
                         struct vcpu_statistics *statistics);
void vms_exit_statistics(const struct managed_vm *vm, enum vm_exit_kind kind,
                         struct exit_statistics *statistics);

#endif
