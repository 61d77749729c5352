#include "guest/bus.h"

#include <errno.h>

#include "tests/unit/support/cmocka.h"

/* A device that answers with its name and what it was asked, and remembers what it was told. */
struct probe {
    uint8_t name;
    uint64_t offset;
    unsigned size;
    uint64_t value;
    unsigned writes;
};

static uint32_t probe_in(void *device, uint16_t offset, unsigned size)
{
    const struct probe *probe = device;

    return (uint32_t)probe->name << 4 | offset | (uint32_t)size << 16;
}

static void probe_out(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct probe *probe = device;

    *probe = (struct probe){probe->name, offset, size, value, probe->writes + 1};
}

static uint64_t probe_read(void *device, uint64_t offset, unsigned size)
{
    const struct probe *probe = device;

    return (uint64_t)probe->name << 32 | offset << 8 | size;
}

static void probe_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    struct probe *probe = device;

    *probe = (struct probe){probe->name, offset, size, value, probe->writes + 1};
}

static struct port_bus ports;
static struct mmio_bus memory;
static struct probe probes[PORT_BUS_MAX];

static int setup(void **state)
{
    (void)state;
    ports = (struct port_bus){0};
    memory.count = 0;
    for (unsigned i = 0; i < PORT_BUS_MAX; i++) {
        probes[i] = (struct probe){.name = (uint8_t)i};
    }
    return 0;
}

static int add_port(unsigned i, uint16_t first, uint16_t count)
{
    return port_bus_add(&ports, first, count, &probes[i], probe_in, probe_out);
}

static void ports_reach_their_device(void **state)
{
    (void)state;
    assert_int_equal(add_port(3, 0x3f8, 8), 0);
    assert_int_equal(add_port(5, PORT_BUS_DIRECT - 1, 2), 0);
    assert_int_equal(port_bus_read(&ports, PORT_BUS_DIRECT - 1, 1), 0x10050);
    assert_int_equal(port_bus_read(&ports, PORT_BUS_DIRECT, 1), 0x10051);
    assert_int_equal(port_bus_read(&ports, PORT_BUS_DIRECT + 1, 1), 0xff);
    assert_int_equal(port_bus_read(&ports, PORT_BUS_DIRECT - 1, 2), 0x20050);
    assert_int_equal(add_port(1, 0x20, 2), 0);
    assert_int_equal(add_port(4, 0xcf9, 1), 0);
    assert_int_equal(add_port(2, 0x40, 4), 0);
    assert_int_equal(port_bus_read(&ports, 0x3f8, 1), 0x10030);
    assert_int_equal(port_bus_read(&ports, 0x3ff, 1), 0x10037);
    assert_int_equal(port_bus_read(&ports, 0x21, 1), 0x10011);
    assert_int_equal(port_bus_read(&ports, 0x40, 4), 0x40020);
    port_bus_write(&ports, 0xcf9, 1, 6);
    assert_int_equal(probes[4].value, 6);
    assert_int_equal(probes[4].writes, 1);
}

static void unclaimed_ports_read_ones(void **state)
{
    (void)state;
    assert_int_equal(port_bus_read(&ports, 0x80, 1), 0xff);
    assert_int_equal(add_port(1, 0x40, 4), 0);
    assert_int_equal(port_bus_read(&ports, 0x3f, 1), 0xff);
    assert_int_equal(port_bus_read(&ports, 0x44, 2), 0xffff);
    assert_int_equal(port_bus_read(&ports, 0xffff, 4), 0xffffffff);
    port_bus_write(&ports, 0x44, 4, 1);
    assert_int_equal(probes[1].writes, 0);
}

static void a_wide_access_is_split_at_a_device_end(void **state)
{
    (void)state;
    assert_int_equal(add_port(1, 0x70, 2), 0);
    assert_int_equal(add_port(2, 0x72, 1), 0);
    /* Bytes of 0x71, 0x72, none, none. */
    assert_int_equal(port_bus_read(&ports, 0x71, 4), 0xffff2011);
    assert_int_equal(port_bus_read(&ports, 0x70, 4), 0xff201110);
    port_bus_write(&ports, 0x71, 4, 0x44332211);
    assert_int_equal(probes[1].value, 0x11);
    assert_int_equal(probes[1].offset, 1);
    assert_int_equal(probes[2].value, 0x22);
    assert_int_equal(probes[2].size, 1);
    /* Starting before a device. */
    assert_int_equal(port_bus_read(&ports, 0x6f, 2), 0x10ff);
}

static void overlaps_and_excess_are_refused(void **state)
{
    (void)state;
    assert_int_equal(add_port(0, 0x40, 4), 0);
    assert_int_equal(add_port(1, 0x43, 2), -EBUSY);
    assert_int_equal(add_port(1, 0x3f, 2), -EBUSY);
    assert_int_equal(add_port(1, 0x30, 0x100), -EBUSY);
    assert_int_equal(add_port(1, 0x41, 1), -EBUSY);
    assert_int_equal(add_port(1, 0x50, 0), -EINVAL);
    assert_int_equal(add_port(1, 0xffff, 2), -EINVAL);
    assert_int_equal(add_port(1, 0x44, 1), 0);
    assert_int_equal(add_port(PORT_BUS_MAX - 1, 0xffff, 1), 0);
    assert_int_equal(add_port(1, 0x3f, 1), 0);
    for (uint16_t i = 3; i < PORT_BUS_MAX - 1; i++) {
        assert_int_equal(add_port(i, (uint16_t)(0x1000 - i * 4), 2), 0);
    }
    assert_int_equal(add_port(1, 0x5000, 1), -ENOSPC);
    for (uint16_t i = 3; i < PORT_BUS_MAX - 1; i++) {
        assert_int_equal(port_bus_read(&ports, (uint16_t)(0x1001 - i * 4), 1),
                         0x10000u | (unsigned)i << 4 | 1);
    }
}

static void memory_reaches_its_device(void **state)
{
    (void)state;
    assert_int_equal(mmio_bus_add(&memory, 0xfee00000, 0x1000, &probes[1], probe_read, probe_write),
                     0);
    assert_int_equal(mmio_bus_add(&memory, 0xfec00000, 0x1000, &probes[2], probe_read, probe_write),
                     0);
    assert_int_equal(mmio_bus_add(&memory, 0xfec00ff0, 0x1000, &probes[3], probe_read, probe_write),
                     -EBUSY);
    assert_int_equal(mmio_bus_add(&memory, 0x1000, 0, &probes[3], probe_read, probe_write),
                     -EINVAL);
    assert_int_equal(mmio_bus_add(&memory, UINT64_MAX, 2, &probes[3], probe_read, probe_write),
                     -EINVAL);
    assert_int_equal(mmio_bus_add(&memory, 0xfebff001, 0x1000, &probes[3], probe_read, probe_write),
                     -EBUSY);
    assert_int_equal(mmio_bus_add(&memory, UINT64_MAX, 1, &probes[3], probe_read, probe_write), 0);
    assert_int_equal(mmio_bus_read(&memory, 0xfec00000, 4), 0x200000004ull);
    assert_int_equal(mmio_bus_read(&memory, 0xfec00ffc, 4), 0x2000ffc04ull);
    assert_int_equal(mmio_bus_read(&memory, 0xfee00080, 4), 0x100008004ull);
    assert_int_equal(mmio_bus_read(&memory, 0xfec00010, 8), 0x200001008ull);
    assert_int_equal(mmio_bus_read(&memory, 0xfec01000, 4), 0xffffffff);
    assert_int_equal(mmio_bus_read(&memory, 0xfec00ffe, 4), 0xffffffff);
    assert_int_equal(mmio_bus_read(&memory, 0x12, 8), UINT64_MAX);
    mmio_bus_write(&memory, 0xfec00fff, 1, 9);
    assert_int_equal(probes[2].offset, 0xfff);
    mmio_bus_write(&memory, 0xfec00fff, 2, 9);
    assert_int_equal(probes[2].writes, 1);
    /* Whichever was found last. */
    assert_int_equal(mmio_bus_find(&memory, 0xfec00000)->first, 0xfec00000);
    assert_int_equal(mmio_bus_find(&memory, 0xfec00fff)->first, 0xfec00000);
    assert_null(mmio_bus_find(&memory, 0xfec01000));
    assert_null(mmio_bus_find(&memory, 0xfedfffff));
    assert_int_equal(mmio_bus_find(&memory, 0xfee00fff)->first, 0xfee00000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ports_reach_their_device, setup),
        cmocka_unit_test_setup(unclaimed_ports_read_ones, setup),
        cmocka_unit_test_setup(a_wide_access_is_split_at_a_device_end, setup),
        cmocka_unit_test_setup(overlaps_and_excess_are_refused, setup),
        cmocka_unit_test_setup(memory_reaches_its_device, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
