#include "drivers/pci/pci.h"

#include <stddef.h>

#include "kernel/log.h"

#define DEVICES_MAX 128u

static struct pci_device devices[DEVICES_MAX];
static unsigned device_count;

const struct pci_device *pci_device(unsigned index)
{
    return index < device_count ? &devices[index] : NULL;
}

static void set_command(const struct pci_device *device, unsigned clear, unsigned set)
{
    unsigned command = pci_read16(&device->address, PCI_COMMAND);

    pci_write16(&device->address, PCI_COMMAND, (uint16_t)((command & ~clear) | set));
}

void pci_enable(const struct pci_device *device)
{
    set_command(device, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void pci_disable(const struct pci_device *device)
{
    set_command(device, PCI_COMMAND_MASTER, PCI_COMMAND_NO_INTERRUPT);
}

void pci_init(void)
{
    struct pci_segment segment;
    unsigned lost = 0;

    pci_config_init();
    for (unsigned i = 0; pci_config_segment(i, &segment); i++) {
        unsigned space = DEVICES_MAX - device_count;
        unsigned found = pci_scan(&segment, &devices[device_count], space);

        device_count += found < space ? found : space;
        lost += found < space ? 0 : found - space;
    }
    /* Lines are shared: a device that nobody serves would hold down another's. */
    for (unsigned i = 0; i < device_count; i++) {
        set_command(&devices[i], 0, PCI_COMMAND_NO_INTERRUPT);
    }
    log_info("PCI: %u devices, configured through %s", device_count,
             pci_config_is_ecam() ? "memory (ECAM)" : "ports");
    if (lost) {
        log_warn("PCI: there is room for %u devices, %u were left out", DEVICES_MAX, lost);
    }
}
