/*
 * The way into the guest and back (entry.S).
 */
#ifndef VMX_ENTRY_H
#define VMX_ENTRY_H

#define ENTRY_HOST_RSP_FIELD 0x6c14

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

/**
 * Loads the guest's general-purpose registers from `gpr` (by enum gpr; RSP is the VMCS's), runs the
 * guest on the current VMCS, and stores them back when it exits. `host_rsp` is the cached value of
 * the VMCS's HOST_RSP field. Returns 0 after a VM exit, which a failed check of the guest state is
 * too, or 1 when the instruction itself failed. Interrupts off.
 */
int vmx_enter_guest(uint64_t *gpr, uint64_t *host_rsp, bool launched);

/** Where every VM exit arrives: HOST_RIP. Not to be called. */
void vmx_exit_point(void);

#endif

#endif
