#include "drivers/pci/config.h"

#include <stddef.h>

#include "kernel/acpi/acpi.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/cpu/x86.h"
#include "kernel/memory/paging.h"

#define PORT_ADDRESS   0xcf8u
#define PORT_DATA      0xcfcu
#define ADDRESS_ENABLE UINT32_C(0x80000000)

#define ECAM_BUS_SIZE (UINT64_C(1) << 20)
#define ECAM_FUNCTION 4096u
#define BUSES         256u

/* The address register and the data register go together; ECAM's buses are mapped one by one. */
static struct spinlock lock;
/* Where a bus of a segment is mapped: when it is first looked at, because a whole segment would be
 * 256 MiB of address space for a handful of buses. */
static uint8_t *buses[ACPI_MAX_MCFG][BUSES];
static unsigned ecam_count; /* 0: by ports */

void pci_config_init(void)
{
    ecam_count = acpi_info()->mcfg_count;
}

bool pci_config_is_ecam(void)
{
    return ecam_count != 0;
}

bool pci_config_segment(unsigned index, struct pci_segment *segment)
{
    const struct acpi_mcfg *entry = &acpi_info()->mcfg[index];

    if (ecam_count == 0) {
        *segment = (struct pci_segment){.number = 0, .bus_first = 0, .bus_last = BUSES - 1};
        return index == 0;
    }
    if (index >= ecam_count) {
        return false;
    }
    *segment = (struct pci_segment){
        .number = entry->segment, .bus_first = entry->bus_first, .bus_last = entry->bus_last};
    return true;
}

static uint8_t *ecam_bus(const struct pci_address *address)
{
    const struct acpi_info *info = acpi_info();

    for (unsigned i = 0; i < ecam_count; i++) {
        const struct acpi_mcfg *entry = &info->mcfg[i];
        uint8_t **bus = &buses[i][address->bus];

        if (entry->segment != address->segment || address->bus < entry->bus_first ||
            address->bus > entry->bus_last) {
            continue;
        }
        if (!*bus) {
            *bus =
                map_physical(entry->phys + address->bus * ECAM_BUS_SIZE, ECAM_BUS_SIZE, MAP_DEVICE);
        }
        return *bus;
    }
    return NULL;
}

/* NULL: not to be reached. The lock is held. */
static volatile void *ecam_register(const struct pci_address *address, unsigned offset)
{
    uint8_t *bus = offset < ECAM_FUNCTION ? ecam_bus(address) : NULL;
    size_t function = (size_t)address->slot * PCI_FUNCTIONS + address->function;

    return bus ? bus + function * ECAM_FUNCTION + offset : NULL;
}

/* The port at which the register appears; 0: not to be reached. The lock is held. */
static uint16_t select_port(const struct pci_address *address, unsigned offset)
{
    if (address->segment != 0 || offset >= PCI_CONFIG_SIZE) {
        return 0;
    }
    outl(PORT_ADDRESS, ADDRESS_ENABLE | (uint32_t)address->bus << 16 |
                           (uint32_t)address->slot << 11 | (uint32_t)address->function << 8 |
                           (offset & ~3u));
    return (uint16_t)(PORT_DATA + (offset & 3));
}

static bool acquire(void)
{
    bool interrupts = interrupts_save();

    spin_lock(&lock);
    return interrupts;
}

static void release(bool interrupts)
{
    spin_unlock(&lock);
    interrupts_restore(interrupts);
}

static uint32_t read_memory(const volatile void *reg, unsigned size)
{
    switch (size) {
    case 1:
        return *(const volatile uint8_t *)reg;
    case 2:
        return *(const volatile uint16_t *)reg;
    default:
        return *(const volatile uint32_t *)reg;
    }
}

static uint32_t read_port(uint16_t port, unsigned size)
{
    switch (size) {
    case 1:
        return inb(port);
    case 2:
        return inw(port);
    default:
        return inl(port);
    }
}

static uint32_t read(const struct pci_address *address, unsigned offset, unsigned size)
{
    bool interrupts = acquire();
    uint32_t value = UINT32_MAX;

    if (ecam_count) {
        const volatile void *reg = ecam_register(address, offset);

        value = reg ? read_memory(reg, size) : value;
    } else {
        uint16_t port = select_port(address, offset);

        value = port ? read_port(port, size) : value;
    }
    release(interrupts);
    return value;
}

uint8_t pci_read8(const struct pci_address *address, unsigned offset)
{
    return (uint8_t)read(address, offset, sizeof(uint8_t));
}

uint16_t pci_read16(const struct pci_address *address, unsigned offset)
{
    return (uint16_t)read(address, offset, sizeof(uint16_t));
}

uint32_t pci_read32(const struct pci_address *address, unsigned offset)
{
    return read(address, offset, sizeof(uint32_t));
}

void pci_write16(const struct pci_address *address, unsigned offset, uint16_t value)
{
    bool interrupts = acquire();

    if (ecam_count) {
        volatile uint16_t *reg = ecam_register(address, offset);

        if (reg) {
            *reg = value;
        }
    } else {
        uint16_t port = select_port(address, offset);

        if (port) {
            outw(port, value);
        }
    }
    release(interrupts);
}

void pci_write32(const struct pci_address *address, unsigned offset, uint32_t value)
{
    bool interrupts = acquire();

    if (ecam_count) {
        volatile uint32_t *reg = ecam_register(address, offset);

        if (reg) {
            *reg = value;
        }
    } else {
        uint16_t port = select_port(address, offset);

        if (port) {
            outl(port, value);
        }
    }
    release(interrupts);
}
