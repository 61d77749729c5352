#include "drivers/pci/interrupt.h"

#include <errno.h>
#include <stddef.h>

#include "drivers/pci/msi.h"
#include "kernel/acpi/acpi.h"
#include "kernel/apic.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/ioapic.h"
#include "kernel/log.h"
#include "kernel/memory/heap.h"

/* So many in a row that no device has caused, and the line is stuck. */
#define UNCLAIMED_MAX 10000u

struct connection {
    pci_interrupt_handler handler;
    void *context;
    uint32_t gsi; /* of a line */
    unsigned unclaimed;
};

/* The device on each line; level-triggered, so that two could share one, but nothing needs that. */
static struct connection *lines[ACPI_ISA_IRQS];

static void handle_message(void *context)
{
    const struct connection *connection = context;

    (void)connection->handler(connection->context);
}

static void handle_line(void *context)
{
    struct connection *connection = context;

    if (connection->handler(connection->context)) {
        connection->unclaimed = 0;
    } else if (++connection->unclaimed == UNCLAIMED_MAX) {
        ioapic_set_masked(connection->gsi, true);
        log_error("PCI: interrupt input %u is stuck and now masked", connection->gsi);
    }
}

static int connect_message(const struct pci_device *device, enum pci_interrupt_kind kind,
                           struct connection *connection)
{
    unsigned capability = kind == PCI_BY_MSI ? PCI_CAPABILITY_MSI : PCI_CAPABILITY_MSIX;
    struct pci_message message;
    int vector;

    if (!pci_capability_find(device, (uint8_t)capability, 0)) {
        return -ENODEV;
    }
    vector = interrupt_vector_alloc(handle_message, connection);
    if (vector < 0) {
        return vector;
    }
    if (pci_message_compose(apic_id(), (uint8_t)vector, &message)) {
        return -ENODEV;
    }
    return kind == PCI_BY_MSI ? pci_msi_enable(device, &message)
                              : pci_msix_enable(device, &message);
}

static int connect_line(const struct pci_device *device, struct connection *connection)
{
    const struct pci_address *at = &device->address;
    uint8_t line = pci_read8(at, PCI_INTERRUPT_LINE);
    struct acpi_interrupt input;
    int vector;
    int error;

    if (pci_read8(at, PCI_INTERRUPT_PIN) == 0 || line == 0 || line >= ACPI_ISA_IRQS) {
        return -ENODEV;
    }
    if (lines[line]) {
        return -EBUSY;
    }
    input = acpi_info()->isa[line];
    input.level = true;
    connection->gsi = input.gsi;
    vector = interrupt_vector_alloc(handle_line, connection);
    if (vector < 0) {
        return vector;
    }
    error = ioapic_connect(&input, (uint8_t)vector, apic_id());
    if (error) {
        return -ENODEV;
    }
    lines[line] = connection;
    pci_write16(at, PCI_COMMAND,
                (uint16_t)(pci_read16(at, PCI_COMMAND) & ~PCI_COMMAND_NO_INTERRUPT));
    return 0;
}

int pci_interrupt_connect(const struct pci_device *device, unsigned kinds,
                          pci_interrupt_handler handler, void *context)
{
    struct connection *connection = kmalloc(sizeof(*connection));
    int error = -ENODEV;

    if (!connection) {
        return -ENOMEM;
    }
    *connection = (struct connection){.handler = handler, .context = context};
    for (unsigned kind = PCI_BY_MSI; kind <= PCI_BY_LINE; kind <<= 1) {
        if (!(kinds & kind)) {
            continue;
        }
        error = kind == PCI_BY_LINE ? connect_line(device, connection)
                                    : connect_message(device, kind, connection);
        if (error == 0) {
            return (int)kind;
        }
    }
    /* A vector that was taken in vain still leads here: the memory stays. */
    return error;
}

const char *pci_interrupt_name(enum pci_interrupt_kind kind)
{
    switch (kind) {
    case PCI_BY_MSI:
        return "MSI";
    case PCI_BY_MSIX:
        return "MSI-X";
    case PCI_BY_LINE:
        return "INTx";
    }
    return "?";
}
