/*
 * The parts of struct machine (manage/machine.h), which are in one file each: machine_vms.c,
 * machine_actions.c, machine_fetch.c, machine_images.c, machine_consoles.c, machine_host.c. All by
 * the network's thread but machine_init.
 */
#ifndef MANAGE_MACHINE_PARTS_H
#define MANAGE_MACHINE_PARTS_H

#include "manage/machine.h"
#include "manage/vms.h"

/** Before there are VMs; `notify` as for vms_init. */
void machine_init(void (*notify)(void));

/** The VM of that name, with the lock; NULL, and why in `reason`. */
struct managed_vm *machine_find_vm(const char *name, char *reason, size_t size);

/* machine_vms.c */
unsigned machine_vm_count(void);
bool machine_get_vm(unsigned index, struct machine_vm *vm);
bool machine_get_vm_by_name(const char *name, struct machine_vm *vm);
bool machine_get_exits(const char *name, struct exit_statistics exits[static VM_EXIT_KINDS]);
int machine_define(const char *json, size_t length, char name[DESCRIPTION_NAME_SIZE], char *reason,
                   size_t size);
int machine_delete(const char *name, char *reason, size_t size);
int machine_set_boot(const char *name, const struct machine_boot *boot, char *reason, size_t size);
int machine_set_share(const char *name, uint32_t weight, uint32_t cap, char *reason, size_t size);

/* machine_actions.c */
int machine_act(const char *name, enum machine_action action, uint64_t *task, char *reason,
                size_t size);
/** Does it now, with the lock, which may be let go meanwhile. */
int machine_act_now(struct managed_vm *vm, enum machine_action action, char *reason, size_t size);
/** Waits a moment for a VM that is on its way to its end; the VM, or NULL if it is gone. With the
 * lock, which is let go meanwhile. */
struct managed_vm *machine_wait_for_end(struct managed_vm *vm);

/* machine_images.c */
bool machine_get_image(unsigned index, struct machine_image *image);
bool machine_get_image_by_name(const char *name, struct machine_image *image);
int machine_delete_image(const char *name, char *reason, size_t size);
int machine_image_begin(const char *name, uint64_t length, void **upload, char *reason,
                        size_t size);
int machine_image_data(void *upload, const void *bytes, size_t length, char *reason, size_t size);
int machine_image_end(void *upload, bool complete, char *reason, size_t size);

/* machine_fetch.c */
int machine_fetch_image(const char *name, const char *url, uint64_t *task, char *reason,
                        size_t size);
int machine_cancel_task(uint64_t id, char *reason, size_t size);
/** Fetches the image of the VM's boot override, and does the action then. -EINPROGRESS, or another
 * negative errno. With the lock. */
int machine_fetch_for_vm(struct managed_vm *vm, enum machine_action action, uint64_t *task,
                         char *reason, size_t size);
/** Breaks off what that task fetches, if there is such a one. With the lock. */
void machine_cancel_fetch(uint64_t task);

/* machine_consoles.c */
size_t machine_console_read(uint64_t vm_id, uint64_t *position, uint8_t *bytes, size_t size);
bool machine_console_claim(uint64_t vm_id, const void *writer, bool take);
bool machine_console_is_writer(uint64_t vm_id, const void *writer);
void machine_console_release(uint64_t vm_id, const void *writer);
size_t machine_console_type(uint64_t vm_id, const void *writer, const uint8_t *bytes,
                            size_t length);

/* machine_host.c */
void machine_get_host(struct machine_host *host);
bool machine_get_cpu(unsigned index, struct machine_cpu *cpu);
int machine_set_hostname(const char *name, char *reason, size_t size);
int machine_power(bool reset, char *reason, size_t size);

#endif
