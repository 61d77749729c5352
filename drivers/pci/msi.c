#include "drivers/pci/msi.h"

#include <errno.h>
#include <stddef.h>

#include "kernel/memory/paging.h"

#define MESSAGE_ADDRESS     UINT64_C(0xfee00000)
#define MESSAGE_DESTINATION 12
#define APIC_ID_LAST        254u

/* PCI local bus specification 6.8.1: offsets in the capability, and its control register. */
#define MSI_CONTROL          2u
#define MSI_ADDRESS          4u
#define MSI_UPPER_ADDRESS    8u /* with 64 bits; what follows is 4 further then */
#define MSI_DATA             8u
#define MSI_MASK             12u
#define MSI_CONTROL_ENABLE   (1u << 0)
#define MSI_CONTROL_MULTIPLE (7u << 4) /* log2 of how many messages are allowed */
#define MSI_CONTROL_64       (1u << 7)
#define MSI_CONTROL_MASKS    (1u << 8)

/* 6.8.2 */
#define MSIX_CONTROL        2u
#define MSIX_TABLE          4u
#define MSIX_TABLE_BAR      7u
#define MSIX_CONTROL_SIZE   0x7ffu /* number of the last entry */
#define MSIX_CONTROL_MASKED (1u << 14)
#define MSIX_CONTROL_ENABLE (1u << 15)
#define MSIX_ENTRY_MASKED   1u

struct msix_entry {
    uint32_t address;
    uint32_t upper_address;
    uint32_t data;
    uint32_t control;
};

int pci_message_compose(uint32_t apic_id, uint8_t vector, struct pci_message *message)
{
    if (apic_id > APIC_ID_LAST) {
        return -EINVAL;
    }
    message->address = MESSAGE_ADDRESS | (uint64_t)apic_id << MESSAGE_DESTINATION;
    message->data = vector;
    return 0;
}

int pci_msi_enable(const struct pci_device *device, const struct pci_message *message)
{
    const struct pci_address *at = &device->address;
    unsigned msi = pci_capability_find(device, PCI_CAPABILITY_MSI, 0);
    unsigned further = 0;
    uint16_t control;

    if (!msi) {
        return -ENOENT;
    }
    control = (uint16_t)(pci_read16(at, msi + MSI_CONTROL) &
                         ~(MSI_CONTROL_ENABLE | MSI_CONTROL_MULTIPLE));
    pci_write16(at, msi + MSI_CONTROL, control);
    pci_write32(at, msi + MSI_ADDRESS, (uint32_t)message->address);
    if (control & MSI_CONTROL_64) {
        pci_write32(at, msi + MSI_UPPER_ADDRESS, (uint32_t)(message->address >> 32));
        further = 4;
    }
    pci_write16(at, msi + MSI_DATA + further, (uint16_t)message->data);
    if (control & MSI_CONTROL_MASKS) {
        pci_write32(at, msi + MSI_MASK + further, 0);
    }
    pci_write16(at, msi + MSI_CONTROL, (uint16_t)(control | MSI_CONTROL_ENABLE));
    return 0;
}

/* The table, mapped; NULL if it is nowhere or memory is short: `error` says which. */
static volatile struct msix_entry *map_table(const struct pci_device *device, unsigned msix,
                                             unsigned entries, int *error)
{
    uint32_t where = pci_read32(&device->address, msix + MSIX_TABLE);
    uint64_t offset = where & ~MSIX_TABLE_BAR;
    size_t size = entries * sizeof(struct msix_entry);
    volatile struct msix_entry *table;
    struct pci_bar bar;

    *error = -EIO;
    if (pci_bar_read(device, where & MSIX_TABLE_BAR, &bar) || bar.io || bar.size < size ||
        offset > bar.size - size) {
        return NULL;
    }
    *error = -ENOMEM;
    table = map_physical(bar.base + offset, size, MAP_DEVICE);
    return table;
}

int pci_msix_enable(const struct pci_device *device, const struct pci_message *message)
{
    const struct pci_address *at = &device->address;
    unsigned msix = pci_capability_find(device, PCI_CAPABILITY_MSIX, 0);
    volatile struct msix_entry *table;
    unsigned entries;
    uint16_t control;
    int error;

    if (!msix) {
        return -ENOENT;
    }
    control = pci_read16(at, msix + MSIX_CONTROL);
    entries = (control & MSIX_CONTROL_SIZE) + 1u;
    table = map_table(device, msix, entries, &error);
    if (!table) {
        return error;
    }
    pci_write16(at, PCI_COMMAND, (uint16_t)(pci_read16(at, PCI_COMMAND) | PCI_COMMAND_MEMORY));
    /* Enabled, but silent until the whole table is valid. */
    control |= MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASKED;
    pci_write16(at, msix + MSIX_CONTROL, control);
    for (unsigned i = 0; i < entries; i++) {
        table[i].control = MSIX_ENTRY_MASKED;
    }
    table[0].address = (uint32_t)message->address;
    table[0].upper_address = (uint32_t)(message->address >> 32);
    table[0].data = message->data;
    table[0].control = 0;
    pci_write16(at, msix + MSIX_CONTROL, (uint16_t)(control & ~MSIX_CONTROL_MASKED));
    return 0;
}
