/*
 * The VMs of this machine as a person deals with them: defined by descriptions, started, paused,
 * stopped and deleted. Only a started VM has memory, devices and vCPUs (struct vm); when it has
 * ended, all of that is given back, and what remains is its definition and what it did.
 *
 * The console's thread and the network's deal with them: whoever does has the lock, and does not
 * use a VM after it let go of it, except the console's thread, which alone frees them.
 */
#ifndef MANAGE_VMS_H
#define MANAGE_VMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/console.h"
#include "guest/description.h"
#include "guest/vm_statistics.h"
#include "manage/images.h"
#include "manage/machine.h"

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
    struct vm *vm;              /* NULL: it is not started */
    struct image_set *images;   /* of a started VM */
    struct vm_past *past;       /* NULL: it has not ended, or there was no memory to keep it */
    uint64_t starts;            /* how often */
    uint64_t started_at;        /* ns since boot */
    bool start_again;           /* when it has ended, if that is not later than: */
    uint64_t start_again_until; /* ns since boot */
    struct machine_boot boot;
    struct image *next;  /* what it is started from the next time instead; NULL: as described */
    uint64_t watched_at; /* ns since boot: when a reader last began to wait for more */
    const void *writer;  /* who may type besides the machine's console; NULL: nobody */
    uint64_t fetch;      /* the task that fetches an image for it, 0: none */
    enum machine_vm_state told; /* what events have said last */
    unsigned resets_told;
    uint64_t reset_told_at;                /* ns since boot */
    char stop_reason[VM_STOP_REASON_SIZE]; /* how it ended last; "" if it never did */
    struct managed_vm *next_deleted;
    bool listed; /* by the console's thread, for itself */
};

/** `notify` is called, in any context, when a VM was defined, deleted, has changed or has something
 * to show; `watcher` when one of those whose consoles are watched has something. */
void vms_init(void (*notify)(void), void (*watcher)(void));
void vms_lock(void);
void vms_unlock(void);

/* With the lock. */

/** Defines the VMs of all descriptions among the boot modules (names ending in .json, or the one
 * that the kernel option `vms=` names). What is wrong is logged and left out. */
void vms_define_all(void);

unsigned vms_count(void);
/** VMs in the order in which they were defined; NULL past the last. */
struct managed_vm *vms_get(unsigned index);
struct managed_vm *vms_find(const char *name);
struct managed_vm *vms_find_id(uint64_t id);
enum machine_vm_state vms_state(const struct managed_vm *vm);
/** "defined", "running", "paused" or "stopped". */
const char *vms_state_name(const struct managed_vm *vm);

/* 0, or a negative errno and why in `reason`. */

/** Defines a VM. */
int vms_define(const struct vm_description *description, char *reason, size_t size);
/** Defines the VM of that name, which was deleted or is described by a file that was not read. */
int vms_define_again(const char *name, char *reason, size_t size);
int vms_start(struct managed_vm *vm, char *reason, size_t size);
int vms_pause(struct managed_vm *vm, char *reason, size_t size);
int vms_resume(struct managed_vm *vm, char *reason, size_t size);
int vms_reset(struct managed_vm *vm, char *reason, size_t size);
int vms_press_power_button(struct managed_vm *vm, char *reason, size_t size);
/** The VM ends soon: vms_release does the rest. */
int vms_cut_power(struct managed_vm *vm, char *reason, size_t size);
/** Likewise, and it stays off: what is on its way to start it is not any more. */
int vms_kill(struct managed_vm *vm, char *reason, size_t size);
int vms_inject_nmi(struct managed_vm *vm, char *reason, size_t size);
/** As vm_set_share, of a VM that does not run too. */
int vms_set_share(struct managed_vm *vm, uint32_t weight, uint32_t cap, char *reason, size_t size);
/** Has the VM start from this image the next time, in place of the described one; NULL: from that
 * again. The VM is its holder from now on. */
void vms_set_next(struct managed_vm *vm, struct image *image);
/** Forgets a VM that is not started; nobody finds it any more. */
int vms_delete(struct managed_vm *vm, char *reason, size_t size);

/** True if a VM was started and has ended, and vms_release is to be called. */
bool vms_ended(const struct managed_vm *vm);
/** Logs how it ended and gives back what only a started VM has; starts it again if that was asked
 * for. */
void vms_release(struct managed_vm *vm);
/** Posts events about what VMs did by themselves. */
void vms_watch(void);

void vms_vcpu_statistics(const struct managed_vm *vm, unsigned index,
                         struct vcpu_statistics *statistics);
void vms_exit_statistics(const struct managed_vm *vm, enum vm_exit_kind kind,
                         struct exit_statistics *statistics);

/* Without the lock, the console's thread alone. */

/** A VM that was deleted, and is to be freed when nothing of it is used any more; NULL if there is
 * none. */
struct managed_vm *vms_take_deleted(void);
void vms_free(struct managed_vm *vm);

#endif
