/*
 * The Intel VT-x back end, as the kernel's main sees it.
 */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include <stdbool.h>

#include "virt/vcpu.h"
#include "vmx/controls.h"

/** How much of the CPU's virtual local APIC to use, where there is one: all unless changed before
 *  vmx_probe. */
extern enum apic_virtualization vmx_apic_virtualization;

/** Finds out whether this machine can run guests. 0, or -ENODEV and in `*refusal` one sentence that
 *  says what is missing and what to do about it. Once, on the boot CPU, before all else here. */
int vmx_probe(const char **refusal);

/** Puts this CPU into VMX operation. Once per CPU, with its per-CPU data set. 0, -ENOMEM, or
 *  -ENODEV if the CPU refuses (logged). */
int vmx_enable_cpu(void);

/** The back end; valid once a CPU is enabled. */
extern const struct virt_ops vmx_ops;

#endif
