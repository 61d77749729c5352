#include "guest/devices/acpi_pm.h"

#define PM1_TIMER        0x0001u
#define PM1_GLOBAL       0x0020u
#define PM1_POWER_BUTTON 0x0100u
#define PM1_RTC          0x0400u
/* Enable bits that hold. The RTC's wakes nothing (FADT: FIX_RTC), but Linux enables it for any
 * clock with an alarm and complains when it does not hold. There is no sleep button and no PCI
 * Express. */
#define PM1_ENABLE_MASK (PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_RTC)

#define PM1_SCI_ENABLED       0x0001u
#define PM1_BUS_MASTER_RELOAD 0x0002u
#define PM1_SLEEP_TYPE_SHIFT  10
#define PM1_SLEEP_TYPE        (7u << PM1_SLEEP_TYPE_SHIFT)
#define PM1_SLEEP_ENABLE      0x2000u
#define PM1_CONTROL_KEPT      (PM1_BUS_MASTER_RELOAD | PM1_SLEEP_TYPE)

#define NS_PER_SECOND UINT64_C(1000000000)

/* Ticks of the PM timer per nanosecond, as a fraction of 2^64; and nanoseconds per tick, as a
 * multiple of 2^-54, rounded up. Constants, so that no 128-bit division is left at run time. */
#define TICKS_PER_NS ((uint64_t)(((unsigned __int128)ACPI_PM_TIMER_HZ << 64) / NS_PER_SECOND))
#define NS_PER_TICK  ((uint64_t)(((unsigned __int128)NS_PER_SECOND << 54) / ACPI_PM_TIMER_HZ) + 1)

static uint64_t ticks_from_ns(uint64_t ns)
{
    return (uint64_t)(((unsigned __int128)ns * TICKS_PER_NS) >> 64);
}

/* A moment at which the timer has reached `ticks` for certain: up to two ticks late. */
static uint64_t ns_from_ticks(uint64_t ticks)
{
    return (uint64_t)(((unsigned __int128)(ticks + 1) * NS_PER_TICK) >> 54);
}

static uint64_t timer_ticks(const struct acpi_pm *pm)
{
    return ticks_from_ns(timer_now(pm->timer.queue));
}

/* TMR_STS says that bit 31 has changed since the guest cleared it (ACPI 4.8.3.3), so it needs no
 * timer of ours while nobody is to be interrupted. */
static uint64_t timer_changes(const struct acpi_pm *pm)
{
    return timer_ticks(pm) >> 31;
}

static uint16_t read_status(const struct acpi_pm *pm)
{
    uint16_t status = pm->status;

    if (timer_changes(pm) != pm->timer_seen) {
        status |= PM1_TIMER;
    }
    return status;
}

static void update(struct acpi_pm *pm)
{
    uint16_t status = read_status(pm);

    if ((pm->enable & PM1_TIMER) && !(status & PM1_TIMER)) {
        timer_arm(&pm->timer, ns_from_ticks((pm->timer_seen + 1) << 31));
    } else {
        timer_cancel(&pm->timer);
    }
    irq_line_set(&pm->sci, status & pm->enable);
}

static void timer_expired(void *context, uint64_t deadline)
{
    (void)deadline;
    update(context);
}

void acpi_pm_init(struct acpi_pm *pm, const struct irq_line *sci, struct timer_queue *timers,
                  const struct vm_actions *actions)
{
    pm->sci = *sci;
    pm->actions = *actions;
    timer_init(&pm->timer, timers, timer_expired, pm);
    acpi_pm_reset(pm);
}

void acpi_pm_reset(struct acpi_pm *pm)
{
    pm->status = 0;
    pm->enable = 0;
    pm->control = PM1_SCI_ENABLED;
    pm->timer_seen = timer_changes(pm);
    update(pm);
}

/* The 16 bytes of the block, of which the upper eight are looked at only with the timer's value. */
static uint8_t read_byte(const struct acpi_pm *pm, unsigned offset, uint32_t ticks)
{
    switch (offset) {
    case ACPI_PM1_STATUS:
        return (uint8_t)read_status(pm);
    case ACPI_PM1_STATUS + 1:
        return (uint8_t)(read_status(pm) >> 8);
    case ACPI_PM1_ENABLE:
        return (uint8_t)pm->enable;
    case ACPI_PM1_ENABLE + 1:
        return (uint8_t)(pm->enable >> 8);
    case ACPI_PM1_CONTROL:
        return (uint8_t)pm->control;
    case ACPI_PM1_CONTROL + 1:
        return (uint8_t)(pm->control >> 8);
    case ACPI_PM_TIMER:
    case ACPI_PM_TIMER + 1:
    case ACPI_PM_TIMER + 2:
    case ACPI_PM_TIMER + 3:
        return (uint8_t)(ticks >> (8 * (offset - ACPI_PM_TIMER)));
    default:
        return 0;
    }
}

uint32_t acpi_pm_read(void *device, uint16_t offset, unsigned size)
{
    const struct acpi_pm *pm = device;
    uint32_t ticks = (uint32_t)timer_ticks(pm);
    uint32_t value = 0;

    if (offset == ACPI_PM_TIMER && size == 4) {
        return ticks;
    }
    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)read_byte(pm, offset + i, ticks) << (8 * i);
    }
    return value;
}

/* `mask` has ones where the access wrote. */
static void write_control(struct acpi_pm *pm, uint16_t value, uint16_t mask)
{
    pm->control = (uint16_t)((pm->control & ~mask) | (value & mask));
    pm->control = (pm->control & PM1_CONTROL_KEPT) | PM1_SCI_ENABLED;
    if ((value & mask & PM1_SLEEP_ENABLE) &&
        (pm->control & PM1_SLEEP_TYPE) >> PM1_SLEEP_TYPE_SHIFT == ACPI_SLEEP_TYPE_S5 &&
        pm->actions.power_off) {
        pm->actions.power_off(pm->actions.context);
    }
}

void acpi_pm_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct acpi_pm *pm = device;
    /* What the access writes, as if the whole lower half of the block were one register. */
    uint64_t mask;
    uint64_t bits;

    if (offset >= 8) {
        return;
    }
    mask = (uint64_t)port_all_ones(size) << (8 * offset);
    bits = ((uint64_t)value << (8 * offset)) & mask;

    if (bits & (PM1_TIMER << (8 * ACPI_PM1_STATUS))) {
        pm->timer_seen = timer_changes(pm);
    }
    pm->status &= (uint16_t) ~(bits >> (8 * ACPI_PM1_STATUS)); /* write 1 to clear */
    pm->enable = (uint16_t)((pm->enable & ~(mask >> (8 * ACPI_PM1_ENABLE))) |
                            ((bits >> (8 * ACPI_PM1_ENABLE)) & PM1_ENABLE_MASK));
    update(pm);
    write_control(pm, (uint16_t)(bits >> (8 * ACPI_PM1_CONTROL)),
                  (uint16_t)(mask >> (8 * ACPI_PM1_CONTROL)));
}

void acpi_pm_press_power_button(struct acpi_pm *pm)
{
    pm->status |= PM1_POWER_BUTTON;
    update(pm);
}
