#include <errno.h>

#include "drivers/pci/pci.h"

#define BARS_OF_DEVICE 6u
#define BARS_OF_BRIDGE 2u

/* PCI local bus specification, 6.2.5.1. */
#define BAR_IO           (1u << 0)
#define BAR_IO_FLAGS     0x3u
#define BAR_TYPE         (3u << 1)
#define BAR_TYPE_64      (2u << 1)
#define BAR_PREFETCHABLE (1u << 3)
#define BAR_MEMORY_FLAGS 0xfu

static unsigned bar_count(const struct pci_device *device)
{
    switch (device->header) {
    case PCI_HEADER_DEVICE:
        return BARS_OF_DEVICE;
    case PCI_HEADER_BRIDGE:
        return BARS_OF_BRIDGE;
    default:
        return 0;
    }
}

static bool is_64(uint32_t low)
{
    return !(low & BAR_IO) && (low & BAR_TYPE) == BAR_TYPE_64;
}

/* The upper half is not a register by itself. */
static bool is_upper_half(const struct pci_device *device, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (is_64(pci_read32(&device->address, PCI_BAR0 + 4 * i))) {
            if (++i == index) {
                return true;
            }
        }
    }
    return false;
}

/* The bits that stay 0 when ones are written are those within the range. */
static uint32_t writable_bits(const struct pci_device *device, unsigned offset, uint32_t value)
{
    uint32_t bits;

    pci_write32(&device->address, offset, UINT32_MAX);
    bits = pci_read32(&device->address, offset);
    pci_write32(&device->address, offset, value);
    return bits;
}

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

int pci_bar_read(const struct pci_device *device, unsigned index, struct pci_bar *bar)
{
    unsigned offset = PCI_BAR0 + 4 * index;
    uint16_t command;
    uint32_t low;
    uint32_t flags;
    uint64_t value;
    uint64_t bits;

    if (index >= bar_count(device) || is_upper_half(device, index)) {
        return -ENOENT;
    }
    low = pci_read32(&device->address, offset);
    if (is_64(low) && index + 1 >= bar_count(device)) {
        return -EIO;
    }
    command = pci_read16(&device->address, PCI_COMMAND);
    pci_write16(&device->address, PCI_COMMAND,
                (uint16_t)(command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY)));
    value = low;
    bits = writable_bits(device, offset, low);
    if (is_64(low)) {
        uint32_t high = pci_read32(&device->address, offset + 4);

        value |= (uint64_t)high << 32;
        bits |= (uint64_t)writable_bits(device, offset + 4, high) << 32;
    } else {
        bits |= bits ? UINT64_C(0xffffffff00000000) : 0;
    }
    pci_write16(&device->address, PCI_COMMAND, command);

    flags = low & BAR_IO ? BAR_IO_FLAGS : BAR_MEMORY_FLAGS;
    bits &= ~(uint64_t)flags;
    if (bits == 0) {
        return -ENOENT;
    }
    /* A port's upper 16 bits need not be there. */
    if (low & BAR_IO && !(bits & 0xffff0000)) {
        bits |= 0xffff0000;
    }
    bar->base = value & ~(uint64_t)flags;
    bar->size = ~bits + 1;
    bar->io = (low & BAR_IO) != 0;
    bar->prefetchable = !bar->io && (low & BAR_PREFETCHABLE);
    if (!is_power_of_two(bar->size) || bar->base & (bar->size - 1)) {
        return -EIO;
    }
    return bar->base ? 0 : -ENXIO;
}
