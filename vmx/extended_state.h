/*
 * x87, SSE, AVX, ... registers of the guest. The kernel uses none of them, so a guest's values stay
 * in the CPU until another vCPU's are needed there.
 */
#ifndef VMX_EXTENDED_STATE_H
#define VMX_EXTENDED_STATE_H

#include <stdbool.h>
#include <stdint.h>

/** Finds out what the CPU has, and lets this CPU's XSAVE or FXSAVE work (CR0 and CR4 bits). Once
 * per CPU, before the first VMCS takes the host's CR4. */
void extended_state_enable_cpu(void);

/** A save area with the values after RESET (SDM vol. 3, table 10-1); NULL when memory is short. */
void *extended_state_create(void);
void extended_state_destroy(void *area);
/** Back to the values after RESET. */
void extended_state_reset(void *area);

/** Copies the CPU's registers, all components whatever XCR0 holds, to the area. XCR0 is changed. */
void extended_state_save(void *area);
/** The other way; then XCR0 gets the value given (ignored if the CPU has no XSAVE). */
void extended_state_load(const void *area, uint64_t xcr0);

/** True if the CPU has XSAVE and so an XCR0. */
bool extended_state_has_xcr0(void);

#endif
