/*
 * Where the tests of the injection decision start from.
 */
#ifndef TESTS_UNIT_VMX_INJECTION_HELPERS_H
#define TESTS_UNIT_VMX_INJECTION_HELPERS_H

#include "tests/unit/support/cmocka.h"

#include <string.h>

#include "vmx/definitions.h"
#include "vmx/inject.h"

/* A running protected-mode guest with interrupts on and nothing pending. */
static inline struct injection_input quiet(void)
{
    return (struct injection_input){
        .pending = {.apic_irr = -1, .apic_isr = -1},
        .activity = ACTIVITY_ACTIVE,
        .interrupts_enabled = true,
        .protected_mode = true,
        .virtual_nmis = true,
        .tpr_shadow = true,
    };
}

static inline struct injection decide(const struct injection_input *input)
{
    struct injection injection;

    memset(&injection, 0xa5, sizeof(injection));
    decide_injection(input, &injection);
    return injection;
}

#endif
