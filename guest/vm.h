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

enum vm_state { VM_READY, VM_RUNNING, VM_STOPPED };

/* What the guest or a device model asked for. All vCPUs stop for it; the first one's thread acts.
 */
enum vm_request {
    VM_REQUEST_STOP = 1u << 0, /* stop_reason says why */
    VM_REQUEST_RESET = 1u << 1,
};

struct vm {
    struct vm_description description;
    unsigned state;      /* enum vm_state; changed under the device lock */
    unsigned requests;   /* enum vm_request bits; any CPU, atomically */
    unsigned stopped;    /* vCPUs but the first that have stopped for a request; device lock */
    unsigned epoch;      /* counts requests that were acted on; device lock */
    void (*ended)(void); /* told when the VM has stopped for good; NULL: nobody */

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
    struct console console;
    struct pc pc;
    struct vcpu vcpus[DESCRIPTION_VCPUS_MAX];
    struct thread_cap *cap; /* of their threads; NULL: none */
    unsigned resets;
    uint64_t reset_told;                 /* ns since boot when the log last said so */
    uint64_t intercepted_exceptions[32]; /* for the test device */
};

/**
 * Makes a VM and loads its images (boot modules by name). 0, or a negative errno with the reason
 * logged; then nothing is kept and *vm is NULL.
 */
int vm_create(struct vm **vm, const struct vm_description *description);
/** Gives everything back. */
void vm_destroy(struct vm *vm);

/** Asks the VM to stop; the first reason given counts. From inside an exit of one of its vCPUs. */
void vm_stop(struct vm *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Asks all vCPUs to stop for these requests. From inside an exit of one of them. */
void vm_request(struct vm *vm, unsigned requests);
/** Back to power-on: memory cleared, devices and vCPUs reset, images loaded again. 0 or negative
 * errno, logged. */
int vm_reset(struct vm *vm);

/** Starts its vCPUs, each with a thread of its own that has the share of the CPUs which the
 * description says. 0; or -ENOMEM, -EINVAL (it may run on none of the CPUs), -ENOSPC or -EBUSY (it
 * reserves more than there is), logged; then it has stopped. In vcpu_thread.c. */
int vm_start(struct vm *vm);

/** The devices are this CPU's until vm_unlock_devices, which belongs to it; `user`: the vCPU in
 * whose name they are used, or NULL. May be taken again by who has it. Interrupts off. */
void vm_lock_devices(struct vm *vm, struct vcpu *user);
void vm_unlock_devices(struct vm *vm);

/** Runs the devices' timers that are due. */
void vm_run_timers(struct vm *vm);
/** Nanoseconds since the kernel booted when the devices' next timer is due; TIMER_NEVER for none.
 * Any CPU. */
uint64_t vm_next_deadline(const struct vm *vm);
/** Moves typed keys from the console to the UART and lets a waiting transmitter go on, unless the
 * VM has stopped. True if keys are left. */
bool vm_service_console(struct vm *vm);

/** Logs how the VM ended and its exits by kind. */
void vm_log_end(const struct vm *vm);

#endif
