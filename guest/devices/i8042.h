/*
 * The i8042 keyboard controller with nothing plugged in: port 0x60 (data) and 0x64 (status and
 * command). It passes its self test, answers for absent devices as the real one does after its
 * timeout, and can reset the VM.
 */
#ifndef GUEST_DEVICES_I8042_H
#define GUEST_DEVICES_I8042_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/devices/device.h"
#include "guest/devices/vm_actions.h"

#define I8042_DATA_PORT    0x60u /* one port */
#define I8042_COMMAND_PORT 0x64u /* one port */
#define I8042_KEYBOARD_IRQ 1u
#define I8042_MOUSE_IRQ    12u

struct i8042 {
    struct vm_actions actions;
    struct irq_line keyboard_irq;
    struct irq_line mouse_irq;
    uint8_t status;
    uint8_t output;          /* what port 0x60 gives */
    uint8_t pending_command; /* whose data byte is awaited; 0 for none */
    uint8_t output_port;
    uint8_t ram[32]; /* ram[0] is the command byte */
};

void i8042_init(struct i8042 *controller, const struct vm_actions *actions,
                const struct irq_line *keyboard_irq, const struct irq_line *mouse_irq);
void i8042_reset(struct i8042 *controller);
/** Port 0x60; bytes only. */
uint32_t i8042_data_read(void *device, uint16_t offset, unsigned size);
void i8042_data_write(void *device, uint16_t offset, unsigned size, uint32_t value);
/** Port 0x64; bytes only. */
uint32_t i8042_status_read(void *device, uint16_t offset, unsigned size);
void i8042_command_write(void *device, uint16_t offset, unsigned size, uint32_t value);

#endif
