/*
 * ACPI fixed hardware: the PM1 event and control registers and the PM timer, 16 ports from
 * ACPI_PM_BASE. ACPI mode is always on (SCI_EN is set by hardware, there is no SMI command port).
 * ACPI specification 6.x, section 4.8.
 */
#ifndef GUEST_DEVICES_ACPI_PM_H
#define GUEST_DEVICES_ACPI_PM_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/devices/device.h"
#include "guest/devices/vm_actions.h"
#include "guest/timer.h"

#define ACPI_PM_BASE       0x600u
#define ACPI_PM_PORT_COUNT 16u
/* Offsets in the block. */
#define ACPI_PM1_STATUS  0u /* 2 bytes */
#define ACPI_PM1_ENABLE  2u /* 2 bytes */
#define ACPI_PM1_CONTROL 4u /* 2 bytes */
#define ACPI_PM_TIMER    8u /* 4 bytes */

#define ACPI_SCI_IRQ       9u
#define ACPI_PM_TIMER_HZ   3579545u
#define ACPI_SLEEP_TYPE_S5 5u /* SLP_TYP of soft off: what \_S5 in the DSDT says */

struct acpi_pm {
    struct irq_line sci;
    struct timer timer; /* armed only while the timer's overflow interrupt is enabled */
    struct vm_actions actions;
    uint16_t status; /* without the timer's bit, see timer_seen */
    uint16_t enable;
    uint16_t control;
    /* How often bit 31 of the PM timer had changed when TMR_STS was last cleared. */
    uint64_t timer_seen;
};

/** `sci` is level-triggered, active high as the model drives it. */
void acpi_pm_init(struct acpi_pm *pm, const struct irq_line *sci, struct timer_queue *timers,
                  const struct vm_actions *actions);
void acpi_pm_reset(struct acpi_pm *pm);
/** port_read_fn and port_write_fn of the block; any size at any offset. */
uint32_t acpi_pm_read(void *device, uint16_t offset, unsigned size);
void acpi_pm_write(void *device, uint16_t offset, unsigned size, uint32_t value);
/** Someone pressed the power button: the guest is asked to shut down (PWRBTN_STS, SCI if it is
 * enabled). */
void acpi_pm_press_power_button(struct acpi_pm *pm);
/** True if the guest listens to the power button. */
static inline bool acpi_pm_power_button_enabled(const struct acpi_pm *pm)
{
    return pm->enable & (1u << 8);
}

#endif
