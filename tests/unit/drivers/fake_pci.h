/*
 * A configuration space for tests: functions are added to it, with registers of their own. It takes
 * the place of drivers/pci/config.c.
 */
#ifndef TESTS_UNIT_DRIVERS_FAKE_PCI_H
#define TESTS_UNIT_DRIVERS_FAKE_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/pci/pci.h"

#define FAKE_FUNCTIONS 64u

struct fake_function {
    struct pci_address address;
    uint8_t registers[PCI_CONFIG_SIZE];
    uint8_t writable[PCI_CONFIG_SIZE]; /* bits that a write changes */
};

/** Takes all functions away. */
void fake_pci_reset(void);
/** Adds a function with that vendor and device; its command register can be written. */
struct fake_function *fake_pci_add(uint8_t bus, uint8_t slot, uint8_t function, uint16_t vendor,
                                   uint16_t device);
void fake_pci_set(struct fake_function *function, unsigned offset, unsigned size, uint32_t value);
uint32_t fake_pci_get(const struct fake_function *function, unsigned offset, unsigned size);
/** A base address register: `mask` are its writable bits. */
void fake_pci_set_bar(struct fake_function *function, unsigned index, uint32_t value,
                      uint32_t mask);
/** The function as a scan reports it. */
struct pci_device fake_pci_device(const struct fake_function *function);
/** True if a base address register was written while the function answered to addresses. */
bool fake_pci_sized_while_enabled(void);

#endif
