/*
 * PCI configuration space: 4 KiB of registers for each function, reached through memory (ECAM, PCI
 * Express base specification 7.2.2) where ACPI says where that is, else 256 bytes of them through
 * ports 0xcf8 and 0xcfc (PCI local bus specification 3.2.2.3). Any context but NMI.
 */
#ifndef DRIVERS_PCI_CONFIG_H
#define DRIVERS_PCI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_SLOTS       32u
#define PCI_FUNCTIONS   8u
#define PCI_CONFIG_SIZE 256u /* what every function has */

struct pci_address {
    uint16_t segment;
    uint8_t bus;
    uint8_t slot;     /* 0-31 */
    uint8_t function; /* 0-7 */
};

/* Buses that can be reached, all of one segment. */
struct pci_segment {
    uint16_t number;
    uint8_t bus_first;
    uint8_t bus_last;
};

/** Finds out how configuration space is reached. After acpi_init; once. */
void pci_config_init(void);
/** The segments, from 0 up; false when there are no more. */
bool pci_config_segment(unsigned index, struct pci_segment *segment);
/** Whether it is memory that configuration space is reached by. */
bool pci_config_is_ecam(void);

/** A register, at an offset which is a multiple of its size. What cannot be reached, or is not
 * there, reads as all ones, and a write to it is lost. */
uint8_t pci_read8(const struct pci_address *address, unsigned offset);
uint16_t pci_read16(const struct pci_address *address, unsigned offset);
uint32_t pci_read32(const struct pci_address *address, unsigned offset);
void pci_write16(const struct pci_address *address, unsigned offset, uint16_t value);
void pci_write32(const struct pci_address *address, unsigned offset, uint32_t value);

#endif
