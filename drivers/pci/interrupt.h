/*
 * How a PCI device interrupts: by message where it can, else by one of the four lines.
 *
 * Which input of the I/O APIC a line leads to is told in AML (_PRT), which is not read. What is
 * used instead is the ISA interrupt that firmware has routed the line to for the 8259s, as its
 * interrupt line register tells. On PIIX chipsets, as Bochs and QEMU have them, that is an input of
 * the I/O APIC, too; on later ones it need not be, but there devices have messages.
 */
#ifndef DRIVERS_PCI_INTERRUPT_H
#define DRIVERS_PCI_INTERRUPT_H

#include <stdbool.h>

#include "drivers/pci/pci.h"

/** True if the device did interrupt. In interrupt context. */
typedef bool (*pci_interrupt_handler)(void *context);

enum pci_interrupt_kind {
    PCI_BY_MSI = 1 << 0,
    PCI_BY_MSIX = 1 << 1, /* with one vector, for entry 0 */
    PCI_BY_LINE = 1 << 2,
};

/** Connects the device's interrupt to `handler` on this CPU; `kinds` are those the driver can deal
 * with, tried in the order above. Returns the kind, or -ENODEV if there is no way, -EBUSY if the
 * only way is a line that another driver has, -ENOSPC without a free vector. A line that interrupts
 * again and again without reason is masked. */
int pci_interrupt_connect(const struct pci_device *device, unsigned kinds,
                          pci_interrupt_handler handler, void *context);

/** "MSI" and the like. */
const char *pci_interrupt_name(enum pci_interrupt_kind kind);

#endif
