#include "guest/devices/i8042.h"

/* Status register (port 0x64). */
#define STATUS_OUTPUT_FULL 0x01u
#define STATUS_SYSTEM      0x04u
#define STATUS_COMMAND     0x08u /* the last write went to port 0x64 */
#define STATUS_UNLOCKED    0x10u
#define STATUS_AUXILIARY   0x20u /* the output byte is the mouse's */
#define STATUS_TIMEOUT     0x40u

/* Command byte (ram[0]). */
#define COMMAND_BYTE_KEYBOARD_INTERRUPT 0x01u
#define COMMAND_BYTE_MOUSE_INTERRUPT    0x02u
#define COMMAND_BYTE_SYSTEM             0x04u
#define COMMAND_BYTE_KEYBOARD_OFF       0x10u
#define COMMAND_BYTE_MOUSE_OFF          0x20u
#define COMMAND_BYTE_TRANSLATE          0x40u

enum command {
    COMMAND_READ_RAM = 0x20,  /* .. 0x3f */
    COMMAND_WRITE_RAM = 0x60, /* .. 0x7f */
    COMMAND_MOUSE_OFF = 0xa7,
    COMMAND_MOUSE_ON = 0xa8,
    COMMAND_TEST_MOUSE = 0xa9,
    COMMAND_SELF_TEST = 0xaa,
    COMMAND_TEST_KEYBOARD = 0xab,
    COMMAND_KEYBOARD_OFF = 0xad,
    COMMAND_KEYBOARD_ON = 0xae,
    COMMAND_READ_INPUT_PORT = 0xc0,
    COMMAND_READ_OUTPUT_PORT = 0xd0,
    COMMAND_WRITE_OUTPUT_PORT = 0xd1,
    COMMAND_LOOP_KEYBOARD = 0xd2,
    COMMAND_LOOP_MOUSE = 0xd3,
    COMMAND_WRITE_MOUSE = 0xd4,
    COMMAND_PULSE = 0xf0, /* .. 0xff */
};

#define SELF_TEST_PASSED 0x55u
#define LINE_TEST_PASSED 0x00u
#define DEVICE_ABSENT    0xfeu /* with STATUS_TIMEOUT: the device never clocked the byte in */

#define INPUT_PORT_UNLOCKED 0x80u

#define OUTPUT_PORT_NO_RESET      0x01u /* the CPU's reset line, active low */
#define OUTPUT_PORT_A20           0x02u
#define OUTPUT_PORT_KEYBOARD_FULL 0x10u
#define OUTPUT_PORT_MOUSE_FULL    0x20u

static void update_lines(struct i8042 *controller)
{
    bool full = controller->status & STATUS_OUTPUT_FULL;
    bool mouse = controller->status & STATUS_AUXILIARY;

    irq_line_set(&controller->keyboard_irq,
                 full && !mouse && (controller->ram[0] & COMMAND_BYTE_KEYBOARD_INTERRUPT));
    irq_line_set(&controller->mouse_irq,
                 full && mouse && (controller->ram[0] & COMMAND_BYTE_MOUSE_INTERRUPT));
}

static void empty_output(struct i8042 *controller)
{
    controller->status &= (uint8_t) ~(STATUS_OUTPUT_FULL | STATUS_AUXILIARY | STATUS_TIMEOUT);
    update_lines(controller);
}

/* `source` is STATUS_AUXILIARY for the mouse's side, with STATUS_TIMEOUT for an absent device. */
static void put_output(struct i8042 *controller, uint8_t byte, uint8_t source)
{
    /* A byte that was not read is lost, and the new one makes an edge of its own. */
    empty_output(controller);
    controller->output = byte;
    controller->status |= (uint8_t)(STATUS_OUTPUT_FULL | source);
    update_lines(controller);
}

void i8042_init(struct i8042 *controller, const struct vm_actions *actions,
                const struct irq_line *keyboard_irq, const struct irq_line *mouse_irq)
{
    controller->actions = *actions;
    controller->keyboard_irq = *keyboard_irq;
    controller->mouse_irq = *mouse_irq;
    i8042_reset(controller);
}

void i8042_reset(struct i8042 *controller)
{
    for (unsigned i = 0; i < sizeof(controller->ram); i++) {
        controller->ram[i] = 0;
    }
    /* As firmware leaves it after its self test: both interfaces off, no interrupts. */
    controller->ram[0] = COMMAND_BYTE_SYSTEM | COMMAND_BYTE_KEYBOARD_OFF | COMMAND_BYTE_MOUSE_OFF |
                         COMMAND_BYTE_TRANSLATE;
    controller->status = STATUS_SYSTEM | STATUS_UNLOCKED;
    controller->output = 0;
    controller->pending_command = 0;
    controller->output_port = OUTPUT_PORT_NO_RESET | OUTPUT_PORT_A20;
    update_lines(controller);
}

uint32_t i8042_data_read(void *device, uint16_t offset, unsigned size)
{
    struct i8042 *controller = device;

    (void)offset;
    if (size != 1) {
        return port_all_ones(size);
    }
    empty_output(controller);
    return controller->output;
}

uint32_t i8042_status_read(void *device, uint16_t offset, unsigned size)
{
    const struct i8042 *controller = device;

    (void)offset;
    return size == 1 ? controller->status : port_all_ones(size);
}

static void write_ram(struct i8042 *controller, unsigned index, uint8_t value)
{
    controller->ram[index] = value;
    if (index == 0) {
        controller->status &= (uint8_t)~STATUS_SYSTEM;
        controller->status |= value & COMMAND_BYTE_SYSTEM; /* the same bit in both */
        update_lines(controller);
    }
}

static void write_output_port(struct i8042 *controller, uint8_t value)
{
    controller->output_port = value;
    if (!(value & OUTPUT_PORT_NO_RESET)) {
        vm_action_reset(&controller->actions);
    }
}

static uint8_t read_output_port(const struct i8042 *controller)
{
    uint8_t value = controller->output_port;

    value &= (uint8_t) ~(OUTPUT_PORT_KEYBOARD_FULL | OUTPUT_PORT_MOUSE_FULL);
    if (controller->status & STATUS_OUTPUT_FULL) {
        value |= controller->status & STATUS_AUXILIARY ? OUTPUT_PORT_MOUSE_FULL
                                                       : OUTPUT_PORT_KEYBOARD_FULL;
    }
    return value;
}

void i8042_data_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct i8042 *controller = device;
    uint8_t command = controller->pending_command;
    uint8_t byte = (uint8_t)value;

    (void)offset;
    if (size != 1) {
        return;
    }
    controller->pending_command = 0;
    controller->status &= (uint8_t)~STATUS_COMMAND;
    switch (command) {
    case COMMAND_WRITE_OUTPUT_PORT:
        write_output_port(controller, byte);
        break;
    case COMMAND_LOOP_KEYBOARD:
        put_output(controller, byte, 0);
        break;
    case COMMAND_LOOP_MOUSE:
        put_output(controller, byte, STATUS_AUXILIARY);
        break;
    case COMMAND_WRITE_MOUSE:
        put_output(controller, DEVICE_ABSENT, STATUS_AUXILIARY | STATUS_TIMEOUT);
        break;
    case 0: /* a byte for the keyboard; the controller opens its interface to send it */
        controller->ram[0] &= (uint8_t)~COMMAND_BYTE_KEYBOARD_OFF;
        put_output(controller, DEVICE_ABSENT, STATUS_TIMEOUT);
        break;
    default: /* COMMAND_WRITE_RAM */
        write_ram(controller, command & 0x1fu, byte);
        break;
    }
}

static void run_command(struct i8042 *controller, uint8_t command)
{
    switch (command) {
    case COMMAND_MOUSE_OFF:
        controller->ram[0] |= COMMAND_BYTE_MOUSE_OFF;
        break;
    case COMMAND_MOUSE_ON:
        controller->ram[0] &= (uint8_t)~COMMAND_BYTE_MOUSE_OFF;
        break;
    case COMMAND_TEST_MOUSE:
    case COMMAND_TEST_KEYBOARD:
        put_output(controller, LINE_TEST_PASSED, 0);
        break;
    case COMMAND_SELF_TEST:
        controller->status |= STATUS_SYSTEM;
        controller->ram[0] |= COMMAND_BYTE_SYSTEM;
        put_output(controller, SELF_TEST_PASSED, 0);
        break;
    case COMMAND_KEYBOARD_OFF:
        controller->ram[0] |= COMMAND_BYTE_KEYBOARD_OFF;
        break;
    case COMMAND_KEYBOARD_ON:
        controller->ram[0] &= (uint8_t)~COMMAND_BYTE_KEYBOARD_OFF;
        break;
    case COMMAND_READ_INPUT_PORT:
        put_output(controller, INPUT_PORT_UNLOCKED, 0);
        break;
    case COMMAND_READ_OUTPUT_PORT:
        put_output(controller, read_output_port(controller), 0);
        break;
    case COMMAND_WRITE_OUTPUT_PORT:
    case COMMAND_LOOP_KEYBOARD:
    case COMMAND_LOOP_MOUSE:
    case COMMAND_WRITE_MOUSE:
        controller->pending_command = command;
        break;
    default: /* commands that this controller does not have are ignored */
        break;
    }
}

void i8042_command_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct i8042 *controller = device;
    uint8_t command = (uint8_t)value;

    (void)offset;
    if (size != 1) {
        return;
    }
    controller->pending_command = 0;
    controller->status |= STATUS_COMMAND;
    if (command >= COMMAND_PULSE) {
        /* The low bits say which output lines are not pulsed low; line 0 resets the CPU. */
        if (!(command & OUTPUT_PORT_NO_RESET)) {
            vm_action_reset(&controller->actions);
        }
    } else if (command >= COMMAND_READ_RAM && command < COMMAND_READ_RAM + 32) {
        put_output(controller, controller->ram[command & 0x1fu], 0);
    } else if (command >= COMMAND_WRITE_RAM && command < COMMAND_WRITE_RAM + 32) {
        controller->pending_command = command;
    } else {
        run_command(controller, command);
    }
}
