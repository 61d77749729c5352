#include "kernel/pit.h"

#include "kernel/cpu/x86.h"

#define CHANNEL_2 0x42u
#define COMMAND   0x43u
#define CONTROL_B 0x61u /* system control port B */

#define COMMAND_CHANNEL_2    0x80u
#define COMMAND_LATCH        0x00u
#define COMMAND_LOW_HIGH     0x30u
#define COMMAND_MODE_2       0x04u /* rate generator: counts in ones, reloads by itself */
#define CONTROL_B_GATE_2     0x01u
#define CONTROL_B_SPEAKER    0x02u
#define CONTROL_B_WRITE_MASK 0x0fu /* the upper half is status */

static void set_gate(unsigned gate)
{
    unsigned control = inb(CONTROL_B) & CONTROL_B_WRITE_MASK;

    control &= ~(CONTROL_B_GATE_2 | CONTROL_B_SPEAKER);
    outb(CONTROL_B, (uint8_t)(control | gate));
}

void pit_start(void)
{
    set_gate(CONTROL_B_GATE_2);
    outb(COMMAND, COMMAND_CHANNEL_2 | COMMAND_LOW_HIGH | COMMAND_MODE_2);
    outb(CHANNEL_2, 0); /* 0 is 65536 */
    outb(CHANNEL_2, 0);
}

uint32_t pit_count(void)
{
    uint32_t low;
    uint32_t high;

    outb(COMMAND, COMMAND_CHANNEL_2 | COMMAND_LATCH);
    low = inb(CHANNEL_2);
    high = inb(CHANNEL_2);
    return (0x10000 - (high << 8 | low)) & PIT_MASK;
}

void pit_stop(void)
{
    set_gate(0);
}
