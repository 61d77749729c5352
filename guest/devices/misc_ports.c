#include "guest/devices/misc_ports.h"

#include <stdbool.h>

/* Port 0x92. */
#define SYSTEM_CONTROL_FAST_RESET 0x01u
#define SYSTEM_CONTROL_A20        0x02u

/* Port 0xcf9 (Intel ICH/PCH datasheets, RST_CNT). */
#define RESET_CONTROL_SYSTEM 0x02u /* hard rather than soft */
#define RESET_CONTROL_CPU    0x04u /* a rising edge resets */
#define RESET_CONTROL_FULL   0x08u /* power-cycle */

#define DEBUG_CONSOLE_PRESENT 0xe9u

void misc_ports_init(struct misc_ports *ports, const struct vm_actions *actions)
{
    ports->actions = *actions;
    misc_ports_reset(ports);
}

void misc_ports_reset(struct misc_ports *ports)
{
    ports->system_control = SYSTEM_CONTROL_A20;
    ports->reset_control = 0;
    ports->post_code = 0;
}

uint32_t system_control_read(void *device, uint16_t offset, unsigned size)
{
    const struct misc_ports *ports = device;

    (void)offset;
    return size == 1 ? ports->system_control : port_all_ones(size);
}

void system_control_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct misc_ports *ports = device;
    bool reset_edge;

    (void)offset;
    if (size != 1) {
        return;
    }
    reset_edge = ~ports->system_control & value & SYSTEM_CONTROL_FAST_RESET;
    ports->system_control = (uint8_t)value;
    if (reset_edge) {
        vm_action_reset(&ports->actions);
    }
}

uint32_t reset_control_read(void *device, uint16_t offset, unsigned size)
{
    const struct misc_ports *ports = device;

    (void)offset;
    return size == 1 ? ports->reset_control : port_all_ones(size);
}

void reset_control_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct misc_ports *ports = device;
    bool reset_edge;

    (void)offset;
    if (size != 1) {
        return;
    }
    reset_edge = ~ports->reset_control & value & RESET_CONTROL_CPU;
    ports->reset_control =
        (uint8_t)(value & (RESET_CONTROL_SYSTEM | RESET_CONTROL_CPU | RESET_CONTROL_FULL));
    if (reset_edge) {
        vm_action_reset(&ports->actions);
    }
}

uint32_t post_code_read(void *device, uint16_t offset, unsigned size)
{
    const struct misc_ports *ports = device;

    (void)offset;
    return size == 1 ? ports->post_code : port_all_ones(size);
}

void post_code_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct misc_ports *ports = device;

    (void)offset;
    if (size == 1) {
        ports->post_code = (uint8_t)value;
    }
}

uint32_t debug_console_read(void *device, uint16_t offset, unsigned size)
{
    (void)device;
    (void)offset;
    return size == 1 ? DEBUG_CONSOLE_PRESENT : port_all_ones(size);
}

void debug_console_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct misc_ports *ports = device;

    (void)offset;
    if (size == 1 && ports->actions.debug_output) {
        ports->actions.debug_output(ports->actions.context, (uint8_t)value);
    }
}

uint32_t debug_exit_read(void *device, uint16_t offset, unsigned size)
{
    (void)device;
    (void)offset;
    return port_all_ones(size);
}

void debug_exit_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct misc_ports *ports = device;

    (void)offset;
    if (ports->actions.debug_exit) {
        ports->actions.debug_exit(ports->actions.context, value & port_all_ones(size));
    }
}
