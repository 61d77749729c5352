/* The injection decision, rule by rule: external interrupts, priorities, activity states. */
#include "tests/unit/vmx/injection_helpers.h"

static void assert_nothing_asked(const struct injection *injection)
{
    assert_false(injection->interrupt_window);
    assert_false(injection->nmi_window);
    assert_false(injection->decide_again);
    assert_int_equal(injection->tpr_threshold, 0);
}

static void test_nothing_waits(void **context)
{
    struct injection_input input = quiet();
    struct injection injection = decide(&input);

    (void)context;
    assert_int_equal(injection.source, INJECT_NOTHING);
    assert_int_equal(injection.event.type, VIRT_EVENT_NONE);
    assert_false(injection.wake);
    assert_nothing_asked(&injection);
    assert_false(injection_has_deliverable(&input));
}

static void test_apic_vector(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.pending.apic_irr = 0x41;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_APIC);
    assert_int_equal(injection.event.type, VIRT_EVENT_EXTERNAL_INTERRUPT);
    assert_int_equal(injection.event.vector, 0x41);
    assert_nothing_asked(&injection);
    assert_true(injection_has_deliverable(&input));
}

static void test_apic_vector_waits_for_if_and_shadow(void **context)
{
    static const struct {
        uint32_t interruptibility;
        bool enabled;
        bool injected;
    } cases[] = {
        {0, true, true},
        {0, false, false},
        {INTERRUPTIBILITY_STI, true, false},
        {INTERRUPTIBILITY_MOV_SS, true, false},
        {INTERRUPTIBILITY_MOV_SS, false, false},
        {INTERRUPTIBILITY_NMI, true, true}, /* NMI blocking is not theirs */
        {INTERRUPTIBILITY_SMI, true, true},
    };

    (void)context;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct injection_input input = quiet();
        struct injection injection;

        input.pending.apic_irr = 0x80;
        input.interrupts_enabled = cases[i].enabled;
        input.interruptibility = cases[i].interruptibility;
        injection = decide(&input);
        assert_int_equal(injection.source, cases[i].injected ? INJECT_APIC : INJECT_NOTHING);
        assert_int_equal(injection.interrupt_window, !cases[i].injected);
        assert_false(injection.nmi_window);
        assert_int_equal(injection.tpr_threshold, 0);
    }
}

/* All request, in-service and task-priority values, against the PPR of SDM vol. 3, 11.8.3.1. */
static void test_priority_classes(void **context)
{
    (void)context;
    for (int irr = -1; irr < 256; irr++) {
        for (int isr = -1; isr < 256; isr += 15) {
            for (unsigned tpr = 0; tpr < 256; tpr += 5) {
                struct injection_input input = quiet();
                struct injection injection;
                unsigned isrv = isr < 0 ? 0 : (unsigned)isr;
                unsigned ppr = (tpr & 0xf0) >= (isrv & 0xf0) ? tpr : isrv & 0xf0;
                bool passes = irr >= 16 && ((unsigned)irr & 0xf0) > (ppr & 0xf0);
                bool only_tpr = irr >= 16 && !passes &&
                                (isr < 0 || ((unsigned)irr & 0xf0) > ((unsigned)isr & 0xf0));

                input.pending = (struct virt_pending_interrupts){
                    .apic_irr = irr, .apic_isr = isr, .tpr = (uint8_t)tpr};
                injection = decide(&input);
                assert_int_equal(injection.source, passes ? INJECT_APIC : INJECT_NOTHING);
                assert_int_equal(injection.tpr_threshold, only_tpr ? irr >> 4 : 0);
                assert_false(injection.interrupt_window);
            }
        }
    }
}

static void test_no_threshold_without_tpr_shadow(void **context)
{
    struct injection_input input = quiet();

    (void)context;
    input.pending = (struct virt_pending_interrupts){.apic_irr = 0x50, .apic_isr = -1, .tpr = 0x60};
    assert_int_equal(decide(&input).tpr_threshold, 5);
    input.tpr_shadow = false;
    assert_int_equal(decide(&input).tpr_threshold, 0);
}

/* The threshold watches the TPR also while IF is 0 or something else is injected. */
static void test_threshold_beside_others(void **context)
{
    struct injection_input input = quiet();

    (void)context;
    input.pending = (struct virt_pending_interrupts){.apic_irr = 0x50, .apic_isr = -1, .tpr = 0x60};
    input.interrupts_enabled = false;
    assert_int_equal(decide(&input).tpr_threshold, 5);
    assert_false(decide(&input).interrupt_window);
    input.nmi_pending = 1;
    assert_int_equal(decide(&input).source, INJECT_NMI);
    assert_int_equal(decide(&input).tpr_threshold, 5);
}

static void test_pic_ignores_priorities(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.pending = (struct virt_pending_interrupts){
        .pic = true, .apic_irr = -1, .apic_isr = 0xf0, .tpr = 0xff};
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_PIC);
    assert_int_equal(injection.event.type, VIRT_EVENT_EXTERNAL_INTERRUPT);
    assert_false(injection.interrupt_window);
    assert_true(injection.decide_again);
    input.interrupts_enabled = false;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_NOTHING);
    assert_true(injection.interrupt_window);
}

static void test_pic_before_apic(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.pending = (struct virt_pending_interrupts){.pic = true, .apic_irr = 0x80, .apic_isr = -1};
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_PIC);
    assert_true(injection.interrupt_window);
    input.pending.apic_isr = 0x90; /* the APIC's is masked: no window for it */
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_PIC);
    assert_false(injection.interrupt_window);
}

static void test_virtual_interrupt_delivery(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.virtual_interrupt_delivery = true;
    input.pending = (struct virt_pending_interrupts){.apic_irr = 0x61, .apic_isr = 0x41};
    for (unsigned enabled = 0; enabled < 2; enabled++) {
        input.interrupts_enabled = enabled;
        injection = decide(&input);
        assert_int_equal(injection.source, INJECT_NOTHING);
        assert_int_equal(injection.rvi, 0x61);
        assert_nothing_asked(&injection);
        assert_int_equal(injection_has_deliverable(&input), enabled);
    }
    input.pending.tpr = 0x70; /* the CPU watches the TPR */
    injection = decide(&input);
    assert_int_equal(injection.tpr_threshold, 0);
    assert_false(injection_has_deliverable(&input));

    input.pending.pic = true;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_PIC);
    assert_int_equal(injection.rvi, 0x61);
    assert_false(injection.interrupt_window);

    input.pending = (struct virt_pending_interrupts){.apic_irr = -1, .apic_isr = -1};
    assert_int_equal(decide(&input).rvi, 0);
}

static void test_halted(void **context)
{
    struct injection_input input = quiet();

    (void)context;
    input.activity = ACTIVITY_HLT;
    assert_false(decide(&input).wake);
    assert_false(injection_has_deliverable(&input));

    input.pending.apic_irr = 0x80;
    assert_true(decide(&input).wake);
    assert_true(injection_has_deliverable(&input));
    input.interrupts_enabled = false;
    assert_false(decide(&input).wake);
    assert_false(injection_has_deliverable(&input));
    input.nmi_pending = 1;
    assert_true(decide(&input).wake);
    assert_true(injection_has_deliverable(&input));

    input = quiet();
    input.activity = ACTIVITY_HLT;
    input.virtual_interrupt_delivery = true;
    input.pending.apic_irr = 0x80;
    assert_int_equal(decide(&input).source, INJECT_NOTHING);
    assert_true(decide(&input).wake);
    input.pending.tpr = 0x80;
    assert_false(decide(&input).wake);
}

static void test_shut_down_wakes_by_nmi_only(void **context)
{
    struct injection_input input = quiet();

    (void)context;
    input.activity = ACTIVITY_SHUTDOWN;
    input.pending.apic_irr = 0x80;
    assert_int_equal(decide(&input).source, INJECT_NOTHING);
    assert_false(decide(&input).wake);
    input.nmi_pending = 1;
    assert_int_equal(decide(&input).source, INJECT_NMI);
    assert_true(decide(&input).wake);
}

static void test_wait_for_sipi_takes_nothing(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.activity = ACTIVITY_WAIT_FOR_SIPI;
    input.pending.apic_irr = 0x80;
    input.pending.pic = true;
    input.nmi_pending = 2;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_NOTHING);
    assert_false(injection.interrupt_window);
    assert_false(injection.nmi_window);
    assert_false(injection.wake);
    assert_true(injection.decide_again);
    assert_false(injection_has_deliverable(&input));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_waits),
        cmocka_unit_test(test_apic_vector),
        cmocka_unit_test(test_apic_vector_waits_for_if_and_shadow),
        cmocka_unit_test(test_priority_classes),
        cmocka_unit_test(test_no_threshold_without_tpr_shadow),
        cmocka_unit_test(test_threshold_beside_others),
        cmocka_unit_test(test_pic_ignores_priorities),
        cmocka_unit_test(test_pic_before_apic),
        cmocka_unit_test(test_virtual_interrupt_delivery),
        cmocka_unit_test(test_halted),
        cmocka_unit_test(test_shut_down_wakes_by_nmi_only),
        cmocka_unit_test(test_wait_for_sipi_takes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
