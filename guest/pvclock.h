/*
 * KVM's paravirtual clock and steal time (Linux, Documentation/virt/kvm/x86/{cpuid,msr}.rst), for
 * one vCPU: the guest names places in its memory by MSRs, and finds there how its TSC makes
 * nanoseconds, and how long the vCPU waited for a CPU that others had.
 *
 * The clock is the VM's clock, and the TSC of the machine is its only source. So what is in the
 * guest's memory stays right for ever, wherever the vCPU runs, and is the same for all vCPUs of a
 * VM, until the guest sets a TSC. Nothing has to be written when a vCPU moves, nor after a pause,
 * in which both stand still.
 *
 * Everything here is by the vCPU's own CPU, or while the vCPU stands still.
 */
#ifndef GUEST_PVCLOCK_H
#define GUEST_PVCLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/memory.h"

#define MSR_KVM_WALL_CLOCK      0x11u /* the first edition's numbers, of Intel's range */
#define MSR_KVM_SYSTEM_TIME     0x12u
#define MSR_KVM_WALL_CLOCK_NEW  0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u
#define MSR_KVM_STEAL_TIME      0x4b564d03u

/* Features in EAX of CPUID leaf 0x40000001. */
#define KVM_FEATURE_CLOCKSOURCE            (1u << 0)
#define KVM_FEATURE_NOP_IO_DELAY           (1u << 1) /* ports need no delays */
#define KVM_FEATURE_CLOCKSOURCE2           (1u << 3) /* the clock's new MSRs */
#define KVM_FEATURE_STEAL_TIME             (1u << 5)
#define KVM_FEATURE_CLOCKSOURCE_STABLE_BIT (1u << 24) /* PVCLOCK_TSC_STABLE means something */

/* Where an MSR says "in use". */
#define PVCLOCK_MSR_ENABLE UINT64_C(1)

#define PVCLOCK_TSC_STABLE (1u << 0) /* all vCPUs read the same time at the same moment */

/* What MSR_KVM_SYSTEM_TIME points to; 4-byte aligned. While `version` is odd, or if it has changed
 * meanwhile, what was read is not one state. The clock says
 * system_time + ((TSC - tsc_timestamp) << tsc_shift) * tsc_to_system_mul / 2^32 nanoseconds. */
struct pvclock_vcpu_time_info {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift; /* negative: to the right */
    uint8_t flags;
    uint8_t pad[2];
} __attribute__((packed));

/* What MSR_KVM_WALL_CLOCK points to; 4-byte aligned. The time of day when the clock was 0. */
struct pvclock_wall_clock {
    uint32_t version;
    uint32_t sec; /* since 1970-01-01 UTC */
    uint32_t nsec;
} __attribute__((packed));

#define KVM_VCPU_PREEMPTED 1u

/* What MSR_KVM_STEAL_TIME points to; 64-byte aligned. */
struct kvm_steal_time {
    uint64_t steal; /* ns that the vCPU could have run and did not */
    uint32_t version;
    uint32_t flags;
    uint8_t preempted; /* KVM_VCPU_PREEMPTED: it could run, and does not */
    uint8_t pad0[3];
    uint32_t pad[11];
};

_Static_assert(sizeof(struct pvclock_vcpu_time_info) == 32, "as KVM lays it out");
_Static_assert(sizeof(struct pvclock_wall_clock) == 12, "as KVM lays it out");
_Static_assert(sizeof(struct kvm_steal_time) == 64, "as KVM lays it out");

/* ns = ((ticks << shift) * mul) >> 32; a negative shift is one to the right. */
struct pvclock_scale {
    uint32_t mul;
    int8_t shift;
};

/** For a TSC of 1 Hz to 8 GHz; never fast, and slow by less than 1 in 2^31. */
struct pvclock_scale pvclock_scale_of(uint64_t tsc_hz);

/* What the vCPUs of a VM have in common. */
struct pvclock_vm {
    struct guest_memory *memory;
    struct pvclock_scale scale;
    uint64_t wall_clock;     /* seconds since 1970-01-01 UTC when the VM's clock was 0 */
    uint64_t wall_clock_msr; /* as last written by any vCPU; atomically */
};

struct pvclock {
    struct pvclock_vm *vm;
    uint64_t tsc_at_zero; /* the vCPU's TSC when the VM's clock was 0 */
    bool stable;          /* PVCLOCK_TSC_STABLE */
    uint64_t system_time_msr;
    uint64_t steal_time_msr;
    uint64_t steal; /* as told last */
};

/** The state after RESET: nothing is in use. The pointer must outlive it. */
void pvclock_init(struct pvclock *clock, struct pvclock_vm *vm);

/** True for the MSRs that are answered here. */
bool pvclock_has_msr(uint32_t index);
/** Of one of them. */
uint64_t pvclock_msr_read(const struct pvclock *clock, uint32_t index);
/** Of one of them; false: #GP(0). A place that is no RAM is accepted, as by KVM, and then nothing
 * is written. */
bool pvclock_msr_write(struct pvclock *clock, uint32_t index, uint64_t value);

/** The vCPU's TSC has been set, or another's: `tsc_at_zero` is what its TSC was when the VM's clock
 * was 0 (modulo 2^64), `stable` tells whether that is so for all vCPUs. */
void pvclock_set_tsc(struct pvclock *clock, uint64_t tsc_at_zero, bool stable);

/** The vCPU is about to run and has waited so long in all: ns since its RESET. */
void pvclock_set_steal(struct pvclock *clock, uint64_t steal);
/** It could run on and will not, or it is about to run again. */
void pvclock_set_preempted(struct pvclock *clock, bool preempted);

#endif
