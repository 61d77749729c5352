/*
 * What a device model can ask of the whole VM. Every call comes from inside a port access of the
 * guest: the callee only notes the wish (and ends the run loop); it must not destroy or reset the
 * device that calls. Any of them may be NULL: the wish is then dropped.
 */
#ifndef GUEST_DEVICES_VM_ACTIONS_H
#define GUEST_DEVICES_VM_ACTIONS_H

#include <stdint.h>

struct vm_actions {
    /* The guest pulled the reset line (i8042, port 0x92, port 0xcf9). */
    void (*reset)(void *context);
    /* The guest entered S5 (ACPI soft off). */
    void (*power_off)(void *context);
    /* The guest wrote `value` to the isa-debug-exit port. */
    void (*debug_exit)(void *context, uint32_t value);
    /* The guest wrote a byte to a debug console port (0xe9, 0x402). */
    void (*debug_output)(void *context, uint8_t byte);
    void *context;
};

static inline void vm_action_reset(const struct vm_actions *actions)
{
    if (actions->reset) {
        actions->reset(actions->context);
    }
}

#endif
