/*
 * How a guest reaches the local APIC's registers: the xAPIC's memory page and the x2APIC's MSRs,
 * and what a write to each register does (SDM vol. 3, 11.4.1, 11.12.1).
 */
#include <errno.h>

#include "guest/devices/lapic.h"
#include "guest/devices/lapic_registers.h"

#define OFFSET_BIT(offset)    (1ull << ((offset) >> 4))
#define OFFSET_BITS(from, to) (((2ull << ((to) >> 4)) - 1) & ~(OFFSET_BIT(from) - 1))

/* Registers by offset / 16. */
#define X2APIC_READABLE                                                         \
    (OFFSET_BIT(LAPIC_ID) | OFFSET_BIT(LAPIC_VERSION) | OFFSET_BIT(LAPIC_TPR) | \
     OFFSET_BIT(LAPIC_PPR) | OFFSET_BIT(LAPIC_LDR) | OFFSET_BIT(LAPIC_SVR) |    \
     OFFSET_BITS(LAPIC_ISR, LAPIC_ESR) | OFFSET_BIT(LAPIC_ICR) |                \
     OFFSET_BITS(LAPIC_LVT_TIMER, LAPIC_CURRENT_COUNT) | OFFSET_BIT(LAPIC_DIVIDE))
#define XAPIC_PRESENT                                                                          \
    (X2APIC_READABLE | OFFSET_BIT(LAPIC_APR) | OFFSET_BIT(LAPIC_EOI) | OFFSET_BIT(LAPIC_RRD) | \
     OFFSET_BIT(LAPIC_DFR) | OFFSET_BIT(LAPIC_ICR_HIGH))

#define SVR_WRITABLE      (0xffu | SVR_ENABLE | SVR_FOCUS | SVR_SUPPRESS_EOI)
#define ICR_WRITABLE      0x000ccfffu
#define ICR_STATUS        (1u << 12)
#define LVT_READ_ONLY     ((1u << 12) | (1u << 14)) /* delivery status, remote IRR */
#define DIVIDE_WRITABLE   0xbu
#define LDR_WRITABLE      0xff000000u
#define DFR_FIXED         0x0fffffffu
#define ICR_HIGH_WRITABLE 0xff000000u

static bool present(uint64_t registers, unsigned offset)
{
    return offset < 0x400 && (registers & OFFSET_BIT(offset));
}

static uint32_t lvt_writable(unsigned offset)
{
    switch (offset) {
    case LAPIC_LVT_TIMER:
        return 0x600ff | LVT_MASKED;
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
        return 0xa7ff | LVT_MASKED;
    case LAPIC_LVT_ERROR:
        return 0xff | LVT_MASKED;
    default:
        return 0x7ff | LVT_MASKED;
    }
}

/* 11.8.3.1: the higher of the task's and the served interrupt's class; the subclass only from TPR.
 */
static uint32_t processor_priority(const struct lapic *lapic)
{
    uint32_t task = lapic_get(lapic, LAPIC_TPR) & 0xff;
    int highest = lapic_in_service(lapic);
    uint32_t served = highest < 0 ? 0 : (uint32_t)highest & 0xf0;

    return task >= served ? task : served;
}

static uint32_t read_register(const struct lapic *lapic, unsigned offset)
{
    switch (offset) {
    case LAPIC_PPR:
        return processor_priority(lapic);
    case LAPIC_CURRENT_COUNT:
        return lapic_timer_current_count(lapic);
    default:
        return lapic_get(lapic, offset);
    }
}

static void write_lvt(struct lapic *lapic, unsigned offset, uint32_t value)
{
    value &= lvt_writable(offset);
    if (!lapic->software_enabled) {
        value |= LVT_MASKED;
    }
    lapic_set(lapic, offset, value);
    if (offset == LAPIC_LVT_TIMER) {
        lapic_timer_set_mode(lapic, LVT_TIMER_MODE(value));
    }
    /* The 8259 pair may be let through or locked out. */
    lapic->ops->changed(lapic->context);
}

static void write_svr(struct lapic *lapic, uint32_t value)
{
    bool enabled = value & SVR_ENABLE;

    lapic_set(lapic, LAPIC_SVR, value & SVR_WRITABLE);
    __atomic_store_n(&lapic->software_enabled, enabled, __ATOMIC_RELAXED);
    if (!enabled) {
        for (unsigned offset = LAPIC_LVT_TIMER; offset <= LAPIC_LVT_ERROR; offset += 16) {
            lapic_set(lapic, offset, lapic_get(lapic, offset) | LVT_MASKED);
        }
        lapic->ops->changed(lapic->context);
    }
}

static uint32_t widen_destination(uint32_t icr_high)
{
    uint32_t destination = icr_high >> 24;

    return destination == 0xff ? DESTINATION_BROADCAST : destination;
}

static void write_register(struct lapic *lapic, unsigned offset, uint32_t value)
{
    switch (offset) {
    case LAPIC_TPR:
        lapic_set(lapic, LAPIC_TPR, value & 0xff);
        lapic_priority_changed(lapic);
        break;
    case LAPIC_EOI:
        lapic_eoi(lapic);
        break;
    case LAPIC_LDR:
        lapic_set(lapic, LAPIC_LDR, value & LDR_WRITABLE);
        break;
    case LAPIC_DFR:
        lapic_set(lapic, LAPIC_DFR, value | DFR_FIXED);
        break;
    case LAPIC_SVR:
        write_svr(lapic, value);
        break;
    case LAPIC_ESR:
        /* Any write shows the errors since the last one (11.5.3). */
        lapic_set(lapic, LAPIC_ESR, __atomic_exchange_n(&lapic->errors, 0, __ATOMIC_RELAXED));
        break;
    case LAPIC_ICR:
        lapic_set(lapic, LAPIC_ICR, value & ICR_WRITABLE);
        lapic_send_ipi(lapic, value, widen_destination(lapic_get(lapic, LAPIC_ICR_HIGH)));
        break;
    case LAPIC_ICR_HIGH:
        lapic_set(lapic, LAPIC_ICR_HIGH, value & ICR_HIGH_WRITABLE);
        break;
    case LAPIC_LVT_TIMER:
    case LAPIC_LVT_THERMAL:
    case LAPIC_LVT_PERFORMANCE:
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
    case LAPIC_LVT_ERROR:
        write_lvt(lapic, offset, value);
        break;
    case LAPIC_INITIAL_COUNT:
        lapic_timer_set_initial_count(lapic, value);
        lapic_set(lapic, LAPIC_INITIAL_COUNT, lapic->timer.initial_count);
        break;
    case LAPIC_DIVIDE:
        lapic_set(lapic, LAPIC_DIVIDE, value & DIVIDE_WRITABLE);
        lapic_timer_set_divide(lapic, value);
        break;
    default:
        if (!present(XAPIC_PRESENT, offset)) {
            lapic_error(lapic, ESR_ILLEGAL_REGISTER_ADDRESS);
        }
        break; /* the rest is read-only */
    }
}

uint64_t lapic_mmio_read(void *device, uint64_t offset, unsigned size)
{
    struct lapic *lapic = device;
    unsigned aligned = (unsigned)offset & 0xff0;
    unsigned byte = (unsigned)offset & 0xf;

    if (lapic_mode(lapic) != APIC_MODE_XAPIC) {
        return UINT64_MAX;
    }
    if (!present(XAPIC_PRESENT, aligned)) {
        lapic_error(lapic, ESR_ILLEGAL_REGISTER_ADDRESS);
        return 0;
    }
    if (byte >= 4) {
        return 0; /* between registers: undefined */
    }
    uint64_t value = read_register(lapic, aligned) >> (byte * 8);

    return size >= 4 ? value : value & ((1u << (size * 8)) - 1);
}

void lapic_mmio_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    struct lapic *lapic = device;

    /* Writes other than of a whole register are undefined; hardware that takes them at all does
     * nothing useful, so they are dropped. */
    if (lapic_mode(lapic) != APIC_MODE_XAPIC || size < 4 || (offset & 0xf)) {
        return;
    }
    write_register(lapic, (unsigned)offset & 0xff0, (uint32_t)value);
}

void lapic_after_hardware_write(struct lapic *lapic, uint16_t offset)
{
    unsigned aligned = offset & 0xff0u;
    uint32_t value = lapic_get(lapic, aligned);

    if (aligned == LAPIC_ID) {
        /* The CPU lets it be written; here the ID is fixed, as on current parts. */
        lapic_set(lapic, LAPIC_ID, lapic->id << 24);
    } else if (aligned == LAPIC_EOI) {
        lapic_set(lapic, LAPIC_EOI, 0); /* write-only */
        lapic_eoi(lapic);
    } else if (lapic_mode(lapic) == APIC_MODE_X2APIC && aligned == LAPIC_SELF_IPI) {
        lapic_send_self_ipi(lapic, (uint8_t)value);
    } else {
        write_register(lapic, aligned, value);
    }
}

int lapic_x2apic_read(struct lapic *lapic, uint32_t index, uint64_t *value)
{
    unsigned offset = (index - LAPIC_MSR_FIRST) << 4;

    if (lapic_mode(lapic) != APIC_MODE_X2APIC || !present(X2APIC_READABLE, offset)) {
        return -EINVAL;
    }
    *value = read_register(lapic, offset);
    if (offset == LAPIC_ICR) {
        *value |= (uint64_t)lapic_get(lapic, LAPIC_ICR + 4) << 32;
    }
    return 0;
}

/* The bits of an x2APIC register that a write may set, but for EOI and SELF IPI; false when it
 * cannot be written. */
static bool x2apic_writable(unsigned offset, uint64_t *bits)
{
    switch (offset) {
    case LAPIC_TPR:
        *bits = 0xff;
        return true;
    case LAPIC_ESR:
        *bits = 0;
        return true;
    case LAPIC_SVR:
        *bits = SVR_WRITABLE;
        return true;
    case LAPIC_ICR:
        /* The status bit is gone, but Intel's CPUs ignore it rather than fault. */
        *bits = 0xffffffffull << 32 | ICR_WRITABLE | ICR_STATUS;
        return true;
    case LAPIC_LVT_TIMER:
    case LAPIC_LVT_THERMAL:
    case LAPIC_LVT_PERFORMANCE:
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
    case LAPIC_LVT_ERROR:
        *bits = lvt_writable(offset) | LVT_READ_ONLY;
        return true;
    case LAPIC_INITIAL_COUNT:
        *bits = 0xffffffff;
        return true;
    case LAPIC_DIVIDE:
        *bits = DIVIDE_WRITABLE;
        return true;
    default:
        return false;
    }
}

static int write_x2apic_register(struct lapic *lapic, unsigned offset, uint64_t value)
{
    uint64_t writable;

    if (!x2apic_writable(offset, &writable) || (value & ~writable)) {
        return -EINVAL;
    }
    if (offset == LAPIC_ICR) {
        lapic_set(lapic, LAPIC_ICR, (uint32_t)value & ICR_WRITABLE);
        lapic_set(lapic, LAPIC_ICR + 4, (uint32_t)(value >> 32));
        lapic_send_ipi(lapic, (uint32_t)value, (uint32_t)(value >> 32));
    } else {
        write_register(lapic, offset, (uint32_t)value);
    }
    return 0;
}

int lapic_x2apic_write(struct lapic *lapic, uint32_t index, uint64_t value)
{
    if (lapic_mode(lapic) != APIC_MODE_X2APIC) {
        return -EINVAL;
    }
    switch (index) {
    case LAPIC_MSR_FIRST + LAPIC_EOI / 16:
        if (value) {
            return -EINVAL;
        }
        lapic_eoi(lapic);
        return 0;
    case LAPIC_MSR_FIRST + LAPIC_SELF_IPI / 16:
        if (value > 0xff) {
            return -EINVAL;
        }
        lapic_send_self_ipi(lapic, (uint8_t)value);
        return 0;
    default:
        return write_x2apic_register(lapic, (index - LAPIC_MSR_FIRST) << 4, value);
    }
}

int lapic_cr8_write(struct lapic *lapic, uint64_t value)
{
    if (value > 15) {
        return -EINVAL;
    }
    lapic_set(lapic, LAPIC_TPR, (uint32_t)value << 4);
    lapic_priority_changed(lapic);
    return 0;
}
