/*
 * The way into the guest and back (entry.S).
 */
#ifndef VMX_ENTRY_H
#define VMX_ENTRY_H

#define ENTRY_INSTRUCTION_ERROR_FIELD 0x4400
#define ENTRY_ERROR_NOT_LAUNCHED      5
#define ENTRY_HOST_RSP_FIELD          0x6c14

#ifndef __ASSEMBLER__

#include "virt/vcpu.h"

/**
 * Enters the guest on the current VMCS, again and again for as long as vmx_exited asks for it. The
 * guest's general-purpose registers are loaded from the vCPU before each entry and stored there
 * after each exit; RSP is the VMCS's. Interrupts off. Returns false when the instruction itself
 * failed.
 *
 * The VMCS's HOST_RSP must be the address of the vCPU: so nothing needs to be written there on the
 * way in. The stack pointer waits in the place of the guest's RSP.
 */
bool vmx_run_guest(struct virt_vcpu *vcpu);

/** Called after each VM exit, which a failed check of the guest state is too: to end with
 * vmx_enter_guest, or to return when vmx_run_guest is to return. In run.c. */
void vmx_exited(struct virt_vcpu *vcpu);

/** The next entry; for vmx_exited, and its last call: the stack begins anew at each exit. */
void vmx_enter_guest(struct virt_vcpu *vcpu);

/** Where every VM exit arrives: HOST_RIP. Not to be called. */
void vmx_exit_point(void);

#endif

#endif
