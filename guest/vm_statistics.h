/*
 * What a VM has used and done so far, for people.
 */
#ifndef GUEST_VM_STATISTICS_H
#define GUEST_VM_STATISTICS_H

#include <stdint.h>

#include "guest/vm.h"

enum vcpu_activity {
    VCPU_IS_STOPPED, /* has no thread: not started yet, or at its end */
    VCPU_IS_PAUSED,
    VCPU_IS_RUNNING,
    VCPU_IS_READY,   /* waits for a CPU */
    VCPU_IS_HALTED,  /* waits for an interrupt */
    VCPU_IS_OFFLINE, /* waits for a start-up IPI */
};

struct vcpu_statistics {
    enum vcpu_activity activity;
    int cpu;             /* index of the CPU its thread is on, -1: it has none */
    uint64_t run_time;   /* ns of CPU time */
    uint64_t steal_time; /* ns in which it could have run, and its CPU was busy with others */
    uint64_t exits;
};

/* Exits of all vCPUs together. */
struct exit_statistics {
    uint64_t count;
    uint64_t ticks_log2[VIRT_TICKS_BUCKETS]; /* see struct virt_vcpu */
};

/** Any thread that knows that the VM is not being destroyed meanwhile. */
void vm_vcpu_statistics(struct vm *vm, unsigned index, struct vcpu_statistics *statistics);
void vm_exit_statistics(const struct vm *vm, enum vm_exit_kind kind,
                        struct exit_statistics *statistics);

/** Logs how the VM ended and its exits by kind. */
void vm_log_end(const struct vm *vm);

#endif
