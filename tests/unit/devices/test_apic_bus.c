/* Destinations and the interrupt command register. */
#include <errno.h>

#include "tests/unit/devices/lapic_fixture.h"

#define ICR      0x300u
#define ICR_HIGH 0x310u
#define LDR      0xd0u
#define DFR      0xe0u
#define ESR      0x280u

#define LOGICAL (1u << 11)
#define ASSERT  (1u << 14)
#define LEVEL   (1u << 15)
#define SELF    (1u << 18)
#define ALL     (2u << 18)
#define OTHERS  (3u << 18)
#define LOWEST  (1u << 8)
#define NMI     (4u << 8)
#define INIT    (5u << 8)
#define STARTUP (6u << 8)

#define VECTOR 0x61u

static int setup(void **state)
{
    lapic_fixture_setup(state);
    for (unsigned i = 0; i < TEST_CPUS; i++) {
        lapic_fixture_enable(i);
    }
    return 0;
}

static void send(unsigned from, uint32_t destination, uint32_t icr)
{
    if (lapic_mode(&test_cpus[from].lapic) == APIC_MODE_X2APIC) {
        assert_int_equal(
            lapic_msr_write(&test_cpus[from].lapic, 0x830, (uint64_t)destination << 32 | icr), 0);
    } else {
        lapic_fixture_write(from, ICR_HIGH, destination << 24);
        lapic_fixture_write(from, ICR, icr);
    }
}

/* Which CPUs have `VECTOR` now, bit per CPU; takes and ends it. */
static uint32_t receivers(void)
{
    uint32_t result = 0;

    for (unsigned i = 0; i < TEST_CPUS; i++) {
        if (lapic_fixture_take(i) == (int)VECTOR) {
            result |= 1u << i;
            lapic_eoi(&test_cpus[i].lapic);
        }
    }
    return result;
}

static void physical_destinations(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TEST_CPUS; i++) {
        send(0, i, VECTOR);
        assert_int_equal(receivers(), 1u << i);
    }
    send(3, 0xff, VECTOR);
    assert_int_equal(receivers(), (1u << TEST_CPUS) - 1);
    send(3, 0x77, VECTOR);
    assert_int_equal(receivers(), 0);
    /* The ICR reads back idle. */
    assert_int_equal(lapic_fixture_read(3, ICR), VECTOR);
    assert_int_equal(lapic_fixture_read(3, ICR_HIGH), 0x77000000);
}

static void shorthands(void **state)
{
    uint32_t everyone = (1u << TEST_CPUS) - 1;

    (void)state;
    send(4, 9, VECTOR | SELF);
    assert_int_equal(receivers(), 1u << 4);
    send(4, 9, VECTOR | ALL);
    assert_int_equal(receivers(), everyone);
    send(4, 9, VECTOR | OTHERS);
    assert_int_equal(receivers(), everyone & ~(1u << 4));
    assert_int_equal(lapic_base_write(&test_cpus[7].lapic, LAPIC_DEFAULT_BASE), 0);
    send(4, 9, VECTOR | ALL);
    assert_int_equal(receivers(), everyone & ~(1u << 7));
}

static void from_elsewhere(void **state)
{
    struct interrupt_message message = {.vector = VECTOR, .shorthand = SHORTHAND_SELF};

    (void)state;
    apic_bus_send(&test_bus, &test_cpus[3].lapic, &message);
    assert_int_equal(receivers(), 1u << 3);
    /* An I/O APIC has no local APIC of its own. */
    message = (struct interrupt_message){.vector = VECTOR, .destination = 6};
    apic_bus_send(&test_bus, NULL, &message);
    assert_int_equal(receivers(), 1u << 6);
    message.delivery_mode = DELIVERY_LOWEST_PRIORITY;
    apic_bus_send(&test_bus, NULL, &message);
    assert_int_equal(receivers(), 1u << 6);
    assert_true(lapic_matches(&test_cpus[6].lapic, 6, false));
    assert_int_equal(lapic_base_write(&test_cpus[6].lapic, LAPIC_DEFAULT_BASE), 0);
    assert_false(lapic_matches(&test_cpus[6].lapic, 6, false));
    assert_false(lapic_matches(&test_cpus[6].lapic, DESTINATION_BROADCAST, false));
}

static void logical_flat(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        lapic_fixture_write(i, LDR, 1u << (24 + i));
    }
    send(0, 0x80, VECTOR | LOGICAL);
    assert_int_equal(receivers(), 0x80);
    send(0, 0x2d, VECTOR | LOGICAL);
    assert_int_equal(receivers(), 0x2d);
    send(0, 0, VECTOR | LOGICAL);
    assert_int_equal(receivers(), 0);
    send(0, 0xff, VECTOR | LOGICAL);
    assert_int_equal(receivers(), (1u << TEST_CPUS) - 1);
}

static void logical_cluster(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TEST_CPUS; i++) {
        lapic_fixture_write(i, DFR, 0x0fffffff);
        lapic_fixture_write(i, LDR, (i / 4) << 28 | 1u << (24 + i % 4));
    }
    send(0, 0x21, VECTOR | LOGICAL); /* cluster 2, member 0 */
    assert_int_equal(receivers(), 1u << 8);
    send(0, 0x4a, VECTOR | LOGICAL); /* cluster 4, members 1 and 3 */
    assert_int_equal(receivers(), 1u << 17 | 1u << 19);
    send(0, 0x01, VECTOR | LOGICAL);
    assert_int_equal(receivers(), 1u << 0);
    send(0, 0xff, VECTOR | LOGICAL);
    assert_int_equal(receivers(), (1u << TEST_CPUS) - 1);
    /* Any other model matches nobody. */
    lapic_fixture_write(8, DFR, 0x5fffffff);
    send(0, 0x21, VECTOR | LOGICAL);
    assert_int_equal(receivers(), 0);
}

static void x2apic_destinations(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TEST_CPUS; i++) {
        lapic_fixture_x2apic(i);
    }
    send(0, 19, VECTOR);
    assert_int_equal(receivers(), 1u << 19);
    send(0, 0xff, VECTOR); /* a plain ID here */
    assert_int_equal(receivers(), 0);
    send(0, 0xffffffff, VECTOR);
    assert_int_equal(receivers(), (1u << TEST_CPUS) - 1);
    send(0, 0x10005, VECTOR | LOGICAL); /* cluster 1, members 0 and 2 */
    assert_int_equal(receivers(), 1u << 16 | 1u << 18);
    send(0, 0x8002, VECTOR | LOGICAL); /* cluster 0, members 1 and 15 */
    assert_int_equal(receivers(), 1u << 1 | 1u << 15);
    send(0, 0x20001, VECTOR | LOGICAL);
    assert_int_equal(receivers(), 0);
}

static void modes_mixed(void **state)
{
    (void)state;
    lapic_fixture_x2apic(0);
    lapic_fixture_write(1, LDR, 0x01000000);
    send(0, 1, VECTOR);
    assert_int_equal(receivers(), 2);
    send(0, 0x101, VECTOR); /* does not wrap to 8 bits */
    assert_int_equal(receivers(), 0);
    send(0, 0x10001, VECTOR | LOGICAL);
    assert_int_equal(receivers(), 0);
    send(1, 0xff, VECTOR); /* broadcast from an xAPIC reaches x2APICs */
    assert_int_equal(receivers(), (1u << TEST_CPUS) - 1);
}

static void lowest_priority_goes_to_one(void **state)
{
    unsigned counts[4] = {0};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        lapic_fixture_write(i, LDR, 1u << (24 + i));
    }
    lapic_fixture_write(0, 0x80, 0x20);
    lapic_fixture_write(1, 0x80, 0x10);
    lapic_fixture_write(2, 0x80, 0x10);
    lapic_fixture_write(3, 0x80, 0x30);
    for (unsigned i = 0; i < 100; i++) {
        send(5, 0x0f, VECTOR | LOGICAL | LOWEST);

        uint32_t who = receivers();

        assert_true(who == 2 || who == 4);
        counts[who >> 1]++;
    }
    assert_int_equal(counts[1], 50); /* equals take turns */
    assert_int_equal(counts[2], 50);
    /* One that serves an interrupt is busier; a software-disabled one takes none. */
    send(5, 1, 0xa0);
    assert_int_equal(lapic_fixture_take(1), 0xa0);
    send(5, 0x0f, VECTOR | LOGICAL | LOWEST);
    assert_int_equal(receivers(), 4);
    lapic_fixture_write(2, 0xf0, 0xff);
    send(5, 0x0f, VECTOR | LOGICAL | LOWEST);
    assert_int_equal(receivers(), 1);
    send(5, 0x40, VECTOR | LOGICAL | LOWEST);
    assert_int_equal(receivers(), 0);
}

static void signals_reach_the_cpu(void **state)
{
    (void)state;
    send(0, 2, NMI);
    assert_int_equal(test_cpus[2].nmis, 1);
    send(0, 2, INIT | ASSERT | LEVEL);
    send(0, 2, INIT | LEVEL); /* level de-assert: nothing */
    assert_int_equal(test_cpus[2].inits, 1);
    send(0, 2, INIT | ASSERT);
    assert_int_equal(test_cpus[2].inits, 2);
    send(0, 2, STARTUP | 0x08);
    assert_int_equal(test_cpus[2].startups, 1);
    assert_int_equal(test_cpus[2].startup_vector, 8);
    send(0, 0, INIT | OTHERS);
    assert_int_equal(test_cpus[0].inits, 0);
    assert_int_equal(test_cpus[1].inits, 1);
    assert_int_equal(test_cpus[19].inits, 1);
    assert_int_equal(receivers(), 0);
}

static void illegal_and_reserved_ones_are_not_sent(void **state)
{
    (void)state;
    send(0, 2, 0x10); /* the first legal one */
    assert_int_equal(lapic_fixture_take(2), 0x10);
    lapic_eoi(&test_cpus[2].lapic);
    send(0, 2, 0x0f);
    send(0, 2, LOWEST);
    lapic_fixture_write(0, ESR, 0);
    assert_int_equal(lapic_fixture_read(0, ESR), 1u << 5);
    send(0, 2, 3u << 8 | VECTOR);
    send(0, 2, 7u << 8 | VECTOR); /* ExtINT */
    send(0, 2, 2u << 8);          /* SMI */
    lapic_fixture_write(0, ESR, 0);
    assert_int_equal(lapic_fixture_read(0, ESR), 0);
    assert_int_equal(receivers(), 0);
    lapic_fixture_write(2, ESR, 0);
    assert_int_equal(lapic_fixture_read(2, ESR), 0);
}

static void ipis_are_edges(void **state)
{
    (void)state;
    send(0, 1, VECTOR | LEVEL | ASSERT);
    assert_int_equal(receivers(), 2);
    assert_int_equal(test_cpus[1].eois, 0);
}

static void the_bus_has_an_end(void **state)
{
    static struct apic_bus bus;

    (void)state;
    bus.count = 0;
    for (unsigned i = 0; i < APIC_BUS_MAX; i++) {
        assert_int_equal(apic_bus_add(&bus, &test_cpus[0].lapic), 0);
    }
    assert_int_equal(apic_bus_add(&bus, &test_cpus[0].lapic), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(physical_destinations, setup),
        cmocka_unit_test_setup(shorthands, setup),
        cmocka_unit_test_setup(from_elsewhere, setup),
        cmocka_unit_test_setup(logical_flat, setup),
        cmocka_unit_test_setup(logical_cluster, setup),
        cmocka_unit_test_setup(x2apic_destinations, setup),
        cmocka_unit_test_setup(modes_mixed, setup),
        cmocka_unit_test_setup(lowest_priority_goes_to_one, setup),
        cmocka_unit_test_setup(signals_reach_the_cpu, setup),
        cmocka_unit_test_setup(illegal_and_reserved_ones_are_not_sent, setup),
        cmocka_unit_test_setup(ipis_are_edges, setup),
        cmocka_unit_test_setup(the_bus_has_an_end, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
