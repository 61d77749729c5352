/*
 * What the tests of interrupts share.
 */
#ifndef TESTS_GUESTS_INTERRUPTS_H
#define TESTS_GUESTS_INTERRUPTS_H

#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define has_x2apic() ((cpuid(1, 0).ecx & 1u << 21) != 0)

/* Vectors that the tests use; count_interrupt() handles all of them. */
#define VECTOR_LOW  0x31u
#define VECTOR_MID  0x61u
#define VECTOR_HIGH 0x91u

/* Two tests with one body: with the local APIC in xAPIC mode and, late, in x2APIC mode. */
#define TEST_IN_BOTH_MODES(id)                       \
    static void id##_body(void);                     \
    TEST(id##_xapic)                                 \
    {                                                \
        prepare_interrupts();                        \
        id##_body();                                 \
    }                                                \
    LATE_TEST(id##_x2apic)                           \
    {                                                \
        SKIP_UNLESS(has_x2apic(), "no x2APIC mode"); \
        lapic_enable_x2apic();                       \
        prepare_interrupts();                        \
        id##_body();                                 \
    }                                                \
    static void id##_body(void)

/** Controllers and counters as each test wants to find them: local APIC enabled, everything masked,
 * nothing pending, all counts zero. */
void prepare_interrupts(void);
/** Switches the local APIC off by its base register. */
void lapic_disable(void);

#endif
