/*
 * The buses of a VM: which device answers at which port or memory address. Unclaimed ports read all
 * ones and swallow writes, unclaimed memory likewise, as on a PC.
 */
#ifndef GUEST_BUS_H
#define GUEST_BUS_H

#include <stddef.h>
#include <stdint.h>

#include "guest/devices/device.h"

#define PORT_BUS_MAX 40
#define MMIO_BUS_MAX 8

/* Ports below this, where a PC's old devices are, find their device by a table. */
#define PORT_BUS_DIRECT 0x800

struct port_range {
    uint16_t first;
    uint16_t last;
    void *device;
    port_read_fn read;
    port_write_fn write;
};

struct port_bus {
    struct port_range ranges[PORT_BUS_MAX]; /* as added */
    unsigned count;
    uint8_t direct[PORT_BUS_DIRECT]; /* by port: index in ranges + 1, 0 for none */
};

struct mmio_range {
    uint64_t first;
    uint64_t last;
    void *device;
    mmio_read_fn read;
    mmio_write_fn write;
};

struct mmio_bus {
    struct mmio_range ranges[MMIO_BUS_MAX]; /* sorted by first address */
    unsigned count;
    const struct mmio_range *recent; /* the one found last: likely the next one; NULL at first */
};

/** 0, -EBUSY when it overlaps another range, -ENOSPC, -EINVAL when empty or beyond the address
 * space. An access over the end of a range is split into bytes, each for the device that has it. */
int port_bus_add(struct port_bus *bus, uint16_t first, uint16_t count, void *device,
                 port_read_fn read, port_write_fn write);
uint32_t port_bus_read(const struct port_bus *bus, uint16_t port, unsigned size);
void port_bus_write(const struct port_bus *bus, uint16_t port, unsigned size, uint32_t value);

/** Likewise; here an access over the end of a range meets nobody. */
int mmio_bus_add(struct mmio_bus *bus, uint64_t first, uint64_t size, void *device,
                 mmio_read_fn read, mmio_write_fn write);
const struct mmio_range *mmio_bus_search(struct mmio_bus *bus, uint64_t address);
/** The range that holds `address`, NULL if none. */
static inline const struct mmio_range *mmio_bus_find(struct mmio_bus *bus, uint64_t address)
{
    const struct mmio_range *recent = bus->recent;

    if (recent && address >= recent->first && address <= recent->last) {
        return recent;
    }
    return mmio_bus_search(bus, address);
}
uint64_t mmio_bus_read(struct mmio_bus *bus, uint64_t address, unsigned size);
void mmio_bus_write(struct mmio_bus *bus, uint64_t address, unsigned size, uint64_t value);

#endif
