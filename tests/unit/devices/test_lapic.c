/* Requests, priorities, EOI, errors, local interrupt pins. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "tests/unit/devices/lapic_fixture.h"

#define TPR   0x80u
#define PPR   0xa0u
#define EOI   0xb0u
#define SVR   0xf0u
#define ISR   0x100u
#define TMR   0x180u
#define IRR   0x200u
#define ESR   0x280u
#define LINT0 0x350u
#define LINT1 0x360u
#define ERROR 0x370u

static struct test_cpu *const cpu = &test_cpus[0];

static int setup(void **state)
{
    lapic_fixture_setup(state);
    lapic_fixture_enable(0);
    return 0;
}

static void deliver(uint8_t mode, uint8_t vector, bool level)
{
    const struct interrupt_message message = {
        .vector = vector, .delivery_mode = mode, .level = level};

    lapic_deliver(&cpu->lapic, &message);
}

static struct virt_pending_interrupts pending(void)
{
    struct virt_pending_interrupts result;

    lapic_pending(&cpu->lapic, &result);
    return result;
}

static void a_request_is_seen_taken_and_ended(void **state)
{
    (void)state;
    assert_int_equal(pending().apic_irr, -1);
    deliver(DELIVERY_FIXED, 0x41, false);
    assert_int_equal(cpu->requested, 1);
    assert_int_equal(pending().apic_irr, 0x41);
    assert_int_equal(lapic_fixture_read(0, IRR + 0x20), 1u << 1);
    assert_int_equal(lapic_fixture_take(0), 0x41);
    assert_int_equal(lapic_fixture_read(0, IRR + 0x20), 0);
    assert_int_equal(lapic_fixture_read(0, ISR + 0x20), 1u << 1);
    assert_int_equal(pending().apic_isr, 0x41);
    assert_int_equal(lapic_fixture_read(0, PPR), 0x40);

    lapic_fixture_write(0, EOI, 0);
    assert_int_equal(pending().apic_isr, -1);
    assert_int_equal(lapic_fixture_read(0, PPR), 0);
    assert_int_equal(cpu->eois, 0); /* edge-triggered: nobody else's business */
    lapic_fixture_write(0, EOI, 0); /* nothing in service: nothing happens */
    assert_int_equal(cpu->eois, 0);
}

static unsigned changes_by_eoi(void)
{
    unsigned before = cpu->changed;

    lapic_fixture_write(0, EOI, 0);
    return cpu->changed - before;
}

static void eoi_is_news_when_something_waits(void **state)
{
    (void)state;
    deliver(DELIVERY_FIXED, 0x41, false);
    lapic_fixture_take(0);
    assert_int_equal(changes_by_eoi(), 0);

    deliver(DELIVERY_FIXED, 0x41, false);
    lapic_fixture_take(0);
    deliver(DELIVERY_FIXED, 0x31, false); /* not in IRR yet */
    assert_int_equal(changes_by_eoi(), 1);

    assert_int_equal(pending().apic_irr, 0x31);
    deliver(DELIVERY_FIXED, 0x51, false);
    lapic_fixture_take(0);
    assert_int_equal(changes_by_eoi(), 1);

    lapic_fixture_take(0);
    cpu->lapic.cpu_delivers = true;
    assert_int_equal(changes_by_eoi(), 1); /* the CPU's own note of the ISR is out of date */
}

static void the_same_vector_can_wait_while_it_is_served(void **state)
{
    (void)state;
    deliver(DELIVERY_FIXED, 0x50, false);
    assert_int_equal(lapic_fixture_take(0), 0x50);
    deliver(DELIVERY_FIXED, 0x50, false);
    deliver(DELIVERY_FIXED, 0x50, false); /* merged: one bit */
    assert_int_equal(lapic_fixture_take(0), -1);
    lapic_fixture_write(0, EOI, 0);
    assert_int_equal(lapic_fixture_take(0), 0x50);
    lapic_fixture_write(0, EOI, 0);
    assert_int_equal(lapic_fixture_take(0), -1);
}

static void processor_priority_is_the_higher_class(void **state)
{
    (void)state;
    deliver(DELIVERY_FIXED, 0x63, false);
    assert_int_equal(lapic_fixture_take(0), 0x63);
    lapic_fixture_write(0, TPR, 0x5f);
    assert_int_equal(lapic_fixture_read(0, PPR), 0x60); /* served class higher: subclass 0 */
    lapic_fixture_write(0, TPR, 0x7a);
    assert_int_equal(lapic_fixture_read(0, PPR), 0x7a); /* task class higher: its subclass too */
    lapic_fixture_write(0, TPR, 0xffffff12);
    assert_int_equal(lapic_fixture_read(0, TPR), 0x12);
}

static void eoi_of_a_level_interrupt_is_broadcast(void **state)
{
    (void)state;
    deliver(DELIVERY_FIXED, 0x71, true);
    assert_int_equal(lapic_fixture_take(0), 0x71);
    assert_int_equal(lapic_fixture_read(0, TMR + 0x30), 1u << 17);
    lapic_fixture_write(0, EOI, 0);
    assert_int_equal(cpu->eois, 1);
    assert_int_equal(cpu->eoi_vector, 0x71);
    /* The same vector as an edge: TMR follows. */
    deliver(DELIVERY_FIXED, 0x71, false);
    assert_int_equal(lapic_fixture_take(0), 0x71);
    assert_int_equal(lapic_fixture_read(0, TMR + 0x30), 0);
    lapic_fixture_write(0, EOI, 0);
    assert_int_equal(cpu->eois, 1);
}

static void eoi_broadcast_can_be_suppressed(void **state)
{
    (void)state;
    assert_true(lapic_fixture_read(0, 0x30) & 1u << 24);
    lapic_fixture_write(0, SVR, 0x11ff);
    assert_int_equal(lapic_fixture_read(0, SVR), 0x11ff);
    deliver(DELIVERY_FIXED, 0x71, true);
    assert_int_equal(lapic_fixture_take(0), 0x71);
    lapic_fixture_write(0, EOI, 0);
    assert_int_equal(pending().apic_isr, -1);
    assert_int_equal(cpu->eois, 0);
}

static void hardware_eoi_reaches_the_ioapic(void **state)
{
    (void)state;
    deliver(DELIVERY_FIXED, 0x71, true);
    deliver(DELIVERY_FIXED, 0x72, false);
    pending();
    lapic_after_hardware_eoi(&cpu->lapic, 0x72);
    assert_int_equal(cpu->eois, 0);
    lapic_after_hardware_eoi(&cpu->lapic, 0x71);
    assert_int_equal(cpu->eois, 1);
}

/* The rules of 11.8.3 and 11.8.4 over plain arrays, one entry a vector. */
struct model {
    bool requested[256];
    bool served[256];
    bool level[256];
    uint8_t tpr;
};

static int model_highest(const bool *vectors)
{
    for (int i = 255; i >= 0; i--) {
        if (vectors[i]) {
            return i;
        }
    }
    return -1;
}

static int model_take(struct model *model)
{
    int served = model_highest(model->served);
    int waiting = model_highest(model->requested);

    if (waiting < 0 || waiting / 16 <= model->tpr / 16 ||
        (served >= 0 && waiting / 16 <= served / 16)) {
        return -1;
    }
    model->requested[waiting] = false;
    model->served[waiting] = true;
    return waiting;
}

static void random_requests_match_the_model(void **state)
{
    static struct model model;
    uint64_t seed = 0x9e3779b97f4a7c15ull;
    unsigned eois = 0;

    (void)state;
    memset(&model, 0, sizeof(model));
    for (unsigned step = 0; step < 200000; step++) {
        uint64_t random = test_random(&seed);
        uint8_t vector = (uint8_t)(random >> 8);
        bool level = random >> 16 & 1;

        switch (random % 8) {
        case 0:
        case 1:
        case 2:
            deliver(DELIVERY_FIXED, vector, level);
            if (vector >= 16) {
                model.requested[vector] = true;
                model.level[vector] = level;
            }
            break;
        case 3:
            model.tpr = vector & (uint8_t)(random >> 24);
            if (random >> 17 & 1) {
                model.tpr &= 0xf0;
                assert_int_equal(lapic_cr8_write(&cpu->lapic, model.tpr >> 4), 0);
            } else {
                lapic_fixture_write(0, TPR, model.tpr);
            }
            assert_int_equal(lapic_cr8_read(&cpu->lapic), model.tpr >> 4);
            break;
        case 4:
        case 5: {
            int served = model_highest(model.served);

            pending(); /* so that both see the trigger modes requested so far */
            lapic_fixture_write(0, EOI, 0);
            if (served >= 0) {
                model.served[served] = false;
                eois += model.level[served];
            }
            assert_int_equal(cpu->eois, eois);
            break;
        }
        default:
            assert_int_equal(lapic_fixture_take(0), model_take(&model));
            break;
        }
        if (step % 64 == 0) {
            assert_int_equal(pending().apic_irr, model_highest(model.requested));
            assert_int_equal(pending().apic_isr, model_highest(model.served));
            assert_int_equal(pending().tpr, model.tpr);
        }
    }
}

#define ROUNDS 20000u

static unsigned taken_rounds;

/* Another CPU: asks for the next interrupt when the last one was taken. Every other time a vector
 * is level-triggered, so that a trigger mode that came apart from its vector shows. */
static void *deliver_from_elsewhere(void *argument)
{
    (void)argument;
    for (unsigned round = 0; round < ROUNDS; round++) {
        while (__atomic_load_n(&taken_rounds, __ATOMIC_ACQUIRE) != round) {
            sched_yield();
        }
        deliver(DELIVERY_FIXED, (uint8_t)(0x40 + round % 64), round & 64);
    }
    return NULL;
}

static void requests_from_another_cpu_are_not_lost(void **state)
{
    pthread_t thread;
    unsigned eois = 0;

    (void)state;
    taken_rounds = 0;
    assert_int_equal(pthread_create(&thread, NULL, deliver_from_elsewhere, NULL), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int vector;

        do {
            vector = lapic_fixture_take(0);
            sched_yield();
        } while (vector < 0);
        assert_int_equal(vector, 0x40 + round % 64);
        lapic_eoi(&cpu->lapic);
        eois += !!(round & 64);
        assert_int_equal(cpu->eois, eois);
        __atomic_store_n(&taken_rounds, round + 1, __ATOMIC_RELEASE);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(lapic_fixture_take(0), -1);
}

static void illegal_vectors_are_errors(void **state)
{
    (void)state;
    deliver(DELIVERY_FIXED, 16, false);
    assert_int_equal(lapic_fixture_take(0), 16); /* the first legal one */
    lapic_fixture_write(0, EOI, 0);
    deliver(DELIVERY_FIXED, 15, false);
    assert_int_equal(pending().apic_irr, -1);
    assert_int_equal(lapic_fixture_read(0, ESR), 0); /* shown by a write only */
    lapic_fixture_write(0, ESR, 0);
    assert_int_equal(lapic_fixture_read(0, ESR), 1u << 6);
    assert_int_equal(lapic_fixture_read(0, ESR), 1u << 6);
    lapic_fixture_write(0, ESR, 0xdead);
    assert_int_equal(lapic_fixture_read(0, ESR), 0);
    /* With the error interrupt on. */
    lapic_fixture_write(0, ERROR, 0xfe);
    deliver(DELIVERY_LOWEST_PRIORITY, 0, false);
    assert_int_equal(lapic_fixture_take(0), 0xfe);
    lapic_fixture_write(0, EOI, 0);
    assert_int_equal(cpu->eois, 0);
    lapic_fixture_write(0, ERROR, 0x10);
    deliver(DELIVERY_FIXED, 1, false);
    assert_int_equal(lapic_fixture_take(0), 0x10);
    lapic_fixture_write(0, EOI, 0);
    lapic_fixture_write(0, ESR, 0);
    /* An error vector that is illegal itself is one more error, not an endless one. */
    lapic_fixture_write(0, ERROR, 0x05);
    deliver(DELIVERY_FIXED, 3, false);
    assert_int_equal(pending().apic_irr, -1);
    lapic_fixture_write(0, ESR, 0);
    assert_int_equal(lapic_fixture_read(0, ESR), 1u << 6);
    lapic_fixture_read(0, 0x40); /* another error beside it */
    lapic_fixture_write(0, ESR, 0);
    assert_int_equal(lapic_fixture_read(0, ESR), 1u << 6 | 1u << 7);
}

static void reserved_registers_are_errors(void **state)
{
    (void)state;
    assert_int_equal(lapic_fixture_read(0, 0x40), 0);
    lapic_fixture_write(0, ESR, 0);
    assert_int_equal(lapic_fixture_read(0, ESR), 1u << 7);
    lapic_fixture_write(0, 0x2f0, 1); /* no CMCI entry */
    lapic_fixture_write(0, ESR, 0);
    assert_int_equal(lapic_fixture_read(0, ESR), 1u << 7);
    lapic_fixture_write(0, 0x30, 1); /* read-only is no error */
    lapic_fixture_write(0, IRR, 1);
    lapic_fixture_write(0, ESR, 0);
    assert_int_equal(lapic_fixture_read(0, ESR), 0);
    assert_int_equal(lapic_fixture_read(0, 0x30), 0x01050014);
}

static void software_disabled_takes_no_vectors_but_keeps_what_it_has(void **state)
{
    (void)state;
    lapic_fixture_write(0, LINT0, 0x31);
    lapic_fixture_write(0, ERROR, 0x33);
    deliver(DELIVERY_FIXED, 0x41, false);
    assert_int_equal(pending().apic_irr, 0x41);
    lapic_fixture_write(0, SVR, 0xff);
    assert_int_equal(lapic_fixture_read(0, LINT0), 0x10031); /* masked by it */
    assert_int_equal(lapic_fixture_read(0, ERROR), 0x10033);
    lapic_fixture_write(0, LINT0, 0x32);
    assert_int_equal(lapic_fixture_read(0, LINT0), 0x10032); /* and stays so */
    deliver(DELIVERY_FIXED, 0x51, false);
    assert_int_equal(pending().apic_irr, 0x41);
    deliver(DELIVERY_NMI, 0, false);
    deliver(DELIVERY_INIT, 0, false);
    deliver(DELIVERY_STARTUP, 0x9a, false);
    assert_int_equal(cpu->nmis, 1);
    assert_int_equal(cpu->inits, 1);
    assert_int_equal(cpu->startups, 1);
    assert_int_equal(cpu->startup_vector, 0x9a);
}

static void lint0_passes_the_8259_in_extint_mode(void **state)
{
    (void)state;
    lapic_set_lint(&cpu->lapic, 0, true);
    assert_false(pending().pic);
    assert_int_equal(cpu->requested, 0); /* masked */

    unsigned before = cpu->changed;

    lapic_fixture_write(0, LINT0, 0x700);
    assert_true(cpu->changed > before);
    assert_true(pending().pic);
    lapic_fixture_write(0, TPR, 0xff); /* ExtINT is above the task priority */
    assert_true(pending().pic);
    lapic_set_lint(&cpu->lapic, 0, false);
    assert_int_equal(cpu->requested, 1); /* the withdrawal is news */
    assert_false(pending().pic);
    lapic_set_lint(&cpu->lapic, 0, true);
    assert_true(pending().pic);
    assert_int_equal(cpu->requested, 2);
    lapic_set_lint(&cpu->lapic, 0, true);
    assert_int_equal(cpu->requested, 2);
    lapic_fixture_write(0, LINT0, 0x10700);
    assert_false(pending().pic);
}

static void lint0_as_a_fixed_edge(void **state)
{
    (void)state;
    lapic_fixture_write(0, LINT0, 0x31);
    lapic_set_lint(&cpu->lapic, 0, true);
    assert_false(pending().pic);
    assert_int_equal(lapic_fixture_take(0), 0x31);
    lapic_fixture_write(0, EOI, 0);
    assert_int_equal(cpu->eois, 0);
    assert_int_equal(lapic_fixture_take(0), -1);
    lapic_set_lint(&cpu->lapic, 0, false);
    lapic_set_lint(&cpu->lapic, 0, true);
    assert_int_equal(lapic_fixture_take(0), 0x31);
}

static void lint_delivery_modes(void **state)
{
    (void)state;
    lapic_fixture_write(0, LINT1, 0x400);
    lapic_set_lint(&cpu->lapic, 1, true);
    lapic_set_lint(&cpu->lapic, 1, false);
    lapic_set_lint(&cpu->lapic, 1, true);
    assert_int_equal(cpu->nmis, 2);
    lapic_fixture_write(0, LINT0, 0x500);
    lapic_set_lint(&cpu->lapic, 0, true);
    assert_int_equal(cpu->inits, 1);
    lapic_set_lint(&cpu->lapic, 0, false);
    lapic_fixture_write(0, LINT0, 0x6ff); /* start-up is reserved here */
    lapic_set_lint(&cpu->lapic, 0, true);
    assert_int_equal(cpu->startups, 0);
}

static void a_disabled_lapic_leaves_its_pins_to_the_cpu(void **state)
{
    (void)state;
    deliver(DELIVERY_FIXED, 0x41, false);
    assert_int_equal(lapic_base_write(&cpu->lapic, LAPIC_DEFAULT_BASE), 0);
    assert_int_equal(pending().apic_irr, -1);
    lapic_set_lint(&cpu->lapic, 0, true);
    assert_true(pending().pic);
    assert_int_equal(cpu->nmis, 0);
    lapic_set_lint(&cpu->lapic, 1, true);
    assert_int_equal(cpu->nmis, 1);
    deliver(DELIVERY_FIXED, 0x41, false);
    assert_int_equal(pending().apic_irr, -1);
}

static void an_extint_message_waits_for_the_acknowledge(void **state)
{
    (void)state;
    deliver(DELIVERY_EXTINT, 0, false);
    assert_int_equal(cpu->requested, 1);
    assert_true(pending().pic);
    lapic_accept_extint(&cpu->lapic);
    assert_false(pending().pic);
}

static void virtual_wire_as_firmware_leaves_it(void **state)
{
    (void)state;
    lapic_reset(&cpu->lapic);
    lapic_set_lint(&cpu->lapic, 0, true);
    assert_false(pending().pic);
    lapic_set_virtual_wire(&cpu->lapic);
    assert_true(pending().pic);
    assert_int_equal(lapic_fixture_read(0, SVR), 0x1ff);
    assert_int_equal(lapic_fixture_read(0, LINT0), 0x700);
    assert_int_equal(lapic_fixture_read(0, LINT1), 0x400);
    deliver(DELIVERY_FIXED, 0x41, false);
    assert_int_equal(lapic_fixture_take(0), 0x41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_request_is_seen_taken_and_ended, setup),
        cmocka_unit_test_setup(eoi_is_news_when_something_waits, setup),
        cmocka_unit_test_setup(the_same_vector_can_wait_while_it_is_served, setup),
        cmocka_unit_test_setup(processor_priority_is_the_higher_class, setup),
        cmocka_unit_test_setup(eoi_of_a_level_interrupt_is_broadcast, setup),
        cmocka_unit_test_setup(eoi_broadcast_can_be_suppressed, setup),
        cmocka_unit_test_setup(hardware_eoi_reaches_the_ioapic, setup),
        cmocka_unit_test_setup(random_requests_match_the_model, setup),
        cmocka_unit_test_setup(requests_from_another_cpu_are_not_lost, setup),
        cmocka_unit_test_setup(illegal_vectors_are_errors, setup),
        cmocka_unit_test_setup(reserved_registers_are_errors, setup),
        cmocka_unit_test_setup(software_disabled_takes_no_vectors_but_keeps_what_it_has, setup),
        cmocka_unit_test_setup(lint0_passes_the_8259_in_extint_mode, setup),
        cmocka_unit_test_setup(lint0_as_a_fixed_edge, setup),
        cmocka_unit_test_setup(lint_delivery_modes, setup),
        cmocka_unit_test_setup(a_disabled_lapic_leaves_its_pins_to_the_cpu, setup),
        cmocka_unit_test_setup(an_extint_message_waits_for_the_acknowledge, setup),
        cmocka_unit_test_setup(virtual_wire_as_firmware_leaves_it, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
