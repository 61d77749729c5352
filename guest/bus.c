#include "guest/bus.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Kept out of line, so that the common case saves and restores no registers for its sake. */
#define COLD __attribute__((noinline, cold))

static uint64_t all_ones(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

int port_bus_add(struct port_bus *bus, uint16_t first, uint16_t count, void *device,
                 port_read_fn read, port_write_fn write)
{
    if (count == 0 || first + count > 0x10000) {
        return -EINVAL;
    }
    uint16_t last = (uint16_t)(first + count - 1);

    for (unsigned i = 0; i < bus->count; i++) {
        if (bus->ranges[i].first <= last && first <= bus->ranges[i].last) {
            return -EBUSY;
        }
    }
    if (bus->count == PORT_BUS_MAX) {
        return -ENOSPC;
    }
    bus->ranges[bus->count++] = (struct port_range){first, last, device, read, write};
    for (unsigned port = first; port <= last && port < PORT_BUS_DIRECT; port++) {
        bus->direct[port] = (uint8_t)bus->count;
    }
    return 0;
}

static const struct port_range *find_port(const struct port_bus *bus, uint16_t port)
{
    if (port < PORT_BUS_DIRECT) {
        unsigned place = bus->direct[port];

        return place ? &bus->ranges[place - 1] : NULL;
    }
    for (unsigned i = 0; i < bus->count; i++) {
        if (bus->ranges[i].first <= port && port <= bus->ranges[i].last) {
            return &bus->ranges[i];
        }
    }
    return NULL;
}

/* An access that no range holds: a PC's bus splits it, so that each device sees its bytes. */
COLD static uint32_t read_by_bytes(const struct port_bus *bus, uint16_t port, unsigned size)
{
    uint32_t value = 0;

    if (size == 1) {
        return 0xff;
    }
    for (unsigned i = 0; i < size; i++) {
        value |= (port_bus_read(bus, (uint16_t)(port + i), 1) & 0xff) << (i * 8);
    }
    return value;
}

COLD static void write_by_bytes(const struct port_bus *bus, uint16_t port, unsigned size,
                                uint32_t value)
{
    for (unsigned i = 0; size > 1 && i < size; i++) {
        port_bus_write(bus, (uint16_t)(port + i), 1, (value >> (i * 8)) & 0xff);
    }
}

uint32_t port_bus_read(const struct port_bus *bus, uint16_t port, unsigned size)
{
    const struct port_range *range = find_port(bus, port);

    if (!range || port + size - 1 > range->last) {
        return read_by_bytes(bus, port, size);
    }
    return range->read(range->device, (uint16_t)(port - range->first), size);
}

void port_bus_write(const struct port_bus *bus, uint16_t port, unsigned size, uint32_t value)
{
    const struct port_range *range = find_port(bus, port);

    if (!range || port + size - 1 > range->last) {
        write_by_bytes(bus, port, size, value);
    } else {
        range->write(range->device, (uint16_t)(port - range->first), size, value);
    }
}

int mmio_bus_add(struct mmio_bus *bus, uint64_t first, uint64_t size, void *device,
                 mmio_read_fn read, mmio_write_fn write)
{
    unsigned place = 0;

    if (size == 0 || first + (size - 1) < first) {
        return -EINVAL;
    }
    uint64_t last = first + (size - 1);

    while (place < bus->count && bus->ranges[place].last < first) {
        place++;
    }
    if (place < bus->count && bus->ranges[place].first <= last) {
        return -EBUSY;
    }
    if (bus->count == MMIO_BUS_MAX) {
        return -ENOSPC;
    }
    memmove(&bus->ranges[place + 1], &bus->ranges[place],
            (bus->count - place) * sizeof(bus->ranges[0]));
    bus->ranges[place] = (struct mmio_range){first, last, device, read, write};
    bus->recent = NULL;
    bus->count++;
    return 0;
}

const struct mmio_range *mmio_bus_search(struct mmio_bus *bus, uint64_t address)
{
    unsigned low = 0;
    unsigned high = bus->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        const struct mmio_range *range = &bus->ranges[middle];

        if (address > range->last) {
            low = middle + 1;
        } else if (address < range->first) {
            high = middle;
        } else {
            bus->recent = range;
            return range;
        }
    }
    return NULL;
}

uint64_t mmio_bus_read(struct mmio_bus *bus, uint64_t address, unsigned size)
{
    const struct mmio_range *range = mmio_bus_find(bus, address);

    if (!range || range->last - address < size - 1) {
        return all_ones(size);
    }
    return range->read(range->device, address - range->first, size);
}

void mmio_bus_write(struct mmio_bus *bus, uint64_t address, unsigned size, uint64_t value)
{
    const struct mmio_range *range = mmio_bus_find(bus, address);

    if (range && range->last - address >= size - 1) {
        range->write(range->device, address - range->first, size, value);
    }
}
