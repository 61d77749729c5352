#include "guest/devices/ioapic.h"

#include <string.h>

#include "tests/unit/devices/clock.h"
#include "tests/unit/support/cmocka.h"

#define MASKED     0x10000u
#define LEVEL      0x8000u
#define REMOTE_IRR 0x4000u
#define LOW_ACTIVE 0x2000u
#define LOGICAL    0x0800u

static struct ioapic ioapic;
static struct interrupt_message messages[1000];
static unsigned sent;
static unsigned level_changes;
static bool eoi_at_once;

static void deliver(void *context, const struct interrupt_message *message)
{
    assert_ptr_equal(context, &ioapic);
    messages[sent++ % 1000] = *message;
    if (eoi_at_once) {
        ioapic_set_irq(&ioapic, 9, false);
        ioapic_eoi(&ioapic, message->vector);
    }
}

static void level_vectors_changed(void *context)
{
    assert_ptr_equal(context, &ioapic);
    level_changes++;
}

static const struct ioapic_ops ops = {deliver, level_vectors_changed};

static int setup(void **state)
{
    (void)state;
    sent = 0;
    level_changes = 0;
    eoi_at_once = false;
    ioapic_init(&ioapic, 2, &ops, &ioapic);
    return 0;
}

static uint32_t get(uint8_t index)
{
    ioapic_mmio_write(&ioapic, 0, 4, index);
    return (uint32_t)ioapic_mmio_read(&ioapic, 0x10, 4);
}

static void set(uint8_t index, uint32_t value)
{
    ioapic_mmio_write(&ioapic, 0, 4, index);
    ioapic_mmio_write(&ioapic, 0x10, 4, value);
}

static void set_entry(unsigned pin, uint32_t low, uint8_t destination)
{
    set((uint8_t)(0x11 + 2 * pin), (uint32_t)destination << 24);
    set((uint8_t)(0x10 + 2 * pin), low);
}

static uint32_t entry(unsigned pin)
{
    return get((uint8_t)(0x10 + 2 * pin));
}

static void registers(void **state)
{
    (void)state;
    assert_int_equal(ioapic_mmio_read(&ioapic, 0, 4), 0);
    assert_int_equal(get(0), 2u << 24);
    assert_int_equal(get(1), 23u << 16 | 0x20);
    assert_int_equal(get(2), 2u << 24);
    set(0, 0xffffffff);
    assert_int_equal(get(0), 0x0f000000);
    set(1, 0);
    assert_int_equal(get(1), 0x00170020);
    for (uint8_t i = 3; i < 0x10; i++) {
        set(i, 0xffffffff);
        assert_int_equal(get(i), 0);
    }
    for (unsigned pin = 0; pin < 24; pin++) {
        assert_int_equal(entry(pin), MASKED);
        assert_int_equal(get((uint8_t)(0x11 + 2 * pin)), 0);
    }
    for (unsigned i = 0x40; i < 0x100; i++) {
        set((uint8_t)i, 0xffffffff);
        assert_int_equal(get((uint8_t)i), 0);
    }
    set_entry(23, 0xffffffff, 0xab);
    assert_int_equal(entry(23), 0x1afff); /* status and remote IRR are read-only */
    assert_int_equal(get(0x3f), 0xab000000);
    ioapic_reset(&ioapic);
    assert_int_equal(entry(23), MASKED);
    assert_int_equal(get(0), 2u << 24);
}

static void access_sizes(void **state)
{
    (void)state;
    ioapic_mmio_write(&ioapic, 0, 1, 1);
    assert_int_equal(ioapic_mmio_read(&ioapic, 0, 4), 1);
    assert_int_equal(ioapic_mmio_read(&ioapic, 0, 1), 1);
    assert_int_equal(ioapic_mmio_read(&ioapic, 0x10, 8), 0x170020);
    assert_int_equal(ioapic_mmio_read(&ioapic, 0x10, 1), 0x20);
    assert_int_equal(ioapic_mmio_read(&ioapic, 0x12, 1), 0x17);
    assert_int_equal(ioapic_mmio_read(&ioapic, 0x12, 2), 0x17);
    ioapic_mmio_write(&ioapic, 0, 4, 0xffffff11); /* only the low byte selects */
    assert_int_equal(ioapic_mmio_read(&ioapic, 0, 4), 0x11);
    ioapic_mmio_write(&ioapic, 0x10, 2, 0xffff);
    ioapic_mmio_write(&ioapic, 0x11, 4, 0xffffffff);
    ioapic_mmio_write(&ioapic, 0x20, 4, 0xffffffff);
    assert_int_equal(get(0x11), 0);
    assert_int_equal(ioapic_mmio_read(&ioapic, 0x20, 4), 0);
    assert_int_equal(ioapic_mmio_read(&ioapic, 0x40, 4), 0);
}

static void edges(void **state)
{
    (void)state;
    set_entry(4, 0x34, 7);
    ioapic_set_irq(&ioapic, 4, true);
    assert_int_equal(sent, 1);
    assert_int_equal(messages[0].vector, 0x34);
    assert_int_equal(messages[0].destination, 7);
    assert_int_equal(messages[0].delivery_mode, DELIVERY_FIXED);
    assert_int_equal(messages[0].shorthand, SHORTHAND_NONE);
    assert_false(messages[0].logical);
    assert_false(messages[0].level);
    ioapic_set_irq(&ioapic, 4, true); /* no edge */
    ioapic_eoi(&ioapic, 0x34);
    assert_int_equal(sent, 1);
    assert_int_equal(entry(4), 0x34); /* no remote IRR */
    ioapic_set_irq(&ioapic, 4, false);
    ioapic_set_irq(&ioapic, 4, true);
    assert_int_equal(sent, 2);
    /* While masked an edge is lost. */
    set_entry(4, 0x34 | MASKED, 7);
    ioapic_set_irq(&ioapic, 4, false);
    ioapic_set_irq(&ioapic, 4, true);
    set_entry(4, 0x34, 7);
    assert_int_equal(sent, 2);
    ioapic_set_irq(&ioapic, 24, true); /* no such pin */
    ioapic_set_irq(&ioapic, 1000, true);
    assert_int_equal(sent, 2);
}

static void every_field_of_a_message(void **state)
{
    static const uint8_t modes[] = {DELIVERY_FIXED, DELIVERY_LOWEST_PRIORITY,
                                    DELIVERY_SMI,   DELIVERY_NMI,
                                    DELIVERY_INIT,  DELIVERY_EXTINT};

    (void)state;
    for (unsigned i = 0; i < sizeof(modes); i++) {
        sent = 0;
        set_entry(5, 0x55u | (uint32_t)modes[i] << 8 | LOGICAL | LOW_ACTIVE, 0x81);
        ioapic_set_irq(&ioapic, 5, true);
        ioapic_set_irq(&ioapic, 5, false);
        assert_int_equal(sent, 1);
        assert_int_equal(messages[0].delivery_mode, modes[i]);
        assert_true(messages[0].logical);
        assert_int_equal(messages[0].destination, 0x81);
        assert_false(messages[0].level);
    }
    set_entry(5, 0x55, 0xff);
    ioapic_set_irq(&ioapic, 5, true);
    assert_int_equal(messages[1].destination, DESTINATION_BROADCAST);
}

static void level_until_eoi(void **state)
{
    (void)state;
    set_entry(9, 0x49 | LEVEL, 1);
    ioapic_set_irq(&ioapic, 9, true);
    assert_int_equal(sent, 1);
    assert_true(messages[0].level);
    assert_int_equal(entry(9), 0x49 | LEVEL | REMOTE_IRR);
    ioapic_set_irq(&ioapic, 9, false);
    ioapic_set_irq(&ioapic, 9, true);
    assert_int_equal(sent, 1); /* in service */
    ioapic_eoi(&ioapic, 0x48); /* another vector */
    assert_int_equal(sent, 1);
    ioapic_eoi(&ioapic, 0x49); /* still asserted: again */
    assert_int_equal(sent, 2);
    assert_int_equal(entry(9), 0x49 | LEVEL | REMOTE_IRR);
    ioapic_set_irq(&ioapic, 9, false);
    ioapic_eoi(&ioapic, 0x49);
    assert_int_equal(sent, 2);
    assert_int_equal(entry(9), 0x49 | LEVEL);
}

static void level_and_mask(void **state)
{
    (void)state;
    set_entry(9, 0x49 | LEVEL | MASKED, 1);
    ioapic_set_irq(&ioapic, 9, true);
    assert_int_equal(sent, 0);
    set_entry(9, 0x49 | LEVEL, 1); /* still asserted when unmasked */
    assert_int_equal(sent, 1);
    /* As Linux ends one: mask, EOI, unmask. */
    set_entry(9, 0x49 | LEVEL | MASKED, 1);
    assert_int_equal(entry(9), 0x49 | LEVEL | MASKED | REMOTE_IRR);
    ioapic_eoi(&ioapic, 0x49);
    assert_int_equal(sent, 1);
    assert_int_equal(entry(9), 0x49 | LEVEL | MASKED);
    set_entry(9, 0x49 | LEVEL, 1);
    assert_int_equal(sent, 2);
}

static void the_change_to_edge_and_back_ends_an_interrupt(void **state)
{
    (void)state;
    set_entry(9, 0x49 | LEVEL, 1);
    ioapic_set_irq(&ioapic, 9, true);
    ioapic_set_irq(&ioapic, 9, false);
    set(0x10 + 18, 0x49 | MASKED);
    set(0x10 + 18, 0x49 | LEVEL);
    assert_int_equal(entry(9), 0x49 | LEVEL);
    ioapic_set_irq(&ioapic, 9, true);
    assert_int_equal(sent, 2);
}

static void the_eoi_register(void **state)
{
    (void)state;
    set_entry(9, 0x49 | LEVEL, 1);
    ioapic_set_irq(&ioapic, 9, true);
    ioapic_mmio_write(&ioapic, 0x40, 4, 0x49);
    assert_int_equal(sent, 2);
}

static void a_shared_vector_ends_on_all_pins(void **state)
{
    (void)state;
    set_entry(10, 0x60 | LEVEL, 1);
    set_entry(11, 0x60 | LEVEL, 1);
    ioapic_set_irq(&ioapic, 10, true);
    ioapic_set_irq(&ioapic, 11, true);
    assert_int_equal(sent, 2);
    ioapic_set_irq(&ioapic, 10, false);
    ioapic_eoi(&ioapic, 0x60);
    assert_int_equal(sent, 3);
    assert_int_equal(entry(10) & REMOTE_IRR, 0);
    assert_int_equal(entry(11) & REMOTE_IRR, REMOTE_IRR);
}

static void an_eoi_from_within_the_delivery(void **state)
{
    (void)state;
    eoi_at_once = true;
    set_entry(9, 0x49 | LEVEL, 1);
    ioapic_set_irq(&ioapic, 9, true);
    assert_int_equal(sent, 1);
    assert_int_equal(entry(9) & REMOTE_IRR, 0);
}

static void level_nmi_is_an_edge(void **state)
{
    (void)state;
    set_entry(3, (uint32_t)DELIVERY_NMI << 8 | LEVEL, 1);
    ioapic_set_irq(&ioapic, 3, true);
    ioapic_set_irq(&ioapic, 3, true);
    assert_int_equal(sent, 1);
    assert_int_equal(entry(3) & REMOTE_IRR, 0); /* it has no EOI */
    ioapic_set_irq(&ioapic, 3, false);
    ioapic_set_irq(&ioapic, 3, true);
    assert_int_equal(sent, 2);
}

static void level_vectors(void **state)
{
    uint64_t bitmap[4];
    const uint64_t none[4] = {0};

    (void)state;
    ioapic_level_vectors(&ioapic, bitmap);
    assert_memory_equal(bitmap, none, sizeof(none));
    set_entry(9, 0x49 | LEVEL, 1);
    set_entry(10, 0xf1 | LEVEL, 1);
    set_entry(11, 0x81, 1);
    set_entry(12, 0x91 | LEVEL | MASKED, 1);
    assert_true(level_changes >= 3);
    ioapic_level_vectors(&ioapic, bitmap);
    assert_int_equal(bitmap[0], 0);
    assert_int_equal(bitmap[1], 1ull << 9);
    assert_int_equal(bitmap[2], 0);
    assert_int_equal(bitmap[3], 1ull << (0xf1 - 192));
    set_entry(0, 0x4b | LEVEL, 1);
    set_entry(23, 0x4c | LEVEL, 1);
    ioapic_level_vectors(&ioapic, bitmap);
    assert_int_equal(bitmap[1], 1ull << 9 | 1ull << 11 | 1ull << 12);
    set_entry(0, MASKED, 1);
    set_entry(23, MASKED, 1);
    /* Masked while in service: its EOI still counts. */
    ioapic_set_irq(&ioapic, 9, true);
    set_entry(9, 0x49 | LEVEL | MASKED, 1);
    ioapic_level_vectors(&ioapic, bitmap);
    assert_int_equal(bitmap[1], 1ull << 9);
    /* Only the destination changes: no news. */
    level_changes = 0;
    set(0x11 + 18, 5u << 24);
    assert_int_equal(level_changes, 0);
    set(0x10 + 18, 0x4a | LEVEL | MASKED);
    assert_int_equal(level_changes, 1);
}

/* Level-triggered pins against the rule itself: a message whenever asserted, unmasked and not in
 * service. */
static void random_levels_match_the_rule(void **state)
{
    struct {
        bool asserted;
        bool masked;
        bool served;
    } model[IOAPIC_PINS];
    uint64_t seed = 99;

    (void)state;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        set_entry(pin, (0x40 + pin) | LEVEL, 0);
        memset(&model[pin], 0, sizeof(model[pin]));
    }
    for (unsigned step = 0; step < 50000; step++) {
        uint64_t random = test_random(&seed);
        unsigned pin = (unsigned)(random >> 8) % IOAPIC_PINS;
        bool flag = random >> 40 & 1;

        sent = 0;
        switch (random % 4) {
        case 0:
        case 1:
            model[pin].asserted = flag;
            ioapic_set_irq(&ioapic, pin, flag);
            break;
        case 2:
            model[pin].masked = flag;
            set((uint8_t)(0x10 + 2 * pin), (0x40 + pin) | LEVEL | (flag ? MASKED : 0));
            break;
        default:
            model[pin].served = false;
            ioapic_eoi(&ioapic, (uint8_t)(0x40 + pin));
            break;
        }
        bool expected = model[pin].asserted && !model[pin].masked && !model[pin].served;

        assert_int_equal(sent, expected);
        if (expected) {
            assert_int_equal(messages[0].vector, 0x40 + pin);
            model[pin].served = true;
        }
        assert_int_equal(!!(entry(pin) & REMOTE_IRR), model[pin].served);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers, setup),
        cmocka_unit_test_setup(access_sizes, setup),
        cmocka_unit_test_setup(edges, setup),
        cmocka_unit_test_setup(every_field_of_a_message, setup),
        cmocka_unit_test_setup(level_until_eoi, setup),
        cmocka_unit_test_setup(level_and_mask, setup),
        cmocka_unit_test_setup(the_change_to_edge_and_back_ends_an_interrupt, setup),
        cmocka_unit_test_setup(the_eoi_register, setup),
        cmocka_unit_test_setup(a_shared_vector_ends_on_all_pins, setup),
        cmocka_unit_test_setup(an_eoi_from_within_the_delivery, setup),
        cmocka_unit_test_setup(level_nmi_is_an_edge, setup),
        cmocka_unit_test_setup(level_vectors, setup),
        cmocka_unit_test_setup(random_levels_match_the_rule, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
