#include "guest/devices/pic.h"

#include "tests/unit/devices/clock.h"
#include "tests/unit/support/cmocka.h"

#define MASTER 0x20u
#define SLAVE  0xa0u

#define EOI             0x20u
#define SPECIFIC_EOI    0x60u
#define ROTATE_EOI      0xa0u
#define ROTATE_SPECIFIC 0xe0u
#define SET_PRIORITY    0xc0u
#define READ_IRR        0x0au
#define READ_ISR        0x0bu
#define POLL            0x0cu

static struct pic pic;
static bool intr;
static unsigned changes;

static void changed(void *context, bool level)
{
    assert_ptr_equal(context, &pic);
    assert_int_not_equal(level, intr);
    intr = level;
    changes++;
}

static void out(unsigned port, uint8_t value)
{
    pic_chip_write(&pic.chip[port >= SLAVE], port & 1, 1, value);
}

static uint8_t in(unsigned port)
{
    return (uint8_t)pic_chip_read(&pic.chip[port >= SLAVE], port & 1, 1);
}

/* As PC operating systems do: vectors 0x20 and 0x28, all unmasked. */
static void initialise(uint8_t icw4)
{
    out(MASTER, 0x11);
    out(MASTER + 1, 0x20);
    out(MASTER + 1, 0x04);
    out(MASTER + 1, icw4);
    out(SLAVE, 0x11);
    out(SLAVE + 1, 0x28);
    out(SLAVE + 1, 0x02);
    out(SLAVE + 1, icw4);
}

static int setup(void **state)
{
    (void)state;
    intr = false;
    changes = 0;
    pic_init(&pic, changed, &pic);
    initialise(1);
    return 0;
}

static void pulse(unsigned irq)
{
    pic_set_irq(&pic, irq, false);
    pic_set_irq(&pic, irq, true);
}

static uint8_t isr(unsigned port)
{
    out(port, READ_ISR);
    return in(port);
}

static uint8_t irr(unsigned port)
{
    out(port, READ_IRR);
    return in(port);
}

static void power_up_delivers_nothing(void **state)
{
    (void)state;
    pic_init(&pic, changed, &pic);
    for (unsigned irq = 0; irq < 16; irq++) {
        pic_set_irq(&pic, irq, true);
    }
    assert_false(pic_pending(&pic));
    assert_int_equal(in(MASTER + 1), 0xff);
    assert_int_equal(in(SLAVE + 1), 0xff);
}

static void initialisation_words(void **state)
{
    (void)state;
    pic_set_irq(&pic, 0, true);
    pic_set_irq(&pic, 4, true);
    assert_true(intr);
    out(MASTER + 1, 0xff);
    assert_int_equal(in(MASTER + 1), 0xff);
    out(MASTER, 0x11); /* clears the mask and forgets edges */
    assert_false(intr);
    assert_int_equal(in(MASTER + 1), 0);
    pulse(1); /* before the last word nothing is delivered */
    assert_false(intr);
    out(MASTER + 1, 0x47); /* low three bits are not ours */
    out(MASTER + 1, 0x04);
    out(MASTER + 1, 0x01);
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&pic), 0x41);
    out(MASTER + 1, 0x5a); /* a mask again */
    assert_int_equal(in(MASTER + 1), 0x5a);
    /* Single, no ICW4: one word more. */
    out(MASTER, 0x12);
    out(MASTER + 1, 0x70);
    out(MASTER + 1, 0x12);
    assert_int_equal(in(MASTER + 1), 0x12);
    /* No ICW4: neither automatic EOI nor special fully nested mode is left from before. */
    initialise(0x13);
    out(MASTER, 0x80);
    out(MASTER, 0x12);
    out(MASTER + 1, 0x20);
    pulse(12);
    assert_int_equal(pic_acknowledge(&pic), 0x2c);
    assert_int_equal(isr(MASTER), 0x04);
    pulse(9);
    assert_false(intr);
    initialise(3); /* nor is rotation */
    pulse(0);
    assert_int_equal(pic_acknowledge(&pic), 0x20);
    pulse(0);
    pulse(5);
    assert_int_equal(pic_acknowledge(&pic), 0x20);
    assert_int_equal(pic_acknowledge(&pic), 0x25);
    /* No ICW4, but ICW3. */
    out(MASTER, 0x10);
    out(MASTER + 1, 0x70);
    out(MASTER + 1, 0x04);
    out(MASTER + 1, 0x34);
    assert_int_equal(in(MASTER + 1), 0x34);
}

static void an_interrupt_from_the_master(void **state)
{
    (void)state;
    pic_set_irq(&pic, 4, true);
    assert_int_equal(changes, 1);
    assert_true(pic_pending(&pic));
    assert_int_equal(irr(MASTER), 0x10);
    assert_int_equal(pic_acknowledge(&pic), 0x24);
    assert_false(pic_pending(&pic));
    assert_int_equal(irr(MASTER), 0);
    assert_int_equal(isr(MASTER), 0x10);
    pic_set_irq(&pic, 4, true); /* no edge */
    assert_false(intr);
    pulse(4);
    assert_false(intr); /* in service */
    out(MASTER, EOI);
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&pic), 0x24);
    out(MASTER, EOI);
    assert_int_equal(isr(MASTER), 0);
    assert_false(intr);
}

static void an_interrupt_from_the_slave(void **state)
{
    (void)state;
    pic_set_irq(&pic, 12, true);
    assert_true(intr);
    assert_int_equal(irr(MASTER), 4);
    assert_int_equal(pic_acknowledge(&pic), 0x2c);
    assert_int_equal(isr(MASTER), 4);
    assert_int_equal(isr(SLAVE), 0x10);
    pulse(8); /* higher at the slave, but the master's input 2 is in service */
    assert_false(intr);
    out(SLAVE, EOI);
    out(MASTER, EOI);
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&pic), 0x28);
    pulse(1); /* higher at the master */
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&pic), 0x21);
    pic_set_irq(&pic, 16, true);
    pic_set_irq(&pic, 2, true); /* the cascade is no input of the PC */
    assert_int_equal(irr(MASTER), 0);
}

static void fixed_priority(void **state)
{
    static const unsigned order[] = {0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7};

    (void)state;
    for (unsigned irq = 0; irq < 16; irq++) {
        pic_set_irq(&pic, irq, true);
    }
    for (unsigned i = 0; i < 15; i++) {
        assert_true(intr);
        assert_int_equal(pic_acknowledge(&pic), 0x20 + order[i]);
        assert_false(intr);
        if (order[i] >= 8) {
            out(SLAVE, EOI);
        }
        out(MASTER, EOI);
    }
    assert_false(intr);
}

static void masks(void **state)
{
    (void)state;
    out(MASTER + 1, 0x10);
    pic_set_irq(&pic, 4, true);
    assert_false(intr);
    assert_int_equal(irr(MASTER), 0x10); /* remembered */
    out(MASTER + 1, 0);
    assert_true(intr);
    out(MASTER + 1, 0x10);
    assert_false(intr);
    out(SLAVE + 1, 0xff);
    pic_set_irq(&pic, 9, true);
    assert_false(intr);
    out(SLAVE + 1, 0xfd);
    assert_true(intr);
    out(MASTER + 1, 0x14); /* the cascade masked */
    assert_false(intr);
}

static void a_request_that_went_is_spurious(void **state)
{
    (void)state;
    pic_set_irq(&pic, 3, true);
    pic_set_irq(&pic, 3, false);
    assert_false(intr);
    assert_int_equal(pic_acknowledge(&pic), 0x27);
    assert_int_equal(isr(MASTER), 0); /* so that no EOI is due */
    /* A real one in service tells them apart. */
    pulse(7);
    assert_int_equal(pic_acknowledge(&pic), 0x27);
    assert_int_equal(isr(MASTER), 0x80);
    /* The slave's request goes: the master's goes with it. */
    out(MASTER, EOI);
    pic_set_irq(&pic, 10, true);
    pic_set_irq(&pic, 10, false);
    assert_int_equal(pic_acknowledge(&pic), 0x27);
    assert_int_equal(isr(SLAVE), 0);
}

static void level_triggered_by_elcr(void **state)
{
    (void)state;
    pic_elcr_write(&pic, 0, 1, 0xff);
    pic_elcr_write(&pic, 1, 1, 0xff);
    assert_int_equal(pic_elcr_read(&pic, 0, 1), 0xf8);
    assert_int_equal(pic_elcr_read(&pic, 1, 1), 0xde);
    pic_set_irq(&pic, 11, true);
    assert_int_equal(pic_acknowledge(&pic), 0x2b);
    assert_int_equal(irr(SLAVE), 8); /* still asked for */
    out(SLAVE, EOI);
    out(MASTER, EOI);
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&pic), 0x2b);
    pic_set_irq(&pic, 11, false);
    out(SLAVE, EOI);
    out(MASTER, EOI);
    assert_false(intr);
    /* Level inputs ask again after ICW1, edges do not. */
    pic_set_irq(&pic, 5, true);
    pic_set_irq(&pic, 1, true);
    initialise(1);
    assert_int_equal(irr(MASTER), 0x20);
    assert_true(intr);
    assert_int_equal(pic_elcr_read(&pic, 0, 2), 0xffffffff);
    pic_elcr_write(&pic, 0, 2, 0);
    assert_int_equal(pic_elcr_read(&pic, 0, 1), 0xf8);
}

static void specific_eoi(void **state)
{
    (void)state;
    pulse(5);
    assert_int_equal(pic_acknowledge(&pic), 0x25);
    pulse(3);
    assert_int_equal(pic_acknowledge(&pic), 0x23);
    assert_int_equal(isr(MASTER), 0x28);
    out(MASTER, SPECIFIC_EOI | 5);
    assert_int_equal(isr(MASTER), 0x08);
    out(MASTER, SPECIFIC_EOI | 6); /* not in service */
    assert_int_equal(isr(MASTER), 0x08);
    out(MASTER, EOI);
    assert_int_equal(isr(MASTER), 0);
    out(MASTER, EOI);
    assert_int_equal(isr(MASTER), 0);
}

static void non_specific_eoi_ends_the_highest(void **state)
{
    (void)state;
    pulse(5);
    pic_acknowledge(&pic);
    pulse(3);
    pic_acknowledge(&pic);
    out(MASTER, EOI);
    assert_int_equal(isr(MASTER), 0x20);
}

static void rotation(void **state)
{
    (void)state;
    /* Rotate on non-specific EOI: the one served becomes the lowest. */
    pulse(4);
    pic_acknowledge(&pic);
    out(MASTER, ROTATE_EOI);
    assert_int_equal(isr(MASTER), 0);
    pulse(4);
    pulse(6);
    pulse(3);
    assert_int_equal(pic_acknowledge(&pic), 0x26); /* order is 5 6 7 0 1 2 3 4 */
    out(MASTER, EOI);
    assert_int_equal(pic_acknowledge(&pic), 0x23);
    out(MASTER, EOI);
    assert_int_equal(pic_acknowledge(&pic), 0x24);
    out(MASTER, EOI);
    /* Set priority: 0 lowest, so 1 is highest. */
    out(MASTER, SET_PRIORITY | 0);
    pulse(0);
    pulse(7);
    assert_int_equal(pic_acknowledge(&pic), 0x27);
    pulse(1);
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&pic), 0x21);
    /* Rotate on specific EOI. */
    out(MASTER, ROTATE_SPECIFIC | 7);
    assert_int_equal(isr(MASTER), 0x02);
    assert_true(intr); /* 0 is the highest now, above 1 in service */
    assert_int_equal(pic_acknowledge(&pic), 0x20);
}

static void automatic_eoi(void **state)
{
    (void)state;
    initialise(3);
    pulse(3);
    pulse(12);
    assert_int_equal(pic_acknowledge(&pic), 0x2c);
    assert_int_equal(isr(MASTER), 0);
    assert_int_equal(isr(SLAVE), 0);
    assert_int_equal(pic_acknowledge(&pic), 0x23);
    assert_false(intr);
    /* Two from the slave in a row: the cascade makes an edge for each. */
    pulse(9);
    pulse(10);
    assert_int_equal(pic_acknowledge(&pic), 0x29);
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&pic), 0x2a);
    assert_false(intr);
    /* Rotating: each one served becomes the lowest. */
    out(MASTER, 0x80);
    pulse(0);
    assert_int_equal(pic_acknowledge(&pic), 0x20);
    pulse(0);
    pulse(5);
    assert_int_equal(pic_acknowledge(&pic), 0x25);
    assert_int_equal(pic_acknowledge(&pic), 0x20);
    out(MASTER, 0x00);
    out(MASTER, SET_PRIORITY | 7);
    pulse(0);
    assert_int_equal(pic_acknowledge(&pic), 0x20);
    pulse(0);
    pulse(5);
    assert_int_equal(pic_acknowledge(&pic), 0x20);
}

static void special_mask_mode(void **state)
{
    (void)state;
    pulse(3);
    pic_acknowledge(&pic);
    out(MASTER + 1, 0x08);
    pulse(5);
    assert_false(intr);
    out(MASTER, 0x68); /* the served one is masked: lower ones may come */
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&pic), 0x25);
    out(MASTER, EOI); /* ends 5, since 3 is masked */
    assert_int_equal(isr(MASTER), 0x08);
    out(MASTER, EOI);
    assert_int_equal(isr(MASTER), 0x08);
    out(MASTER, SPECIFIC_EOI | 3);
    assert_int_equal(isr(MASTER), 0);
    /* Left again by ESMM=1, SMM=0; ESMM=0 changes nothing. */
    pulse(1);
    pic_acknowledge(&pic);
    out(MASTER + 1, 0x02);
    out(MASTER, 0x28);
    pulse(6);
    assert_true(intr);
    out(MASTER, 0x48);
    assert_false(intr);
}

static void special_fully_nested_mode(void **state)
{
    (void)state;
    initialise(0x11);
    pulse(12);
    assert_int_equal(pic_acknowledge(&pic), 0x2c);
    pulse(13);
    assert_false(intr); /* lower at the slave */
    pulse(9);
    assert_true(intr); /* higher at the slave gets through the master */
    assert_int_equal(pic_acknowledge(&pic), 0x29);
}

static void poll_mode(void **state)
{
    (void)state;
    out(MASTER, POLL);
    assert_int_equal(in(MASTER), 0);
    pulse(6);
    out(MASTER, POLL);
    assert_int_equal(in(MASTER), 0x86);
    assert_int_equal(isr(MASTER), 0x40); /* the poll was its acknowledge */
    assert_false(intr);
    /* A slave's: both are polled, at whichever port. */
    out(MASTER, EOI);
    pulse(13);
    out(MASTER, POLL);
    assert_int_equal(in(MASTER + 1), 0x82);
    out(SLAVE, POLL);
    assert_int_equal(in(SLAVE), 0x85);
    assert_int_equal(isr(SLAVE), 0x20);
    assert_int_equal(isr(MASTER), 0x04);
    out(MASTER + 1, 0x55);
    assert_int_equal(in(MASTER + 1), 0x55); /* one read only, then the mask again */
    out(MASTER, POLL);
    assert_int_equal(in(MASTER), 0);
    assert_int_equal(in(MASTER + 1), 0x55);
}

static void which_register_is_read(void **state)
{
    (void)state;
    pulse(4);
    assert_int_equal(in(MASTER), 0x10); /* IRR after initialisation */
    pic_acknowledge(&pic);
    out(MASTER, READ_ISR);
    assert_int_equal(in(MASTER), 0x10);
    assert_int_equal(in(MASTER), 0x10); /* it stays selected */
    out(MASTER, 0x08);                  /* no read command */
    assert_int_equal(in(MASTER), 0x10);
    out(MASTER, READ_IRR);
    assert_int_equal(in(MASTER), 0);
    assert_int_equal(pic_chip_read(&pic.chip[0], 0, 2), 0xffffffff);
    pic_chip_write(&pic.chip[0], 1, 2, 0x55);
    assert_int_equal(in(MASTER + 1), 0);
}

static void reset_keeps_the_inputs(void **state)
{
    (void)state;
    pic_set_irq(&pic, 4, true);
    pic_reset(&pic);
    assert_false(intr);
    assert_int_equal(in(MASTER + 1), 0xff);
    initialise(1);
    assert_false(intr); /* an old edge is none */
    pulse(4);
    assert_true(intr);
}

/* Both chips' rules over sorted lists, in the fully nested mode with rotation and masks. */
struct model {
    bool line[16];
    bool edge[16];
    bool served[16];
    bool masked[16];
    unsigned lowest[2];
    bool cascade_line;
    bool cascade_edge;
};

/* Input of `chip` in the place-th priority; -1: the one to serve is none. */
static int model_pending(const struct model *m, unsigned chip)
{
    for (unsigned place = 1; place <= 8; place++) {
        unsigned input = (m->lowest[chip] + place) % 8;
        unsigned irq = chip * 8 + input;
        bool asks = irq == 2 ? m->cascade_line && m->cascade_edge : m->line[irq] && m->edge[irq];

        if (m->served[irq]) {
            return -1;
        }
        if (asks && !m->masked[irq]) {
            return (int)input;
        }
    }
    return -1;
}

static void model_update(struct model *m)
{
    bool level = model_pending(m, 1) >= 0;

    m->cascade_edge = level && (m->cascade_edge || !m->cascade_line);
    m->cascade_line = level;
}

static uint8_t model_acknowledge(struct model *m)
{
    int input = model_pending(m, 0);
    uint8_t vector;

    if (input < 0) {
        return 0x27;
    }
    m->served[input] = true;
    if (input != 2) {
        m->edge[input] = false;
        return (uint8_t)(0x20 + input);
    }
    m->cascade_edge = false;
    input = model_pending(m, 1);
    assert_true(input >= 0);
    m->served[8 + input] = true;
    m->edge[8 + input] = false;
    vector = (uint8_t)(0x28 + input);
    m->cascade_line = false;
    model_update(m);
    return vector;
}

static void model_eoi(struct model *m, unsigned chip, bool rotate)
{
    for (unsigned place = 1; place <= 8; place++) {
        unsigned input = (m->lowest[chip] + place) % 8;

        if (m->served[chip * 8 + input]) {
            m->served[chip * 8 + input] = false;
            if (rotate) {
                m->lowest[chip] = input;
            }
            break;
        }
    }
    model_update(m);
}

static void random_use_matches_the_model(void **state)
{
    static struct model m;
    uint64_t seed = 31337;

    (void)state;
    m = (struct model){.lowest = {7, 7}};
    for (unsigned step = 0; step < 200000; step++) {
        uint64_t random = test_random(&seed);
        unsigned irq = (unsigned)(random >> 8) % 16;
        unsigned chip = irq / 8;
        unsigned port = chip ? SLAVE : MASTER;
        bool flag = random >> 20 & 1;

        switch (random % 8) {
        case 0:
        case 1:
        case 2:
            if (irq != 2) {
                m.edge[irq] = flag && (m.edge[irq] || !m.line[irq]);
                m.line[irq] = flag;
                model_update(&m);
            }
            pic_set_irq(&pic, irq, flag);
            break;
        case 3:
            for (unsigned i = 0; i < 8; i++) {
                m.masked[chip * 8 + i] = random >> (32 + i) & 1;
            }
            model_update(&m);
            out(port + 1, (uint8_t)(random >> 32));
            break;
        case 4:
        case 5:
            model_eoi(&m, chip, flag);
            out(port, flag ? ROTATE_EOI : EOI);
            break;
        case 6:
            if (flag) {
                m.lowest[chip] = irq % 8;
                model_update(&m);
                out(port, (uint8_t)(SET_PRIORITY | irq % 8));
            }
            break;
        default:
            assert_int_equal(pic_acknowledge(&pic), model_acknowledge(&m));
            break;
        }
        assert_int_equal(pic_pending(&pic), model_pending(&m, 0) >= 0);
        assert_int_equal(pic_pending(&pic), intr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(power_up_delivers_nothing, setup),
        cmocka_unit_test_setup(initialisation_words, setup),
        cmocka_unit_test_setup(an_interrupt_from_the_master, setup),
        cmocka_unit_test_setup(an_interrupt_from_the_slave, setup),
        cmocka_unit_test_setup(fixed_priority, setup),
        cmocka_unit_test_setup(masks, setup),
        cmocka_unit_test_setup(a_request_that_went_is_spurious, setup),
        cmocka_unit_test_setup(level_triggered_by_elcr, setup),
        cmocka_unit_test_setup(specific_eoi, setup),
        cmocka_unit_test_setup(non_specific_eoi_ends_the_highest, setup),
        cmocka_unit_test_setup(rotation, setup),
        cmocka_unit_test_setup(automatic_eoi, setup),
        cmocka_unit_test_setup(special_mask_mode, setup),
        cmocka_unit_test_setup(special_fully_nested_mode, setup),
        cmocka_unit_test_setup(poll_mode, setup),
        cmocka_unit_test_setup(which_register_is_read, setup),
        cmocka_unit_test_setup(reset_keeps_the_inputs, setup),
        cmocka_unit_test_setup(random_use_matches_the_model, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
