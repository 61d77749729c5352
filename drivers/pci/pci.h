/*
 * PCI devices: which there are, where their registers are, what they can do and how they interrupt.
 * Firmware has numbered the buses and given out the addresses; nothing is moved here.
 *
 * Root buses other than the first of each segment (machines of several sockets) are told in AML
 * only, which is not read: devices behind those are not found.
 */
#ifndef DRIVERS_PCI_PCI_H
#define DRIVERS_PCI_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/pci/config.h"

/* Configuration registers (PCI local bus specification, 6.1). */
#define PCI_VENDOR           0x00u
#define PCI_DEVICE           0x02u
#define PCI_COMMAND          0x04u
#define PCI_STATUS           0x06u
#define PCI_CLASS_REVISION   0x08u
#define PCI_HEADER_TYPE      0x0eu
#define PCI_BAR0             0x10u
#define PCI_SECONDARY_BUS    0x19u /* of bridges */
#define PCI_CAPABILITIES     0x34u
#define PCI_INTERRUPT_LINE   0x3cu
#define PCI_INTERRUPT_PIN    0x3du
#define PCI_CAPABILITY_FIRST 0x40u

#define PCI_COMMAND_IO           (1u << 0)
#define PCI_COMMAND_MEMORY       (1u << 1)
#define PCI_COMMAND_MASTER       (1u << 2)
#define PCI_COMMAND_NO_INTERRUPT (1u << 10) /* on the line; MSI is not concerned */

#define PCI_STATUS_CAPABILITIES (1u << 4)

#define PCI_CAPABILITY_MSI    0x05u
#define PCI_CAPABILITY_VENDOR 0x09u
#define PCI_CAPABILITY_MSIX   0x11u

#define PCI_HEADER_DEVICE 0u
#define PCI_HEADER_BRIDGE 1u

/* What a scan learns of a function. */
struct pci_device {
    uint32_t class_code; /* class << 16 | subclass << 8 | programming interface */
    uint16_t vendor;
    uint16_t device;
    struct pci_address address;
    uint8_t header; /* PCI_HEADER_* */
};

/* A range of addresses at which a device answers. */
struct pci_bar {
    uint64_t base;
    uint64_t size;
    bool io;
    bool prefetchable;
};

/** Finds all devices, and keeps them from interrupting until a driver asks. After acpi_init; once.
 */
void pci_init(void);
/** The devices that were found, from 0 up; NULL: no more. */
const struct pci_device *pci_device(unsigned index);

/** Puts the functions of a segment into `devices`: of its first bus and of all that are behind
 * bridges. Returns how many there are, which may be more than `max`. */
unsigned pci_scan(const struct pci_segment *segment, struct pci_device *devices, unsigned max);

/** Base address register `index` (0-5), sized by writing ones to it: the device does not answer
 * meanwhile. 0; -ENOENT if it has no such range (or `index` is the upper half of one); -ENXIO if
 * firmware has given it no address; -EIO if what it says makes no sense. */
int pci_bar_read(const struct pci_device *device, unsigned index, struct pci_bar *bar);

/** Offset of the first capability of that kind behind offset `after` (0: of all); 0 if there is
 * none. Ends also when a device's list has no end. */
unsigned pci_capability_find(const struct pci_device *device, uint8_t id, unsigned after);

/** Lets the device answer to its memory ranges and read and write memory. */
void pci_enable(const struct pci_device *device);
/** Takes its leave to read and write memory, and to interrupt. */
void pci_disable(const struct pci_device *device);

#endif
