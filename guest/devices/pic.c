/* 8259A (data sheet 231468), two of them as a PC wires them. */
#include "guest/devices/pic.h"

#define CASCADE     2u    /* master's input from the slave */
#define SPURIOUS    7u    /* input reported when the request has gone */
#define ELCR_MASTER 0xf8u /* IRQ 0, 1, 2, 8 and 13 are always edge-triggered */
#define ELCR_SLAVE  0xdeu

#define ICW1          0x10u
#define ICW1_SINGLE   0x02u
#define ICW1_ICW4     0x01u
#define ICW4_AUTO_EOI 0x02u
#define ICW4_NESTED   0x10u

#define OCW3              0x08u
#define OCW3_POLL         0x04u
#define OCW3_READ         0x02u /* bit 0 selects */
#define OCW3_SPECIAL_MASK 0x40u /* bit 5 is the value */

/* OCW2 bits 7:5. */
enum ocw2 {
    OCW2_ROTATE_AUTO_EOI_CLEAR = 0,
    OCW2_EOI = 1,
    OCW2_NOP = 2,
    OCW2_SPECIFIC_EOI = 3,
    OCW2_ROTATE_AUTO_EOI_SET = 4,
    OCW2_ROTATE_EOI = 5,
    OCW2_SET_PRIORITY = 6,
    OCW2_ROTATE_SPECIFIC_EOI = 7,
};

static bool is_master(const struct pic_chip *chip)
{
    return chip == &chip->pair->chip[0];
}

/* What asks for service: edges that were latched and whose input is still high, and high
 * level-triggered inputs. */
static uint8_t requests(const struct pic_chip *chip)
{
    return chip->lines & (chip->edges | chip->level);
}

/* Place in the priority order of the highest of `inputs`, 0 being first; 8 for none. */
static unsigned highest(const struct pic_chip *chip, uint8_t inputs)
{
    unsigned first = (chip->lowest + 1u) & 7;
    unsigned rotated = ((inputs | (unsigned)inputs << 8) >> first) & 0xff;

    return rotated ? (unsigned)__builtin_ctz(rotated) : 8;
}

static unsigned input_at(const struct pic_chip *chip, unsigned place)
{
    return (chip->lowest + 1 + place) & 7;
}

/* The input to serve next, -1 for none. */
static int pending_input(const struct pic_chip *chip)
{
    uint8_t waiting = requests(chip) & (uint8_t)~chip->imr;

    if (!waiting || chip->expected_word) {
        return -1;
    }
    uint8_t blocking = chip->isr;

    if (chip->special_mask) {
        blocking &= (uint8_t)~chip->imr;
    }
    if (chip->fully_nested && is_master(chip)) {
        /* The slave orders its own requests: one in service does not lock out a higher one. */
        blocking &= (uint8_t) ~(1u << CASCADE);
    }
    unsigned place = highest(chip, waiting);

    return place < highest(chip, blocking) ? (int)input_at(chip, place) : -1;
}

static void set_line(struct pic_chip *chip, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (!level) {
        chip->lines &= (uint8_t)~bit;
        chip->edges &= (uint8_t)~bit;
    } else if (!(chip->lines & bit)) {
        chip->lines |= bit;
        chip->edges |= bit;
    }
}

/* Lets the outputs follow: the slave's is an input of the master. */
static void update(struct pic *pic)
{
    set_line(&pic->chip[0], CASCADE, pending_input(&pic->chip[1]) >= 0);

    bool intr = pending_input(&pic->chip[0]) >= 0;

    if (intr != pic->intr) {
        pic->intr = intr;
        pic->changed(pic->context, intr);
    }
}

/* Takes `input` into service. */
static void serve(struct pic_chip *chip, unsigned input)
{
    uint8_t bit = (uint8_t)(1u << input);

    chip->edges &= (uint8_t)~bit;
    if (!chip->auto_eoi) {
        chip->isr |= bit;
    } else if (chip->rotate_auto_eoi) {
        chip->lowest = (uint8_t)input;
    }
    if (!is_master(chip)) {
        /* The slave's output falls with the acknowledge, so that a further request of its is a new
         * edge for the master. */
        set_line(&chip->pair->chip[0], CASCADE, false);
    }
}

static uint8_t acknowledge_chip(struct pic_chip *chip)
{
    int input = pending_input(chip);

    if (input < 0) {
        return chip->vector_base | SPURIOUS;
    }
    serve(chip, (unsigned)input);
    return (uint8_t)(chip->vector_base | (unsigned)input);
}

uint8_t pic_acknowledge(struct pic *pic)
{
    bool from_slave = pending_input(&pic->chip[0]) == CASCADE;
    uint8_t vector = acknowledge_chip(&pic->chip[0]);

    if (from_slave) {
        vector = acknowledge_chip(&pic->chip[1]);
    }
    update(pic);
    return vector;
}

void pic_set_irq(struct pic *pic, unsigned irq, bool level)
{
    if (irq >= 16 || irq == CASCADE) {
        return;
    }
    set_line(&pic->chip[irq / 8], irq % 8, level);
    update(pic);
}

/* Poll command: a read stands for the acknowledge cycle. */
static uint32_t poll(struct pic_chip *chip)
{
    int input = pending_input(chip);

    chip->poll = false;
    if (input < 0) {
        return 0;
    }
    serve(chip, (unsigned)input);
    update(chip->pair);
    return 0x80u | (unsigned)input;
}

uint32_t pic_chip_read(void *device, uint16_t offset, unsigned size)
{
    struct pic_chip *chip = device;

    if (size != 1) {
        return UINT32_MAX;
    }
    if (chip->poll) {
        return poll(chip);
    }
    if (offset) {
        return chip->imr;
    }
    return chip->read_isr ? chip->isr : requests(chip);
}

static void write_icw1(struct pic_chip *chip, uint8_t value)
{
    chip->expected_word = 2;
    chip->wants_icw4 = value & ICW1_ICW4;
    chip->single = value & ICW1_SINGLE;
    /* LTIM is not looked at: a PC has the ELCR for that. */
    chip->edges = 0;
    chip->isr = 0;
    chip->imr = 0;
    chip->lowest = 7;
    chip->special_mask = false;
    chip->read_isr = false;
    chip->poll = false;
    chip->auto_eoi = false;
    chip->rotate_auto_eoi = false;
    chip->fully_nested = false;
}

static void write_later_icw(struct pic_chip *chip, uint8_t value)
{
    uint8_t after_icw3 = chip->wants_icw4 ? 4 : 0;

    switch (chip->expected_word) {
    case 2:
        chip->vector_base = value & 0xf8;
        chip->expected_word = chip->single ? after_icw3 : 3;
        break;
    case 3: /* how the chips are wired: as a PC does, whatever is written */
        chip->expected_word = after_icw3;
        break;
    default:
        chip->auto_eoi = value & ICW4_AUTO_EOI;
        chip->fully_nested = value & ICW4_NESTED;
        chip->expected_word = 0;
        break;
    }
}

/* Input that a non-specific EOI ends, -1 for none. In special mask mode, masked ones stay. */
static int served_input(const struct pic_chip *chip)
{
    uint8_t served = chip->isr;

    if (chip->special_mask) {
        served &= (uint8_t)~chip->imr;
    }
    return served ? (int)input_at(chip, highest(chip, served)) : -1;
}

static void end_of_interrupt(struct pic_chip *chip, int input, bool rotate)
{
    if (input < 0) {
        return;
    }
    chip->isr &= (uint8_t) ~(1u << (unsigned)input);
    if (rotate) {
        chip->lowest = (uint8_t)input;
    }
}

static void write_ocw2(struct pic_chip *chip, uint8_t value)
{
    switch ((enum ocw2)(value >> 5)) {
    case OCW2_ROTATE_AUTO_EOI_CLEAR:
        chip->rotate_auto_eoi = false;
        break;
    case OCW2_ROTATE_AUTO_EOI_SET:
        chip->rotate_auto_eoi = true;
        break;
    case OCW2_EOI:
        end_of_interrupt(chip, served_input(chip), false);
        break;
    case OCW2_ROTATE_EOI:
        end_of_interrupt(chip, served_input(chip), true);
        break;
    case OCW2_SPECIFIC_EOI:
        end_of_interrupt(chip, value & 7, false);
        break;
    case OCW2_ROTATE_SPECIFIC_EOI:
        end_of_interrupt(chip, value & 7, true);
        break;
    case OCW2_SET_PRIORITY:
        chip->lowest = value & 7;
        break;
    case OCW2_NOP:
        break;
    }
}

static void write_ocw3(struct pic_chip *chip, uint8_t value)
{
    if (value & OCW3_SPECIAL_MASK) {
        chip->special_mask = value & (OCW3_SPECIAL_MASK >> 1);
    }
    if (value & OCW3_READ) {
        chip->read_isr = value & 1;
    }
    chip->poll = value & OCW3_POLL;
}

void pic_chip_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct pic_chip *chip = device;
    uint8_t byte = (uint8_t)value;

    if (size != 1) {
        return;
    }
    if (offset == 0 && (byte & ICW1)) {
        write_icw1(chip, byte);
    } else if (offset == 0 && (byte & OCW3)) {
        write_ocw3(chip, byte);
    } else if (offset == 0) {
        write_ocw2(chip, byte);
    } else if (chip->expected_word) {
        write_later_icw(chip, byte);
    } else {
        chip->imr = byte;
    }
    update(chip->pair);
}

uint32_t pic_elcr_read(void *device, uint16_t offset, unsigned size)
{
    const struct pic *pic = device;

    return size == 1 ? pic->chip[offset & 1].level : UINT32_MAX;
}

void pic_elcr_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct pic *pic = device;

    if (size != 1) {
        return;
    }
    pic->chip[offset & 1].level = (uint8_t)value & (offset ? ELCR_SLAVE : ELCR_MASTER);
    update(pic);
}

static void set_power_up_state(struct pic *pic)
{
    for (unsigned i = 0; i < 2; i++) {
        uint8_t lines = pic->chip[i].lines;

        pic->chip[i] = (struct pic_chip){.pair = pic, .lines = lines, .imr = 0xff, .lowest = 7};
    }
}

void pic_init(struct pic *pic, void (*changed)(void *context, bool level), void *context)
{
    *pic = (struct pic){.changed = changed, .context = context};
    set_power_up_state(pic);
}

void pic_reset(struct pic *pic)
{
    set_power_up_state(pic);
    update(pic);
}
