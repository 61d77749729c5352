/*
 * A virtual machine: memory, buses, devices and vCPUs, from its description to its end.
 *
 * All of a VM runs on one CPU at a time; nothing here is locked.
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
#include "guest/timer.h"
#include "guest/vcpu.h"
#include "virt/vcpu.h"

#define VM_STOP_REASON_SIZE 192

enum vm_state { VM_READY, VM_RUNNING, VM_STOPPED };

/* What the guest or a device model asked for; acted on between two entries. */
enum vm_request {
    VM_REQUEST_STOP = 1u << 0, /* stop_reason says why */
    VM_REQUEST_RESET = 1u << 1,
    VM_REQUEST_RETRY =
        1u << 2, /* the instruction could not be carried out now: do it again later */
};

struct vm {
    struct vm_description description;
    enum vm_state state;
    unsigned requests; /* enum vm_request bits */
    char stop_reason[VM_STOP_REASON_SIZE];
    struct guest_memory memory;
    struct virt_space *space;
    struct port_bus ports;
    struct timer_queue timers;
    uint64_t clock_start; /* ns since boot when the VM's clock was 0 */
    uint64_t tsc_start;   /* host TSC at that moment: the guest's TSC starts at 0 */
    struct cpuid_policy cpuid;
    struct control_policy control;
    struct console console;
    struct pc pc;
    struct vcpu vcpus[DESCRIPTION_VCPUS_MAX];
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
/** Back to power-on: memory cleared, devices and vCPUs reset, images loaded again. 0 or negative
 * errno, logged. */
int vm_reset(struct vm *vm);

/** Runs the timers that are due. */
void vm_run_timers(struct vm *vm);
/** Nanoseconds since the kernel booted when the VM's next timer is due; TIMER_NEVER for none. */
uint64_t vm_next_deadline(const struct vm *vm);
/** Moves typed keys from the console to the UART and lets a waiting transmitter go on. */
void vm_service_console(struct vm *vm);
/** True if vm_service_console could move something now. */
bool vm_console_ready(const struct vm *vm);

/** Logs how the VM ended and its exits by kind. */
void vm_log_end(const struct vm *vm);

#endif
