/*
 * The 8259A pair of a PC: master at ports 0x20-0x21, slave at 0xa0-0xa1 on the master's IR2, edge
 * or level registers (ELCR) at 0x4d0-0x4d1. One CPU at a time.
 */
#ifndef GUEST_DEVICES_PIC_H
#define GUEST_DEVICES_PIC_H

#include <stdbool.h>
#include <stdint.h>

#define PIC_MASTER_PORT 0x20u
#define PIC_SLAVE_PORT  0xa0u
#define PIC_ELCR_PORT   0x4d0u
#define PIC_PORTS       2u /* at each of these */

struct pic;

struct pic_chip {
    struct pic *pair;
    uint8_t lines;         /* inputs */
    uint8_t edges;         /* inputs that rose since they were last served */
    uint8_t isr;           /* in service */
    uint8_t imr;           /* masked */
    uint8_t level;         /* ELCR: level-triggered inputs */
    uint8_t vector_base;   /* ICW2, bits 7:3 */
    uint8_t lowest;        /* input of lowest priority, 0 to 7 */
    uint8_t expected_word; /* the ICW that the next write to the odd port is: 2 to 4, 0 for none */
    bool wants_icw4;       /* of the sequence under way */
    bool single;           /* ICW1 SNGL: no ICW3 */
    bool auto_eoi;         /* ICW4 AEOI */
    bool fully_nested;     /* ICW4 SFNM */
    bool rotate_auto_eoi;  /* OCW2: rotate at each automatic EOI */
    bool special_mask;     /* OCW3 */
    bool read_isr;         /* OCW3: reads of the even port give ISR, else IRR */
    bool poll;             /* OCW3: the next read is a poll */
};

struct pic {
    struct pic_chip chip[2]; /* master, slave */
    bool intr;               /* output of the master */
    /* The output changed to `level`. */
    void (*changed)(void *context, bool level);
    void *context;
};

/** All inputs low and masked. `changed` is not called before the first change. */
void pic_init(struct pic *pic, void (*changed)(void *context, bool level), void *context);
/** Back to that state; input levels stay. */
void pic_reset(struct pic *pic);
/* port_read_fn and port_write_fn of one chip; `chip` is &pic.chip[0] or &pic.chip[1]. */
uint32_t pic_chip_read(void *chip, uint16_t offset, unsigned size);
void pic_chip_write(void *chip, uint16_t offset, unsigned size, uint32_t value);
/* The same for the ELCR pair; `pic` is a struct pic. */
uint32_t pic_elcr_read(void *pic, uint16_t offset, unsigned size);
void pic_elcr_write(void *pic, uint16_t offset, unsigned size, uint32_t value);
/** Level of ISA interrupt `irq` (0 to 15, not 2: the cascade; others are ignored). */
void pic_set_irq(struct pic *pic, unsigned irq, bool level);
/** The INTR output. */
static inline bool pic_pending(const struct pic *pic)
{
    return pic->intr;
}
/** The interrupt-acknowledge cycle: the vector to deliver, a spurious one (input 7 of the chip) if
 * the request has gone. */
uint8_t pic_acknowledge(struct pic *pic);

#endif
