#ifndef TESTS_UNIT_DEVICES_LAPIC_FIXTURE_H
#define TESTS_UNIT_DEVICES_LAPIC_FIXTURE_H

#include "guest/devices/apic_bus.h"
#include "guest/devices/lapic.h"
#include "tests/unit/devices/clock.h"
#include "tests/unit/support/cmocka.h"

#define TEST_CPUS 20u

/* Guest TSC ticks a nanosecond, plus what it had when the VM's clock began. */
#define TEST_TSC_PER_NS 3u
#define TEST_TSC_START  1000u

/* What one local APIC told its vCPU. */
struct test_cpu {
    struct lapic lapic;
    uint8_t page[LAPIC_PAGE_SIZE] __attribute__((aligned(4096)));
    unsigned changed;
    unsigned requested;
    unsigned timers_armed;
    unsigned nmis;
    unsigned inits;
    unsigned startups;
    uint8_t startup_vector;
    unsigned eois;
    uint8_t eoi_vector;
    unsigned modes;
    enum virt_apic_mode mode;
    uint64_t base;
};

extern struct test_cpu test_cpus[TEST_CPUS];
extern struct apic_bus test_bus;
extern struct test_clock test_time;
/* Added to the guest's TSC. */
extern uint64_t test_tsc_jump;

/** All CPUs in xAPIC mode with ID = index, software-disabled as after RESET; clock at 0. */
int lapic_fixture_setup(void **state);
/** Software-enables CPU `i`, spurious vector 0xff. */
void lapic_fixture_enable(unsigned i);
/** CPU `i` in x2APIC mode, software-enabled. */
void lapic_fixture_x2apic(unsigned i);
uint32_t lapic_fixture_read(unsigned i, unsigned offset);
void lapic_fixture_write(unsigned i, unsigned offset, uint32_t value);
/** Whether `vector` waits in IRR, after a merge. */
bool lapic_fixture_requested(unsigned i, uint8_t vector);
/** Takes the interrupt that CPU `i` would take now by the rules of priority; -1 for none. */
int lapic_fixture_take(unsigned i);

#endif
