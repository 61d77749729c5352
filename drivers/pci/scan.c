#include "drivers/pci/pci.h"

#define HEADER_TYPE_MASK     0x7fu
#define HEADER_MULTIFUNCTION 0x80u
#define VENDOR_NONE          0xffffu
#define BUSES                256u

struct scan {
    const struct pci_segment *segment;
    bool known[BUSES];   /* buses that something leads to */
    bool scanned[BUSES]; /* each is looked at once, whatever bridges say */
    struct pci_device *devices;
    unsigned max;
    unsigned count;
};

static void add_bus(struct scan *scan, uint8_t bus)
{
    if (bus >= scan->segment->bus_first && bus <= scan->segment->bus_last) {
        scan->known[bus] = true;
    }
}

/* True if there is a function. */
static bool scan_function(struct scan *scan, const struct pci_address *address)
{
    struct pci_device device = {.address = *address};

    device.vendor = pci_read16(address, PCI_VENDOR);
    if (device.vendor == VENDOR_NONE) {
        return false;
    }
    device.device = pci_read16(address, PCI_DEVICE);
    device.class_code = pci_read32(address, PCI_CLASS_REVISION) >> 8;
    device.header = pci_read8(address, PCI_HEADER_TYPE) & HEADER_TYPE_MASK;
    if (device.header == PCI_HEADER_BRIDGE) {
        add_bus(scan, pci_read8(address, PCI_SECONDARY_BUS));
    }
    if (scan->count < scan->max) {
        scan->devices[scan->count] = device;
    }
    scan->count++;
    return true;
}

static void scan_slot(struct scan *scan, struct pci_address address)
{
    if (!scan_function(scan, &address) ||
        !(pci_read8(&address, PCI_HEADER_TYPE) & HEADER_MULTIFUNCTION)) {
        return;
    }
    for (address.function = 1; address.function < PCI_FUNCTIONS; address.function++) {
        (void)scan_function(scan, &address);
    }
}

static void scan_bus(struct scan *scan, uint8_t bus)
{
    struct pci_address address = {.segment = scan->segment->number, .bus = bus};

    scan->scanned[bus] = true;
    for (address.slot = 0; address.slot < PCI_SLOTS; address.slot++) {
        scan_slot(scan, address);
    }
}

unsigned pci_scan(const struct pci_segment *segment, struct pci_device *devices, unsigned max)
{
    struct scan scan = {.segment = segment, .devices = devices, .max = max};
    bool more = true;

    add_bus(&scan, segment->bus_first);
    /* A bus behind a bridge may have a lower number than the bridge's: until nothing is new. */
    while (more) {
        more = false;
        for (unsigned bus = 0; bus < BUSES; bus++) {
            if (scan.known[bus] && !scan.scanned[bus]) {
                scan_bus(&scan, (uint8_t)bus);
                more = true;
            }
        }
    }
    return scan.count;
}
