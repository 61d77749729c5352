/*
 * What device models share: how they are reached (ports, memory), and how they raise interrupts. A
 * device model is plain C over a plain structure; it knows no CPU back end and no other device.
 */
#ifndef GUEST_DEVICES_DEVICE_H
#define GUEST_DEVICES_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

/* Port access: `offset` is from the first port of the registered range; size is 1, 2 or 4. A read
 * returns its value in the low `size` bytes. Sizes a device does not know read as ones and are
 * dropped on write. */
typedef uint32_t (*port_read_fn)(void *device, uint16_t offset, unsigned size);
typedef void (*port_write_fn)(void *device, uint16_t offset, unsigned size, uint32_t value);

/* What nothing answers: all ones, as many as an access of `size` bytes (1, 2 or 4) has. */
static inline uint32_t port_all_ones(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << (8 * size)) - 1;
}

/* Memory access: `offset` from the start of the registered range; size is 1, 2, 4 or 8. */
typedef uint64_t (*mmio_read_fn)(void *device, uint64_t offset, unsigned size);
typedef void (*mmio_write_fn)(void *device, uint64_t offset, unsigned size, uint64_t value);

/* One interrupt output of a device. The level is what counts; an edge is low then high. */
struct irq_line {
    void (*set)(void *context, unsigned irq, bool level);
    void *context;
    unsigned irq; /* ISA number or GSI: whatever `set` understands */
};

static inline void irq_line_set(const struct irq_line *line, bool level)
{
    if (line->set) {
        line->set(line->context, line->irq, level);
    }
}

#endif
