/*
 * The single ports of a PC: system control port A (0x92), reset control (0xcf9), POST codes (0x80),
 * and the ports that emulators add for debugging: consoles (0xe9, 0x402) and isa-debug-exit (0xf4).
 * All functions take a struct misc_ports as their device; each pair serves a range of its own.
 */
#ifndef GUEST_DEVICES_MISC_PORTS_H
#define GUEST_DEVICES_MISC_PORTS_H

#include <stdint.h>

#include "guest/devices/device.h"
#include "guest/devices/vm_actions.h"

#define SYSTEM_CONTROL_PORT   0x92u  /* 1 port */
#define RESET_CONTROL_PORT    0xcf9u /* 1 port */
#define POST_CODE_PORT        0x80u  /* 1 port */
#define DEBUG_CONSOLE_PORT    0xe9u  /* 1 port */
#define FIRMWARE_CONSOLE_PORT 0x402u /* 1 port, as DEBUG_CONSOLE_PORT */
#define DEBUG_EXIT_PORT       0xf4u
#define DEBUG_EXIT_PORT_COUNT 4u

/* What a write to RESET_CONTROL_PORT must hold to reset the machine: SYS_RST and RST_CPU. */
#define RESET_CONTROL_RESET 0x06u

struct misc_ports {
    struct vm_actions actions;
    uint8_t system_control;
    uint8_t reset_control;
    uint8_t post_code; /* the last one */
};

void misc_ports_init(struct misc_ports *ports, const struct vm_actions *actions);
void misc_ports_reset(struct misc_ports *ports);

/** 0x92: bit 0 (0 to 1) resets, bit 1 is the A20 gate (remembered; A20 is never masked). */
uint32_t system_control_read(void *device, uint16_t offset, unsigned size);
void system_control_write(void *device, uint16_t offset, unsigned size, uint32_t value);
/** 0xcf9: bit 2 (0 to 1) resets. */
uint32_t reset_control_read(void *device, uint16_t offset, unsigned size);
void reset_control_write(void *device, uint16_t offset, unsigned size, uint32_t value);
/** 0x80: kept, no effect; guests write it as a delay. */
uint32_t post_code_read(void *device, uint16_t offset, unsigned size);
void post_code_write(void *device, uint16_t offset, unsigned size, uint32_t value);
/** 0xe9 and 0x402: each byte written is debug output; a read gives 0xe9, by which guests find the
 * port. */
uint32_t debug_console_read(void *device, uint16_t offset, unsigned size);
void debug_console_write(void *device, uint16_t offset, unsigned size, uint32_t value);
/** 0xf4: a write of 1, 2 or 4 bytes ends the VM. */
uint32_t debug_exit_read(void *device, uint16_t offset, unsigned size);
void debug_exit_write(void *device, uint16_t offset, unsigned size, uint32_t value);

#endif
