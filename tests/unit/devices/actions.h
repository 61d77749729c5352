#ifndef TESTS_UNIT_DEVICES_ACTIONS_H
#define TESTS_UNIT_DEVICES_ACTIONS_H

#include "guest/devices/vm_actions.h"

/* A VM that counts what its devices asked for. */
struct test_vm {
    unsigned resets;
    unsigned power_offs;
    unsigned debug_exits;
    uint32_t exit_value;
    unsigned output_count;
    uint8_t output[16];
};

static inline void test_vm_reset(void *context)
{
    ((struct test_vm *)context)->resets++;
}

static inline void test_vm_power_off(void *context)
{
    ((struct test_vm *)context)->power_offs++;
}

static inline void test_vm_debug_exit(void *context, uint32_t value)
{
    struct test_vm *vm = context;

    vm->debug_exits++;
    vm->exit_value = value;
}

static inline void test_vm_debug_output(void *context, uint8_t byte)
{
    struct test_vm *vm = context;

    vm->output[vm->output_count++ % sizeof(vm->output)] = byte;
}

static inline struct vm_actions test_vm_actions(struct test_vm *vm)
{
    *vm = (struct test_vm){0};
    return (struct vm_actions){.reset = test_vm_reset,
                               .power_off = test_vm_power_off,
                               .debug_exit = test_vm_debug_exit,
                               .debug_output = test_vm_debug_output,
                               .context = vm};
}

#endif
