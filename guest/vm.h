/*
 * A virtual machine: memory, buses, devices and vCPUs, from its description to its end.
 *
 * Its vCPUs run on any CPUs at the same time. What they share besides memory, the devices on the
 * buses and their timers, is used under vm_lock_devices; each vCPU's local APIC is its own.
 */
#ifndef GUEST_VM_H
#define GUEST_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/bus.h"
#include "guest/console.h"
#include "guest/description.h"
#include "guest/loader/boot_state.h"
#include "guest/memory.h"
#include "guest/pc.h"
#include "guest/policy/control_registers.h"
#include "guest/policy/cpuid.h"
#include "guest/pvclock.h"
#include "guest/timer.h"
#include "guest/vcpu.h"
#include "kernel/cpu/spinlock.h"
#include "virt/vcpu.h"

#define VM_STOP_REASON_SIZE 192

/* READY: made, and not started yet. STOPPED: for good; it can be destroyed once vm_ended. */
enum vm_state { VM_READY, VM_RUNNING, VM_PAUSED, VM_STOPPED };

/* What the guest, a device model or somebody outside asked for. All vCPUs stop for it; the first
 * one's thread acts, and alone takes requests back: while there is one, none of the others goes
 * on. */
enum vm_request {
    VM_REQUEST_STOP = 1u << 0, /* stop_reason says why */
    VM_REQUEST_RESET = 1u << 1,
    /* Changed under the device lock. The pause lasts until its end is asked for, too. */
    VM_REQUEST_PAUSE = 1u << 2,
    VM_REQUEST_RESUME = 1u << 3,
};

/* What a VM is started from, anew at each reset. The bytes stay where they are, and as they are,
 * until it is destroyed; the names too. */
struct vm_images {
    struct guest_image image; /* data NULL: there is none of its name */
    enum boot_kind boot;      /* what `image` is */
    struct guest_image once;  /* in its place until the first reset; data NULL: none */
    enum boot_kind once_boot;
    struct guest_image initrd;                           /* for a Linux kernel; data NULL: none */
    struct guest_image modules[DESCRIPTION_MODULES_MAX]; /* as described; for a multiboot image */
};

struct vm {
    struct vm_description description;
    struct vm_images images;
    unsigned state;    /* enum vm_state; changed under the device lock */
    unsigned requests; /* enum vm_request bits; any CPU, atomically */
    unsigned stopped;  /* vCPUs but the first that have stopped for a request; device lock */
    unsigned epoch;    /* counts requests that were acted on; device lock */
    unsigned threads;  /* of its vCPUs that have not ended; atomically */
    /* Told, by a vCPU's thread, when its state has changed, it was reset, or the last of its
     * threads has ended; NULL: nobody. */
    void (*changed)(void);
    uint64_t paused_tsc; /* host TSC when it was paused; device lock */

    struct spinlock device_lock;
    struct percpu *device_cpu; /* who has the lock */
    unsigned device_depth;     /* how often, less one */
    struct vcpu *device_user;  /* in whose name; NULL: none of its vCPUs */
    uint64_t device_deadline;  /* of the first device timer, VM clock; any CPU, atomically */
    uint64_t eoi_exits[4];     /* see virt_ops.set_eoi_exits; device lock */
    char stop_reason[VM_STOP_REASON_SIZE];
    struct guest_memory memory;
    struct virt_space *space;
    struct port_bus ports;
    struct timer_queue timers;
    uint64_t clock_start; /* ns since boot when the VM's clock was 0 */
    uint64_t tsc_start;   /* host TSC at that moment: the guest's TSC starts at 0 */
    struct pvclock_vm pvclock;
    struct cpuid_policy cpuid;
    struct control_policy control;
    struct console *console; /* outlives the VM */
    struct pc pc;
    struct vcpu *vcpus;     /* as many as are described */
    struct thread_cap *cap; /* of their threads; NULL: none */
    unsigned resets;
    uint64_t reset_told;                 /* ns since boot when the log last said so */
    uint64_t intercepted_exceptions[32]; /* for the test device */
};

/**
 * Makes a VM and loads its images. 0, or a negative errno and why in `reason` (logged, too); then
 * nothing is kept and *vm is NULL. By a thread, which may be busy with it for a while.
 */
int vm_create(struct vm **vm, const struct vm_description *description,
              const struct vm_images *images, struct console *console, char *reason, size_t size);
/** Gives everything back. It was never started, or it has vm_ended. */
void vm_destroy(struct vm *vm);

/** Asks the VM to stop; the first reason given counts. From inside an exit of one of its vCPUs. */
void vm_stop(struct vm *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Asks all vCPUs to stop for these requests. From inside an exit of one of them. */
void vm_request(struct vm *vm, unsigned requests);
/** Back to power-on: memory cleared, devices and vCPUs reset, images loaded again. 0 or negative
 * errno, logged. By the first vCPU's thread, when all have stopped. */
int vm_restart(struct vm *vm);

/** Starts its vCPUs, each with a thread of its own that has the share of the CPUs which the
 * description says. 0; or -ENOMEM, -EINVAL (it may run on none of the CPUs), -ENOSPC or -EBUSY (it
 * reserves more than there is). Then it has stopped, and stop_reason says why. In vcpu_thread.c. */
int vm_start(struct vm *vm);

/*
 * From outside, by any thread that knows that the VM is not being destroyed meanwhile; in
 * vm_control.c. They ask and do not wait: vCPUs stop when they next leave the guest. -EINVAL if the
 * VM neither runs nor is paused, or for vm_pause and vm_resume if it is so already.
 */

/** Its vCPUs stop, and its clock and TSC stand still. */
int vm_pause(struct vm *vm);
int vm_resume(struct vm *vm);
/** As its reset button; a paused VM stays paused. */
int vm_reset(struct vm *vm);
/** Presses its power button. -EAGAIN if it is paused, -EOPNOTSUPP if the guest does not listen. */
int vm_press_power_button(struct vm *vm);
/** Cuts its power. */
int vm_kill(struct vm *vm);
/** Sends its first vCPU an NMI; a paused one gets it when it goes on. */
int vm_inject_nmi(struct vm *vm);
/** Changes the weight of each vCPU and the cap of all (kernel/thread.h), 0: as it is. -EOPNOTSUPP
 * if there is no cap to change; -ERANGE; -EBUSY if more is reserved than that. */
int vm_set_share(struct vm *vm, uint32_t weight, uint32_t cap);
/** True if it runs towards its end, or is there. */
bool vm_is_ending(const struct vm *vm);
/** True if it has stopped, and none of its threads is left. */
bool vm_ended(const struct vm *vm);

/** The pause begins or ends; nothing happens if it has already. By the first vCPU's thread, when
 * all have stopped. */
void vm_begin_pause(struct vm *vm);
/** True if the pause that was asked for is to end, or not to be at all; then that is settled. */
bool vm_drop_pause(struct vm *vm);
void vm_end_pause(struct vm *vm);

/** The devices are this CPU's until vm_unlock_devices, which belongs to it; `user`: the vCPU in
 * whose name they are used, or NULL. May be taken again by who has it. Interrupts off. */
void vm_lock_devices(struct vm *vm, struct vcpu *user);
void vm_unlock_devices(struct vm *vm);

/** Nanoseconds of the clock of `vm`, a struct vm. Any CPU. */
uint64_t vm_clock(void *vm);
/** Runs the devices' timers that are due. */
void vm_run_timers(struct vm *vm);
/** Nanoseconds since the kernel booted when the devices' next timer is due; TIMER_NEVER for none.
 * Any CPU. */
static inline uint64_t vm_next_deadline(const struct vm *vm)
{
    uint64_t deadline = __atomic_load_n(&vm->device_deadline, __ATOMIC_RELAXED);

    return deadline == TIMER_NEVER ? TIMER_NEVER : deadline + vm->clock_start;
}
/** Moves typed keys from the console to the UART and lets a waiting transmitter go on, if the VM
 * runs. True if keys are left. */
bool vm_service_console(struct vm *vm);

#endif
