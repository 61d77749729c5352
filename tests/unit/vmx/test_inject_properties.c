/* What holds for the injection decision in any state, over random ones. */
#include "tests/unit/vmx/injection_helpers.h"

static uint64_t random_state = 88172645463325252u;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static unsigned random_below(unsigned limit)
{
    return (unsigned)((random_bits() >> 20) % limit);
}

static struct injection_input random_input(void)
{
    static const enum virt_event_type queued[] = {
        VIRT_EVENT_NONE, VIRT_EVENT_NONE,
        VIRT_EVENT_NONE, VIRT_EVENT_EXTERNAL_INTERRUPT,
        VIRT_EVENT_NMI,  VIRT_EVENT_HARDWARE_EXCEPTION,
        VIRT_EVENT_NONE, VIRT_EVENT_SOFTWARE_INTERRUPT,
    };
    struct injection_input input = {
        .queued = {.type = queued[random_below(8)], .vector = 0x0d},
        .nmi_pending = (uint8_t)random_below(3),
        .pending = {.pic = random_below(4) == 0,
                    .apic_irr = random_below(3) ? (int)random_below(256) : -1,
                    .apic_isr = random_below(2) ? (int)random_below(256) : -1,
                    .tpr = (uint8_t)(random_below(2) ? random_below(256) : 0)},
        .activity = (enum virt_activity)(random_below(3) ? 0 : random_below(4)),
        .interruptibility = random_below(2) ? random_below(16) : 0,
        .interrupts_enabled = random_below(2),
        .protected_mode = random_below(2),
        .virtual_nmis = random_below(4) != 0,
        .tpr_shadow = random_below(4) != 0,
        .virtual_interrupt_delivery = random_below(4) == 0,
    };

    return input;
}

/* What must hold in any state. */
static void test_properties(void **context)
{
    (void)context;
    for (unsigned round = 0; round < 300000; round++) {
        struct injection_input input = random_input();
        struct injection injection = decide(&input);
        const struct virt_pending_interrupts *pending = &input.pending;
        bool vid = input.virtual_interrupt_delivery;
        bool asleep = input.activity == ACTIVITY_WAIT_FOR_SIPI;
        bool shadow = input.interruptibility & 3;
        int ppr = pending->apic_isr > pending->tpr ? pending->apic_isr : pending->tpr;
        bool above = pending->apic_irr >= 0 && pending->apic_irr / 16 > ppr / 16;
        bool injected = injection.source != INJECT_NOTHING;
        bool external = injection.event.type == VIRT_EVENT_EXTERNAL_INTERRUPT;
        bool nmi = injection.event.type == VIRT_EVENT_NMI;
        bool queue_left = input.queued.type != VIRT_EVENT_NONE && injection.source != INJECT_QUEUED;
        unsigned nmis_left = input.nmi_pending - (injection.source == INJECT_NMI ? 1u : 0u);
        bool interrupt_left = (pending->pic && injection.source != INJECT_PIC) ||
                              (above && !vid && injection.source != INJECT_APIC);
        bool asked = injection.interrupt_window || injection.decide_again;

        /* What is injected is allowed. */
        assert_int_equal(injected, injection.event.type != VIRT_EVENT_NONE);
        assert_false(asleep && injected);
        if (external) {
            assert_true(input.interrupts_enabled);
            assert_false(shadow);
            assert_true(input.activity == ACTIVITY_ACTIVE || input.activity == ACTIVITY_HLT);
        }
        if (nmi) {
            assert_false(shadow);
            assert_true(!(input.interruptibility & INTERRUPTIBILITY_NMI) ||
                        injection.clear_nmi_blocking);
        }
        if (injection.source == INJECT_NMI && input.virtual_nmis) {
            assert_false(input.interruptibility & INTERRUPTIBILITY_NMI);
        }
        if (injection.source == INJECT_APIC) {
            assert_true(above && !vid);
            assert_int_equal(injection.event.vector, pending->apic_irr);
        }
        assert_false(injection.source == INJECT_PIC && !pending->pic);
        assert_false(!input.protected_mode && injection.event.has_error_code);
        /* The queue goes first. */
        assert_false(queue_left && injected);
        /* Nothing that waits is forgotten. */
        if (queue_left || (interrupt_left && !queue_left)) {
            assert_true(asked);
        }
        if (nmis_left) {
            assert_true(injection.nmi_window || asked);
        }
        /* Nothing is asked for without cause. */
        if (injection.interrupt_window) {
            assert_true(queue_left || interrupt_left || nmis_left);
        }
        if (injection.nmi_window) {
            assert_true(input.virtual_nmis);
            assert_true(nmis_left || input.queued.type == VIRT_EVENT_NMI);
        }
        if (injection.tpr_threshold) {
            assert_true(input.tpr_shadow && !vid);
            assert_int_equal(injection.tpr_threshold, pending->apic_irr / 16);
            assert_true(injection.tpr_threshold <= pending->tpr / 16); /* the entry check */
            assert_true(pending->apic_irr / 16 >
                        (pending->apic_isr < 0 ? -1 : pending->apic_isr / 16));
        }
        /* A halted guest with something to take is woken, and by nothing else. */
        if (injection.wake) {
            assert_true(input.activity != ACTIVITY_ACTIVE);
            assert_true(injection_has_deliverable(&input));
        } else if (input.activity == ACTIVITY_HLT) {
            assert_false(injection_has_deliverable(&input));
        }
        assert_int_equal(injection.rvi && !vid, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
