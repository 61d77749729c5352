#include "tests/unit/drivers/fake_pci.h"

#include <stddef.h>
#include <string.h>

static struct fake_function functions[FAKE_FUNCTIONS];
static unsigned count;
static bool sized_while_enabled;

void fake_pci_reset(void)
{
    memset(functions, 0, sizeof(functions));
    count = 0;
    sized_while_enabled = false;
}

static struct fake_function *find(const struct pci_address *address)
{
    for (unsigned i = 0; i < count; i++) {
        if (memcmp(&functions[i].address, address, sizeof(*address)) == 0) {
            return &functions[i];
        }
    }
    return NULL;
}

struct fake_function *fake_pci_add(uint8_t bus, uint8_t slot, uint8_t function, uint16_t vendor,
                                   uint16_t device)
{
    struct fake_function *added = &functions[count++];

    added->address = (struct pci_address){.bus = bus, .slot = slot, .function = function};
    fake_pci_set(added, PCI_VENDOR, 2, vendor);
    fake_pci_set(added, PCI_DEVICE, 2, device);
    memset(added->writable + PCI_COMMAND, 0xff, 2);
    return added;
}

void fake_pci_set(struct fake_function *function, unsigned offset, unsigned size, uint32_t value)
{
    memcpy(function->registers + offset, &value, size);
}

uint32_t fake_pci_get(const struct fake_function *function, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    memcpy(&value, function->registers + offset, size);
    return value;
}

void fake_pci_set_bar(struct fake_function *function, unsigned index, uint32_t value, uint32_t mask)
{
    fake_pci_set(function, PCI_BAR0 + 4 * index, 4, value);
    memcpy(function->writable + PCI_BAR0 + 4 * index, &mask, sizeof(mask));
}

struct pci_device fake_pci_device(const struct fake_function *function)
{
    return (struct pci_device){
        .address = function->address,
        .vendor = (uint16_t)fake_pci_get(function, PCI_VENDOR, 2),
        .device = (uint16_t)fake_pci_get(function, PCI_DEVICE, 2),
        .header = (uint8_t)(fake_pci_get(function, PCI_HEADER_TYPE, 1) & 0x7f),
    };
}

bool fake_pci_sized_while_enabled(void)
{
    return sized_while_enabled;
}

static uint32_t read(const struct pci_address *address, unsigned offset, unsigned size)
{
    const struct fake_function *function = find(address);

    return function && offset + size <= PCI_CONFIG_SIZE ? fake_pci_get(function, offset, size)
                                                        : UINT32_MAX;
}

static void write(const struct pci_address *address, unsigned offset, unsigned size, uint32_t value)
{
    struct fake_function *function = find(address);

    if (!function || offset + size > PCI_CONFIG_SIZE) {
        return;
    }
    sized_while_enabled |= offset >= PCI_BAR0 && offset < PCI_BAR0 + 24 &&
                           (fake_pci_get(function, PCI_COMMAND, 2) & 3);
    for (unsigned i = 0; i < size; i++) {
        uint8_t writable = function->writable[offset + i];
        uint8_t *byte = &function->registers[offset + i];

        *byte = (uint8_t)((*byte & ~writable) | ((value >> 8 * i) & writable));
    }
}

uint8_t pci_read8(const struct pci_address *address, unsigned offset)
{
    return (uint8_t)read(address, offset, 1);
}

uint16_t pci_read16(const struct pci_address *address, unsigned offset)
{
    return (uint16_t)read(address, offset, 2);
}

uint32_t pci_read32(const struct pci_address *address, unsigned offset)
{
    return read(address, offset, 4);
}

void pci_write16(const struct pci_address *address, unsigned offset, uint16_t value)
{
    write(address, offset, 2, value);
}

void pci_write32(const struct pci_address *address, unsigned offset, uint32_t value)
{
    write(address, offset, 4, value);
}
