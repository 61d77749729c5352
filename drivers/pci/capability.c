#include "drivers/pci/pci.h"

/* Each takes a dword at least, and all of them lie behind the header. */
#define CAPABILITIES_MAX ((PCI_CONFIG_SIZE - PCI_CAPABILITY_FIRST) / 4)
#define POINTER_MASK     0xfcu /* the lowest two bits are reserved */

unsigned pci_capability_find(const struct pci_device *device, uint8_t id, unsigned after)
{
    const struct pci_address *address = &device->address;
    bool passed = after == 0;
    unsigned offset;

    if (!(pci_read16(address, PCI_STATUS) & PCI_STATUS_CAPABILITIES)) {
        return 0;
    }
    offset = pci_read8(address, PCI_CAPABILITIES) & POINTER_MASK;
    for (unsigned i = 0; i < CAPABILITIES_MAX && offset >= PCI_CAPABILITY_FIRST; i++) {
        if (passed && pci_read8(address, offset) == id) {
            return offset;
        }
        passed |= offset == after;
        offset = pci_read8(address, offset + 1) & POINTER_MASK;
    }
    return 0;
}
