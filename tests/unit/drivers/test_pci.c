/* Finding PCI devices, sizing their ranges, walking their capabilities, setting messages up. */
#include <errno.h>
#include <string.h>

#include "drivers/pci/msi.h"
#include "drivers/pci/pci.h"
#include "kernel/memory/paging.h"
#include "tests/unit/drivers/fake_pci.h"
#include "tests/unit/support/cmocka.h"

static const struct pci_segment all_buses = {.number = 0, .bus_first = 0, .bus_last = 255};

/* Where the device's table of messages is mapped. */
static uint32_t msix_table[4 * 4];
static uint64_t mapped_phys;

void *map_physical(uint64_t phys, size_t size, enum map_type type)
{
    assert_int_equal(type, MAP_DEVICE);
    assert_in_range(size, 0, sizeof(msix_table));
    mapped_phys = phys;
    return msix_table;
}

static int setup(void **state)
{
    (void)state;
    fake_pci_reset();
    return 0;
}

static struct fake_function *add_bridge(uint8_t bus, uint8_t slot, uint8_t secondary)
{
    struct fake_function *bridge = fake_pci_add(bus, slot, 0, 0x8086, 0x244e);

    fake_pci_set(bridge, PCI_HEADER_TYPE, 1, PCI_HEADER_BRIDGE);
    fake_pci_set(bridge, PCI_SECONDARY_BUS, 1, secondary);
    return bridge;
}

static bool found(const struct pci_device *devices, unsigned count, uint16_t device)
{
    for (unsigned i = 0; i < count; i++) {
        if (devices[i].device == device) {
            return true;
        }
    }
    return false;
}

static void scan_finds_what_is_behind_bridges(void **state)
{
    struct pci_device devices[16];
    unsigned count;

    (void)state;
    fake_pci_add(0, 0, 0, 0x8086, 1);
    add_bridge(0, 3, 7);
    fake_pci_add(7, 31, 0, 0x8086, 2);
    add_bridge(7, 1, 4); /* a lower number than its own bus has */
    fake_pci_add(4, 0, 0, 0x8086, 3);
    fake_pci_add(9, 0, 0, 0x8086, 4); /* nothing leads there */
    count = pci_scan(&all_buses, devices, 16);
    assert_int_equal(count, 5);
    assert_true(found(devices, count, 1));
    assert_true(found(devices, count, 2));
    assert_true(found(devices, count, 3));
    assert_false(found(devices, count, 4));
}

static void scan_ends_when_bridges_lead_in_circles(void **state)
{
    struct pci_device devices[16];

    (void)state;
    add_bridge(0, 0, 1);
    add_bridge(1, 0, 2);
    add_bridge(2, 0, 1);
    add_bridge(2, 1, 0);
    add_bridge(2, 2, 2);
    assert_int_equal(pci_scan(&all_buses, devices, 16), 5);
}

static void scan_stays_within_the_segment(void **state)
{
    const struct pci_segment segment = {.bus_first = 0, .bus_last = 3};
    struct pci_device devices[16];

    (void)state;
    add_bridge(0, 0, 4);
    fake_pci_add(4, 0, 0, 0x8086, 2);
    assert_int_equal(pci_scan(&segment, devices, 16), 1);
}

static void scan_looks_at_functions_of_multifunction_devices_only(void **state)
{
    struct pci_device devices[16];
    struct fake_function *first = fake_pci_add(0, 2, 0, 0x8086, 1);

    (void)state;
    fake_pci_add(0, 2, 5, 0x8086, 2);
    fake_pci_add(0, 3, 1, 0x8086, 3); /* without function 0 there is no device */
    assert_int_equal(pci_scan(&all_buses, devices, 16), 1);
    fake_pci_set(first, PCI_HEADER_TYPE, 1, 0x80);
    fake_pci_set(first, PCI_CLASS_REVISION, 4, 0x02000003);
    assert_int_equal(pci_scan(&all_buses, devices, 16), 2);
    assert_int_equal(devices[0].class_code, 0x020000);
    assert_int_equal(devices[0].header, PCI_HEADER_DEVICE);
    assert_int_equal(devices[1].address.function, 5);
}

static void scan_counts_what_it_has_no_room_for(void **state)
{
    struct pci_device devices[2] = {0};

    (void)state;
    for (uint8_t slot = 0; slot < 5; slot++) {
        fake_pci_add(0, slot, 0, 0x8086, slot);
    }
    assert_int_equal(pci_scan(&all_buses, devices, 1), 5);
    assert_int_equal(devices[1].vendor, 0);
}

/* One base address register of a device, and what becomes of it. */
static int read_bar(uint32_t value, uint32_t mask, struct pci_bar *bar)
{
    struct fake_function *function;
    struct pci_device device;
    int error;

    fake_pci_reset();
    function = fake_pci_add(0, 1, 0, 0x8086, 0x100e);
    fake_pci_set(function, PCI_COMMAND, 2, 0x0107);
    fake_pci_set_bar(function, 0, value, mask);
    device = fake_pci_device(function);
    error = pci_bar_read(&device, 0, bar);
    assert_int_equal(fake_pci_get(function, PCI_BAR0, 4), value);
    assert_int_equal(fake_pci_get(function, PCI_COMMAND, 2), 0x0107);
    assert_false(fake_pci_sized_while_enabled());
    return error;
}

static void bar_sizes(void **state)
{
    struct pci_bar bar;

    (void)state;
    assert_int_equal(read_bar(0xfebc0000, 0xfffe0000, &bar), 0);
    assert_int_equal(bar.base, 0xfebc0000);
    assert_int_equal(bar.size, 0x20000);
    assert_false(bar.io || bar.prefetchable);
    assert_int_equal(read_bar(0xfd000008, 0xff000000, &bar), 0);
    assert_int_equal(bar.size, 0x1000000);
    assert_true(bar.prefetchable);
    assert_int_equal(read_bar(0xc041, 0xffffffc0, &bar), 0);
    assert_int_equal(bar.base, 0xc040);
    assert_int_equal(bar.size, 0x40);
    assert_true(bar.io);
    assert_int_equal(read_bar(0xc041, 0x0000ffc0, &bar), 0); /* 16 bits of a port are enough */
    assert_int_equal(bar.size, 0x40);
    assert_int_equal(read_bar(0x80000000, 0x80000000, &bar), 0);
    assert_int_equal(bar.size, 0x80000000);
}

static void bar_errors(void **state)
{
    struct fake_function *function;
    struct pci_device device;
    struct pci_bar bar;

    (void)state;
    assert_int_equal(read_bar(0, 0, &bar), -ENOENT);
    assert_int_equal(read_bar(0, 0xfffe0000, &bar), -ENXIO);
    assert_int_equal(read_bar(0xfebc0000, 0xff0f0000, &bar), -EIO);
    fake_pci_reset();
    function = fake_pci_add(0, 1, 0, 0x8086, 0x100e);
    fake_pci_set_bar(function, 5, 0xe0000004, 0xfffe0000); /* its upper half would be elsewhere */
    device = fake_pci_device(function);
    assert_int_equal(pci_bar_read(&device, 5, &bar), -EIO);
    assert_int_equal(pci_bar_read(&device, 6, &bar), -ENOENT);
    device.header = PCI_HEADER_BRIDGE;
    assert_int_equal(pci_bar_read(&device, 2, &bar), -ENOENT);
}

static void bar_of_64_bits(void **state)
{
    struct fake_function *function = fake_pci_add(0, 1, 0, 0x8086, 0x100e);
    struct pci_device device = fake_pci_device(function);
    struct pci_bar bar;

    (void)state;
    fake_pci_set_bar(function, 0, 0x0000000c, 0x00000000);
    fake_pci_set_bar(function, 1, 0x00000040, 0xffffffe0); /* 128 GiB, at 256 GiB */
    fake_pci_set_bar(function, 2, 0xfebc0000, 0xffff0000);
    assert_int_equal(pci_bar_read(&device, 0, &bar), 0);
    assert_int_equal(bar.base, UINT64_C(0x4000000000));
    assert_int_equal(bar.size, UINT64_C(0x2000000000));
    assert_int_equal(fake_pci_get(function, PCI_BAR0 + 4, 4), 0x40);
    assert_int_equal(pci_bar_read(&device, 1, &bar), -ENOENT);
    assert_int_equal(pci_bar_read(&device, 2, &bar), 0);
    assert_int_equal(bar.size, 0x10000);
}

static struct fake_function *add_with_capabilities(void)
{
    struct fake_function *function = fake_pci_add(0, 1, 0, 0x8086, 0x10d3);

    fake_pci_set(function, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
    fake_pci_set(function, PCI_CAPABILITIES, 1, 0x50);
    fake_pci_set(function, 0x50, 2, 0x6009); /* vendor's, next at 0x60 */
    fake_pci_set(function, 0x60, 2, 0x4005); /* MSI, next at 0x40 */
    fake_pci_set(function, 0x40, 2, 0x0009); /* vendor's, the last */
    return function;
}

static void capabilities(void **state)
{
    struct fake_function *function = add_with_capabilities();
    struct pci_device device = fake_pci_device(function);

    (void)state;
    assert_int_equal(pci_capability_find(&device, PCI_CAPABILITY_MSI, 0), 0x60);
    assert_int_equal(pci_capability_find(&device, PCI_CAPABILITY_MSIX, 0), 0);
    assert_int_equal(pci_capability_find(&device, PCI_CAPABILITY_VENDOR, 0), 0x50);
    assert_int_equal(pci_capability_find(&device, PCI_CAPABILITY_VENDOR, 0x50), 0x40);
    assert_int_equal(pci_capability_find(&device, PCI_CAPABILITY_VENDOR, 0x40), 0);
    fake_pci_set(function, PCI_STATUS, 2, 0);
    assert_int_equal(pci_capability_find(&device, PCI_CAPABILITY_MSI, 0), 0);
}

static void capabilities_without_end(void **state)
{
    struct fake_function *function = add_with_capabilities();
    struct pci_device device = fake_pci_device(function);

    (void)state;
    fake_pci_set(function, 0x40, 2, 0x5009); /* in a circle */
    assert_int_equal(pci_capability_find(&device, PCI_CAPABILITY_MSIX, 0), 0);
    fake_pci_set(function, 0x40, 2, 0x4009); /* itself */
    assert_int_equal(pci_capability_find(&device, PCI_CAPABILITY_MSIX, 0), 0);
    fake_pci_set(function, 0x40, 2, 0x1009); /* into the header */
    assert_int_equal(pci_capability_find(&device, 0, 0), 0);
    fake_pci_set(function, PCI_CAPABILITIES, 1, 0x53); /* reserved bits */
    assert_int_equal(pci_capability_find(&device, PCI_CAPABILITY_VENDOR, 0), 0x50);
}

static void messages(void **state)
{
    struct pci_message message;

    (void)state;
    assert_int_equal(pci_message_compose(5, 0x41, &message), 0);
    assert_int_equal(message.address, 0xfee05000);
    assert_int_equal(message.data, 0x41);
    assert_int_equal(pci_message_compose(255, 0x41, &message), -EINVAL);
}

/* All four layouts of the capability. */
static void msi(void **state)
{
    const struct pci_message message = {.address = UINT64_C(0x1fee05000), .data = 0x41};

    (void)state;
    for (unsigned layout = 0; layout < 4; layout++) {
        unsigned wide = layout & 1 ? 0x80 : 0;
        unsigned masks = layout & 2 ? 0x100 : 0;
        unsigned data = wide ? 0x6c : 0x68;
        struct fake_function *function;
        struct pci_device device;

        fake_pci_reset();
        function = add_with_capabilities();
        device = fake_pci_device(function);
        fake_pci_set(function, 0x62, 2, 0x0020 | wide | masks); /* four messages were on */
        memset(function->registers + 0x64, 0xee, 24);
        memset(function->writable + 0x62, 0xff, 26);
        assert_int_equal(pci_msi_enable(&device, &message), 0);
        assert_int_equal(fake_pci_get(function, 0x62, 2), 1 | wide | masks);
        assert_int_equal(fake_pci_get(function, 0x64, 4), 0xfee05000);
        assert_int_equal(fake_pci_get(function, 0x68, 2), wide ? 1 : 0x41);
        assert_int_equal(fake_pci_get(function, data, 2), 0x41);
        assert_int_equal(fake_pci_get(function, data + 2, 2), 0xeeee);
        assert_int_equal(fake_pci_get(function, data + 4, 4), masks ? 0 : 0xeeeeeeee);
    }
}

static void msi_is_not_there(void **state)
{
    struct fake_function *function = fake_pci_add(0, 1, 0, 0x8086, 0x100e);
    struct pci_device device = fake_pci_device(function);
    const struct pci_message message = {.address = 0xfee00000, .data = 0x41};

    (void)state;
    assert_int_equal(pci_msi_enable(&device, &message), -ENOENT);
    assert_int_equal(pci_msix_enable(&device, &message), -ENOENT);
}

static void msix(void **state)
{
    const struct pci_message message = {.address = UINT64_C(0x1fee05000), .data = 0x41};
    struct fake_function *function = add_with_capabilities();
    struct pci_device device = fake_pci_device(function);

    (void)state;
    fake_pci_set_bar(function, 3, 0xfebc0000, 0xffffc000);
    fake_pci_set(function, 0x50, 2, 0x6011);
    fake_pci_set(function, 0x52, 2, 3); /* four entries */
    fake_pci_set(function, 0x54, 4, 0x2000 | 3);
    memset(function->writable + 0x52, 0xff, 2);
    memset(msix_table, 0, sizeof(msix_table));
    assert_int_equal(pci_msix_enable(&device, &message), 0);
    assert_int_equal(mapped_phys, 0xfebc2000);
    assert_int_equal(fake_pci_get(function, 0x52, 2), 0x8003);
    assert_int_equal(msix_table[0], 0xfee05000);
    assert_int_equal(msix_table[1], 1);
    assert_int_equal(msix_table[2], 0x41);
    assert_int_equal(msix_table[3], 0);
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(msix_table[4 * i + 3], 1);
    }
    fake_pci_set(function, 0x54, 4, 0x3ff0 | 3); /* sticks out of its range */
    assert_int_equal(pci_msix_enable(&device, &message), -EIO);
    fake_pci_set(function, 0x54, 4, 0x2000 | 2); /* a range that is not there */
    assert_int_equal(pci_msix_enable(&device, &message), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(scan_finds_what_is_behind_bridges, setup),
        cmocka_unit_test_setup(scan_ends_when_bridges_lead_in_circles, setup),
        cmocka_unit_test_setup(scan_stays_within_the_segment, setup),
        cmocka_unit_test_setup(scan_looks_at_functions_of_multifunction_devices_only, setup),
        cmocka_unit_test_setup(scan_counts_what_it_has_no_room_for, setup),
        cmocka_unit_test_setup(bar_sizes, setup),
        cmocka_unit_test_setup(bar_errors, setup),
        cmocka_unit_test_setup(bar_of_64_bits, setup),
        cmocka_unit_test_setup(capabilities, setup),
        cmocka_unit_test_setup(capabilities_without_end, setup),
        cmocka_unit_test_setup(messages, setup),
        cmocka_unit_test_setup(msi, setup),
        cmocka_unit_test_setup(msi_is_not_there, setup),
        cmocka_unit_test_setup(msix, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
