#include "guest/devices/ioapic.h"

#include <string.h>

/* Redirection entry (82093AA data sheet, 3.2.4). */
#define ENTRY_VECTOR             0xffull
#define ENTRY_LOGICAL            (1ull << 11)
#define ENTRY_STATUS             (1ull << 12)
#define ENTRY_REMOTE_IRR         (1ull << 14)
#define ENTRY_LEVEL              (1ull << 15)
#define ENTRY_MASKED             (1ull << 16)
#define ENTRY_READ_ONLY          (ENTRY_STATUS | ENTRY_REMOTE_IRR)
#define ENTRY_WRITABLE           (0xff0000000001ffffull & ~ENTRY_READ_ONLY)
#define ENTRY_MODE(entry)        ((uint8_t)(((entry) >> 8) & 7))
#define ENTRY_DESTINATION(entry) ((uint32_t)((entry) >> 56))

/* Memory-mapped registers. */
#define IOREGSEL 0x00u
#define IOWIN    0x10u
#define IOEOI    0x40u

/* Registers behind IOREGSEL. */
#define REGISTER_ID          0x00u
#define REGISTER_VERSION     0x01u
#define REGISTER_ARBITRATION 0x02u
#define REGISTER_REDIRECTION 0x10u

#define ID_WRITABLE 0x0f000000u

static bool wants_eoi(uint64_t entry)
{
    uint8_t mode = ENTRY_MODE(entry);

    return (entry & ENTRY_LEVEL) && (mode == DELIVERY_FIXED || mode == DELIVERY_LOWEST_PRIORITY);
}

static void deliver(struct ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->redirection[pin];
    uint32_t destination = ENTRY_DESTINATION(entry);
    struct interrupt_message message = {
        .destination = destination == 0xff ? DESTINATION_BROADCAST : destination,
        .vector = (uint8_t)(entry & ENTRY_VECTOR),
        .delivery_mode = ENTRY_MODE(entry),
        .shorthand = SHORTHAND_NONE,
        .logical = entry & ENTRY_LOGICAL,
        .level = wants_eoi(entry),
    };

    if (message.level) {
        /* Before the message: its EOI may come back at once. */
        ioapic->redirection[pin] |= ENTRY_REMOTE_IRR;
    }
    ioapic->ops->deliver(ioapic->context, &message);
}

/* A level-triggered pin interrupts while it is asserted, unmasked and not yet in service. */
static void deliver_level(struct ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->redirection[pin];

    if ((ioapic->lines & (1u << pin)) && wants_eoi(entry) &&
        !(entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR))) {
        deliver(ioapic, pin);
    }
}

void ioapic_set_irq(struct ioapic *ioapic, unsigned pin, bool level)
{
    if (pin >= IOAPIC_PINS) {
        return;
    }
    uint32_t bit = 1u << pin;
    uint64_t entry = ioapic->redirection[pin];
    bool rising = level && !(ioapic->lines & bit);

    ioapic->lines = level ? ioapic->lines | bit : ioapic->lines & ~bit;
    if (wants_eoi(entry)) {
        deliver_level(ioapic, pin);
    } else if (rising && !(entry & ENTRY_MASKED)) {
        /* An edge on a masked pin is lost. Modes other than fixed and lowest-priority have no EOI,
         * so that for them every rising edge counts, whatever the trigger bit says. */
        deliver(ioapic, pin);
    }
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t entry = ioapic->redirection[pin];

        if ((entry & ENTRY_REMOTE_IRR) && (entry & ENTRY_VECTOR) == vector) {
            ioapic->redirection[pin] = entry & ~ENTRY_REMOTE_IRR;
            deliver_level(ioapic, pin);
        }
    }
}

void ioapic_level_vectors(const struct ioapic *ioapic, uint64_t bitmap[4])
{
    memset(bitmap, 0, 4 * sizeof(bitmap[0]));
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t entry = ioapic->redirection[pin];

        /* A masked pin may still have an interrupt in service. */
        if (wants_eoi(entry) && (!(entry & ENTRY_MASKED) || (entry & ENTRY_REMOTE_IRR))) {
            bitmap[(entry & ENTRY_VECTOR) / 64] |= 1ull << (entry % 64);
        }
    }
}

static void write_redirection(struct ioapic *ioapic, unsigned pin, bool high, uint32_t value)
{
    uint64_t old = ioapic->redirection[pin];
    uint64_t entry = high ? (uint32_t)old | (uint64_t)value << 32 : (old >> 32 << 32) | value;

    entry = (entry & ENTRY_WRITABLE) | (old & ENTRY_READ_ONLY);
    if (!(entry & ENTRY_LEVEL)) {
        /* Edge-triggered pins have no remote IRR. OSes without an EOI register to use switch a pin
         * to edge and back to end its interrupt. */
        entry &= ~ENTRY_REMOTE_IRR;
    }
    ioapic->redirection[pin] = entry;

    uint64_t relevant = ENTRY_VECTOR | ENTRY_LEVEL | ENTRY_MASKED | ENTRY_REMOTE_IRR | 0x700;

    /* Before a delivery, which may be over, EOI and all, on another vCPU at once. */
    if (((old ^ entry) & relevant) && ioapic->ops->level_vectors_changed) {
        ioapic->ops->level_vectors_changed(ioapic->context);
    }
    deliver_level(ioapic, pin);
}

static uint32_t read_register(const struct ioapic *ioapic)
{
    unsigned index = ioapic->select - REGISTER_REDIRECTION; /* huge for those below */

    if (index < 2 * IOAPIC_PINS) {
        return (uint32_t)(ioapic->redirection[index / 2] >> (index % 2 * 32));
    }
    switch (ioapic->select) {
    case REGISTER_ID:
    case REGISTER_ARBITRATION: /* loaded from the ID; there is no arbitration any more */
        return ioapic->id;
    case REGISTER_VERSION:
        return (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION;
    default:
        return 0;
    }
}

static void write_register(struct ioapic *ioapic, uint32_t value)
{
    unsigned index = ioapic->select - REGISTER_REDIRECTION;

    if (index < 2 * IOAPIC_PINS) {
        write_redirection(ioapic, index / 2, index % 2, value);
    } else if (ioapic->select == REGISTER_ID) {
        ioapic->id = value & ID_WRITABLE;
    }
}

uint64_t ioapic_mmio_read(void *device, uint64_t offset, unsigned size)
{
    const struct ioapic *ioapic = device;
    uint32_t value = 0;

    if ((offset & ~3ull) == IOWIN) {
        value = read_register(ioapic);
    } else if ((offset & ~3ull) == IOREGSEL) {
        value = ioapic->select;
    }
    value >>= (offset & 3) * 8;
    return size >= 4 ? value : value & ((1u << (size * 8)) - 1);
}

void ioapic_mmio_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    struct ioapic *ioapic = device;

    switch (offset) {
    case IOREGSEL: /* only its low byte exists */
        ioapic->select = (uint8_t)value;
        break;
    case IOWIN: /* must be written as a whole (data sheet, 3.1.2) */
        if (size >= 4) {
            write_register(ioapic, (uint32_t)value);
        }
        break;
    case IOEOI:
        ioapic_eoi(ioapic, (uint8_t)value);
        break;
    default:
        break;
    }
}

static void set_power_up_state(struct ioapic *ioapic)
{
    ioapic->id = (uint32_t)ioapic->initial_id << 24 & ID_WRITABLE;
    ioapic->select = 0;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        ioapic->redirection[pin] = ENTRY_MASKED;
    }
}

void ioapic_init(struct ioapic *ioapic, uint8_t id, const struct ioapic_ops *ops, void *context)
{
    *ioapic = (struct ioapic){.ops = ops, .context = context, .initial_id = id};
    set_power_up_state(ioapic);
}

void ioapic_reset(struct ioapic *ioapic)
{
    set_power_up_state(ioapic);
    if (ioapic->ops->level_vectors_changed) {
        ioapic->ops->level_vectors_changed(ioapic->context);
    }
}
