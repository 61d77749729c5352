/*
 * The 8254 of a PC at ports 0x40-0x43 with port 0x61: channel 0 drives ISA IRQ 0, channel 1 is the
 * refresh timer, channel 2 the speaker with its gate in port 0x61. Counts are computed from the
 * VM's clock, never ticked.
 */
#ifndef GUEST_DEVICES_PIT_H
#define GUEST_DEVICES_PIT_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/devices/device.h"
#include "guest/timer.h"

#define PIT_PORT         0x40u
#define PIT_PORTS        4u
#define PIT_CONTROL_PORT 0x61u /* "NMI status and control" of the chipset */
#define PIT_HZ           1193182u

/* Times are in clocks of the PIT since the VM's clock began: an exact grid, so nothing drifts. */
struct pit_channel {
    uint64_t start;   /* the clock at which `count` is in the counter */
    uint64_t elapsed; /* while not running: clocks between start and the stop */
    uint32_t count;   /* loaded count, 1 to 65536 (10000 in BCD); 0: none since the control word */
    uint32_t next_count;    /* taken over at the next reload or trigger; 0: none */
    uint64_t takeover;      /* modes 2 and 3: the clock of that reload */
    uint16_t latched_count; /* as the guest reads it */
    uint8_t latched_bytes;  /* of it, still to be read */
    uint8_t latched_status;
    uint8_t mode;      /* 0 to 5 */
    uint8_t access;    /* 1: low byte, 2: high byte, 3: low then high */
    uint8_t write_low; /* access 3: the low byte that came first */
    bool bcd;
    bool gate;
    bool running;
    bool status_latched;
    bool write_high; /* access 3: the next write is the high byte */
    bool read_high;
};

struct pit {
    struct pit_channel channel[3];
    struct timer timer; /* channel 0's next rising edge */
    struct irq_line irq;
    bool output;     /* channel 0's, as last told */
    uint8_t control; /* port 0x61, bits 3:0 */
};

/** `irq`: where channel 0's output goes. */
void pit_init(struct pit *pit, struct timer_queue *timers, const struct irq_line *irq);
/** As firmware leaves it: channel 0 in mode 3 at 18.2 Hz, channel 1 refreshing, gate 2 low. */
void pit_reset(struct pit *pit);
/* port_read_fn and port_write_fn; `pit` is a struct pit. */
uint32_t pit_read(void *pit, uint16_t offset, unsigned size);
void pit_write(void *pit, uint16_t offset, unsigned size, uint32_t value);
/* Port 0x61: gate 2, speaker; OUT 2 in bit 5, refresh toggle in bit 4. */
uint32_t pit_control_read(void *pit, uint16_t offset, unsigned size);
void pit_control_write(void *pit, uint16_t offset, unsigned size, uint32_t value);

#endif
