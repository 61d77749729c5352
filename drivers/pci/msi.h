/*
 * Message-signalled interrupts: the device writes `data` to `address`, and on a PC that is an
 * interrupt (SDM vol. 3, 11.11: message address and data). Both kinds are set up with one message.
 */
#ifndef DRIVERS_PCI_MSI_H
#define DRIVERS_PCI_MSI_H

#include <stdint.h>

#include "drivers/pci/pci.h"

struct pci_message {
    uint64_t address;
    uint32_t data;
};

/** The message that is interrupt `vector`, edge-triggered, at the CPU with that APIC id. 0, or
 * -EINVAL for an id above 254, which needs an IOMMU. */
int pci_message_compose(uint32_t apic_id, uint8_t vector, struct pci_message *message);

/** Has the device send this message. 0, or -ENOENT if it cannot. */
int pci_msi_enable(const struct pci_device *device, const struct pci_message *message);

/** Likewise by MSI-X: entry 0 of its table gets the message, and the others stay masked. 0; -ENOENT
 * if it has none; -EIO if its table is nowhere; -ENOMEM. */
int pci_msix_enable(const struct pci_device *device, const struct pci_message *message);

#endif
