/*
 * The way into the guest and back (entry.S).
 */
#ifndef VMX_ENTRY_H
#define VMX_ENTRY_H

#define ENTRY_HOST_RSP_FIELD          0x6c14
#define ENTRY_INSTRUCTION_ERROR_FIELD 0x4400
#define ENTRY_ERROR_NOT_LAUNCHED      5

#ifndef __ASSEMBLER__

#include "virt/vcpu.h"

/**
 * Loads the guest's general-purpose registers from the vCPU (RSP is the VMCS's), runs the guest on
 * the current VMCS, and stores them back when it exits. `host_rsp` is the cached value of the
 * VMCS's HOST_RSP field. Interrupts off. Returns the vCPU after a VM exit, which a failed check of
 * the guest state is too, so that the caller need not keep it; NULL when the instruction failed.
 */
struct virt_vcpu *vmx_enter_guest(struct virt_vcpu *vcpu, uint64_t *host_rsp);

/** Where every VM exit arrives: HOST_RIP. Not to be called. */
void vmx_exit_point(void);

#endif

#endif
