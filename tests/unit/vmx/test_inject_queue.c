/* The injection decision, rule by rule: NMIs and the queued event. */
#include "tests/unit/vmx/injection_helpers.h"

/* Field by field: padding has no value. */
static void assert_same_event(const struct virt_event *event, const struct virt_event *other)
{
    assert_int_equal(event->type, other->type);
    assert_int_equal(event->vector, other->vector);
    assert_int_equal(event->has_error_code, other->has_error_code);
    assert_int_equal(event->error_code, other->error_code);
    assert_int_equal(event->instruction_length, other->instruction_length);
}

static void test_nmi(void **context)
{
    static const struct {
        uint32_t interruptibility;
        bool injected;
        bool nmi_window;
        bool interrupt_window;
        bool again;
    } cases[] = {
        {0, true, false, false, false},
        {INTERRUPTIBILITY_NMI, false, true, false, false},
        {INTERRUPTIBILITY_MOV_SS, false, true, false, false},
        /* An NMI window could open in the shadow of STI at once. */
        {INTERRUPTIBILITY_STI, false, false, true, true},
        {INTERRUPTIBILITY_STI | INTERRUPTIBILITY_NMI, false, true, false, false},
    };

    (void)context;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned enabled = 0; enabled < 2; enabled++) {
            struct injection_input input = quiet();
            struct injection injection;

            input.nmi_pending = 1;
            input.interrupts_enabled = enabled;
            input.interruptibility = cases[i].interruptibility;
            injection = decide(&input);
            assert_int_equal(injection.source, cases[i].injected ? INJECT_NMI : INJECT_NOTHING);
            if (cases[i].injected) {
                assert_int_equal(injection.event.type, VIRT_EVENT_NMI);
                assert_int_equal(injection.event.vector, 2);
                assert_false(injection.event.has_error_code);
            }
            assert_int_equal(injection.nmi_window, cases[i].nmi_window);
            assert_int_equal(injection.interrupt_window, cases[i].interrupt_window);
            assert_int_equal(injection.decide_again, cases[i].again);
            assert_false(injection.clear_nmi_blocking);
        }
    }
}

static void test_second_nmi_gets_a_window(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.nmi_pending = 2;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_NMI);
    assert_true(injection.nmi_window);
}

static void test_nmi_before_interrupts(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.nmi_pending = 1;
    input.pending.apic_irr = 0x80;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_NMI);
    assert_true(injection.interrupt_window);
    input.interruptibility = INTERRUPTIBILITY_NMI; /* a blocked NMI does not hold interrupts back */
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_APIC);
    assert_true(injection.nmi_window);
}

/* Without virtual NMIs the end of an NMI handler is guessed from IF. */
static void test_without_virtual_nmis(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.virtual_nmis = false;
    input.nmi_pending = 1;
    input.interruptibility = INTERRUPTIBILITY_NMI;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_NMI);
    assert_true(injection.clear_nmi_blocking);
    input.interrupts_enabled = false;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_NOTHING);
    assert_true(injection.interrupt_window);
    assert_false(injection.nmi_window);
    input.interruptibility = 0;
    assert_int_equal(decide(&input).source, INJECT_NMI);
}

static void test_queued_exception_first(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.queued = (struct virt_event){.type = VIRT_EVENT_HARDWARE_EXCEPTION,
                                       .vector = 13,
                                       .has_error_code = true,
                                       .error_code = 0x18};
    input.nmi_pending = 1;
    input.pending.apic_irr = 0x80;
    input.pending.pic = true;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_QUEUED);
    assert_same_event(&injection.event, &input.queued);
    assert_true(injection.nmi_window);
    assert_true(injection.interrupt_window);
    /* Its delivery ends a shadow: the NMI's window is behind it. */
    input.interruptibility = INTERRUPTIBILITY_STI;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_QUEUED);
    assert_true(injection.nmi_window);
    assert_false(injection.decide_again);
    /* Neither IF nor a shadow holds an exception back. */
    input.interrupts_enabled = false;
    input.interruptibility = INTERRUPTIBILITY_MOV_SS | INTERRUPTIBILITY_NMI;
    assert_int_equal(decide(&input).source, INJECT_QUEUED);
}

static void test_no_error_code_in_real_mode(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.queued = (struct virt_event){.type = VIRT_EVENT_HARDWARE_EXCEPTION,
                                       .vector = 13,
                                       .has_error_code = true,
                                       .error_code = 0x18};
    input.protected_mode = false;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_QUEUED);
    assert_int_equal(injection.event.vector, 13);
    assert_false(injection.event.has_error_code);
    assert_int_equal(injection.event.error_code, 0);
}

static void test_queued_software_interrupt_keeps_its_length(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.queued = (struct virt_event){
        .type = VIRT_EVENT_SOFTWARE_INTERRUPT, .vector = 0x80, .instruction_length = 2};
    input.interrupts_enabled = false;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_QUEUED);
    assert_int_equal(injection.event.instruction_length, 2);
}

static void test_queued_external_interrupt(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.queued = (struct virt_event){.type = VIRT_EVENT_EXTERNAL_INTERRUPT, .vector = 0x33};
    input.pending = (struct virt_pending_interrupts){.apic_irr = 0x90, .apic_isr = 0x33};
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_QUEUED);
    assert_int_equal(injection.event.vector, 0x33);
    assert_true(injection.interrupt_window);

    /* It cannot go now, and nothing goes past it. */
    input.interrupts_enabled = false;
    input.nmi_pending = 1;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_NOTHING);
    assert_true(injection.interrupt_window);
    assert_true(injection.decide_again);
}

static void test_queued_nmi(void **context)
{
    struct injection_input input = quiet();
    struct injection injection;

    (void)context;
    input.queued = (struct virt_event){.type = VIRT_EVENT_NMI, .vector = 2};
    input.interruptibility = INTERRUPTIBILITY_NMI; /* set by the delivery that was interrupted */
    input.nmi_pending = 1;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_QUEUED);
    assert_true(injection.clear_nmi_blocking);
    assert_true(injection.nmi_window);

    input.interruptibility |= INTERRUPTIBILITY_STI;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_NOTHING);
    assert_true(injection.interrupt_window);
    assert_true(injection.decide_again);

    input.interruptibility = INTERRUPTIBILITY_NMI | INTERRUPTIBILITY_MOV_SS;
    injection = decide(&input);
    assert_int_equal(injection.source, INJECT_NOTHING);
    assert_true(injection.clear_nmi_blocking);
    assert_true(injection.nmi_window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nmi),
        cmocka_unit_test(test_second_nmi_gets_a_window),
        cmocka_unit_test(test_nmi_before_interrupts),
        cmocka_unit_test(test_without_virtual_nmis),
        cmocka_unit_test(test_queued_exception_first),
        cmocka_unit_test(test_no_error_code_in_real_mode),
        cmocka_unit_test(test_queued_software_interrupt_keeps_its_length),
        cmocka_unit_test(test_queued_external_interrupt),
        cmocka_unit_test(test_queued_nmi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
