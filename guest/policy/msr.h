/*
 * The model-specific registers of a vCPU: which exist, what they hold, what may be written. Default
 * deny: an MSR not known here does not exist, and RDMSR and WRMSR of it raise #GP(0) in the guest.
 * Those of the local APIC are its own matter (lapic_has_msr). No function here executes RDMSR or
 * WRMSR.
 */
#ifndef GUEST_POLICY_MSR_H
#define GUEST_POLICY_MSR_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/policy/control_registers.h"
#include "guest/policy/cpuid.h"
#include "guest/policy/mtrr.h"
#include "guest/pvclock.h"
#include "virt/vcpu.h"

enum msr_result { MSR_OK, MSR_FAULT /* #GP(0) */ };

/* The rest of the vCPU as the MSRs reach it. All are required. */
struct msr_environment {
    uint64_t (*get_register)(void *context, enum virt_register which);
    void (*set_register)(void *context, enum virt_register which, uint64_t value);
    uint64_t (*get_segment_base)(void *context, enum virt_segment which);
    void (*set_segment_base)(void *context, enum virt_segment which, uint64_t base);
    /* The host's TSC now. */
    uint64_t (*host_tsc)(void *context);
    void *context;
};

struct guest_msrs {
    const struct msr_environment *environment;
    const struct cpuid_policy *cpuid;
    const struct control_policy *control;
    struct pvclock *pvclock;
    uint64_t tsc_adjust;
    uint64_t misc_enable;
    uint64_t mcg_status;
    uint64_t bios_sign_id;
    struct mtrrs mtrrs;
};

/** RESET values, and what firmware sets on top (MTRRs). The pointers must outlive it; the
 * paravirtual clock is in its own RESET state. `microcode` is the revision to show (the host's
 * IA32_BIOS_SIGN_ID bits 63:32, so that guests judge errata as on the host). */
void guest_msrs_init(struct guest_msrs *msrs, const struct msr_environment *environment,
                     const struct cpuid_policy *cpuid, const struct control_policy *control,
                     struct pvclock *pvclock, uint32_t microcode);
enum msr_result guest_msr_read(struct guest_msrs *msrs, uint32_t index, uint64_t *value);
enum msr_result guest_msr_write(struct guest_msrs *msrs, uint32_t index, uint64_t value);

/** MSRs a guest may reach without an exit, if the back end agrees (virt_space_ops.allow_msr): ended
 * by an entry with index 0. */
struct msr_passthrough {
    uint32_t index;
    bool read;
    bool write;
};
extern const struct msr_passthrough msr_passthrough[];

#endif
