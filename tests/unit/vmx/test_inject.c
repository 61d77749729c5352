/* The injection decision: its rules one by one, then properties over random states, and a guest CPU
 * in small that runs under it and must get everything, in time and in order. */
#include "tests/unit/support/cmocka.h"

#include <string.h>

#include "vmx/definitions.h"
#include "vmx/inject.h"

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

/* A running protected-mode guest with interrupts on and nothing pending. */
static struct injection_input quiet(void)
{
    return (struct injection_input){
        .pending = {.apic_irr = -1, .apic_isr = -1},
        .activity = ACTIVITY_ACTIVE,
        .interrupts_enabled = true,
        .protected_mode = true,
        .virtual_nmis = true,
        .tpr_shadow = true,
    };
}

static struct injection decide(const struct injection_input *input)
{
    struct injection injection;

    memset(&injection, 0xa5, sizeof(injection));
    decide_injection(input, &injection);
    return injection;
}

/* Field by field: padding has no value. */
static void assert_same_event(const struct virt_event *event, const struct virt_event *other)
{
    assert_int_equal(event->type, other->type);
    assert_int_equal(event->vector, other->vector);
    assert_int_equal(event->has_error_code, other->has_error_code);
    assert_int_equal(event->error_code, other->error_code);
    assert_int_equal(event->instruction_length, other->instruction_length);
}

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
        bool enabled;
        uint32_t interruptibility;
        bool completed;
        bool injected;
    } cases[] = {
        {true, 0, false, true},
        {false, 0, false, false},
        {true, INTERRUPTIBILITY_STI, false, false},
        {true, INTERRUPTIBILITY_MOV_SS, false, false},
        {true, INTERRUPTIBILITY_STI, true, true},
        {true, INTERRUPTIBILITY_MOV_SS, true, true},
        {false, INTERRUPTIBILITY_MOV_SS, true, false},
        {true, INTERRUPTIBILITY_NMI, false, true}, /* NMI blocking is not theirs */
        {true, INTERRUPTIBILITY_SMI, false, true},
    };

    (void)context;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct injection_input input = quiet();
        struct injection injection;

        input.pending.apic_irr = 0x80;
        input.interrupts_enabled = cases[i].enabled;
        input.interruptibility = cases[i].interruptibility;
        input.instruction_completed = cases[i].completed;
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

static void test_nmi(void **context)
{
    static const struct {
        uint32_t interruptibility;
        bool completed;
        bool injected;
        bool nmi_window;
        bool interrupt_window;
        bool again;
    } cases[] = {
        {0, false, true, false, false, false},
        {INTERRUPTIBILITY_NMI, false, false, true, false, false},
        {INTERRUPTIBILITY_MOV_SS, false, false, true, false, false},
        {INTERRUPTIBILITY_MOV_SS, true, true, false, false, false},
        /* An NMI window could open in the shadow of STI at once. */
        {INTERRUPTIBILITY_STI, false, false, false, true, true},
        {INTERRUPTIBILITY_STI, true, true, false, false, false},
        {INTERRUPTIBILITY_STI | INTERRUPTIBILITY_NMI, false, false, true, false, false},
    };

    (void)context;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned enabled = 0; enabled < 2; enabled++) {
            struct injection_input input = quiet();
            struct injection injection;

            input.nmi_pending = 1;
            input.interrupts_enabled = enabled;
            input.interruptibility = cases[i].interruptibility;
            input.instruction_completed = cases[i].completed;
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

/* SDM vol. 3, table 6-5, cell by cell. */
static void test_merge(void **context)
{
    static const uint8_t benign[] = {1, 3, 4, 5, 6, 7, 16, 17, 18, 19};
    static const uint8_t contributory[] = {0, 10, 11, 12, 13, 21};
    static const uint8_t page_fault[] = {14, 20};
    static const uint8_t double_fault[] = {8};
    static const struct {
        const uint8_t *vectors;
        unsigned count;
    } classes[] = {{benign, sizeof(benign)},
                   {contributory, sizeof(contributory)},
                   {page_fault, sizeof(page_fault)},
                   {double_fault, sizeof(double_fault)}};
    /* s: the second, d: double fault, x: shutdown */
    static const char *const outcomes[] = {"ssss", "sdss", "sdds", "sxxs"};

    (void)context;
    for (unsigned a = 0; a < 4; a++) {
        for (unsigned b = 0; b < 4; b++) {
            for (unsigned i = 0; i < classes[a].count; i++) {
                for (unsigned j = 0; j < classes[b].count; j++) {
                    struct virt_event first = {.type = VIRT_EVENT_HARDWARE_EXCEPTION,
                                               .vector = classes[a].vectors[i]};
                    struct virt_event second = {.type = VIRT_EVENT_HARDWARE_EXCEPTION,
                                                .vector = classes[b].vectors[j],
                                                .has_error_code = true,
                                                .error_code = 0x99};
                    struct virt_event result;
                    bool alive = merge_events(&first, &second, &result);

                    assert_int_equal(alive, outcomes[a][b] != 'x');
                    if (!alive) {
                        continue;
                    }
                    assert_int_equal(result.type, VIRT_EVENT_HARDWARE_EXCEPTION);
                    assert_true(result.has_error_code);
                    if (outcomes[a][b] == 'd') {
                        assert_int_equal(result.vector, 8);
                        assert_int_equal(result.error_code, 0);
                    } else {
                        assert_int_equal(result.vector, second.vector);
                        assert_int_equal(result.error_code, 0x99);
                    }
                }
            }
        }
    }
}

/* What is no hardware exception is benign, whatever its vector. */
static void test_merge_with_other_events(void **context)
{
    static const enum virt_event_type types[] = {
        VIRT_EVENT_NONE,
        VIRT_EVENT_EXTERNAL_INTERRUPT,
        VIRT_EVENT_NMI,
        VIRT_EVENT_SOFTWARE_INTERRUPT,
        VIRT_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION,
        VIRT_EVENT_SOFTWARE_EXCEPTION,
    };
    struct virt_event second = {.type = VIRT_EVENT_HARDWARE_EXCEPTION,
                                .vector = 13,
                                .has_error_code = true,
                                .error_code = 0x10};

    (void)context;
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        for (unsigned vector = 0; vector < 256; vector++) {
            struct virt_event first = {.type = types[i], .vector = (uint8_t)vector};

            assert_true(merge_events(&first, &second, &first)); /* in place */
            assert_same_event(&first, &second);
        }
    }
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
        .instruction_completed = random_below(4) == 0,
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
        bool shadow = (input.interruptibility & 3) && !input.instruction_completed;
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

/*
 * A guest CPU in small. It runs as real ones do: a window exit comes when the guest could take the
 * event, in the shadow of STI too for NMIs; with virtual-interrupt delivery it takes vectors by
 * itself. Decisions are made only when something changed, or when the last one said so.
 */
struct cpu {
    struct injection_input input; /* what the CPU is like; pending is filled for each decision */
    bool irr[256];
    bool isr[256];
    bool pic;
    uint8_t tpr;
    unsigned nmi_pending;
    unsigned depth; /* handlers that run, and what each is */
    bool in_nmi[512];
    bool saved_if[512];

    bool changed; /* decide before the next entry */
    struct injection decision;
    uint8_t rvi;

    unsigned raised;
    unsigned taken;
    unsigned idle_exits; /* exits without an instruction or a delivery between them */
};

static int highest(const bool *vectors)
{
    for (int vector = 255; vector >= 0; vector--) {
        if (vectors[vector]) {
            return vector;
        }
    }
    return -1;
}

static bool cpu_shadow(const struct cpu *cpu)
{
    return cpu->input.interruptibility & 3;
}

static bool cpu_open(const struct cpu *cpu)
{
    return cpu->input.interrupts_enabled && !cpu_shadow(cpu);
}

static bool cpu_above_ppr(const struct cpu *cpu, int vector)
{
    int isr = highest(cpu->isr);

    return vector >= 0 && vector / 16 > cpu->tpr / 16 && (isr < 0 || vector / 16 > isr / 16);
}

static void cpu_deliver(struct cpu *cpu, bool nmi)
{
    assert_true(cpu->depth < 512);
    cpu->in_nmi[cpu->depth] = nmi;
    cpu->saved_if[cpu->depth] = cpu->input.interrupts_enabled;
    cpu->depth++;
    cpu->input.interrupts_enabled = false;
    cpu->input.interruptibility &= INTERRUPTIBILITY_NMI;
    if (nmi) {
        cpu->input.interruptibility |= INTERRUPTIBILITY_NMI;
    }
    cpu->taken++;
    cpu->idle_exits = 0;
}

static void cpu_accept(struct cpu *cpu, int vector)
{
    assert_true(cpu->irr[vector]);
    assert_int_equal(vector, highest(cpu->irr)); /* the highest first */
    assert_true(cpu_above_ppr(cpu, vector));
    assert_true(cpu_open(cpu));
    cpu->irr[vector] = false;
    cpu->isr[vector] = true;
    cpu_deliver(cpu, false);
}

static void cpu_enter(struct cpu *cpu)
{
    struct injection *decision = &cpu->decision;

    if (!cpu->changed && !decision->decide_again) {
        decision->source = INJECT_NOTHING; /* the controls stay as they are */
        return;
    }
    cpu->changed = false;
    cpu->input.nmi_pending = (uint8_t)cpu->nmi_pending;
    cpu->input.pending = (struct virt_pending_interrupts){.pic = cpu->pic,
                                                          .apic_irr = highest(cpu->irr),
                                                          .apic_isr = highest(cpu->isr),
                                                          .tpr = cpu->tpr};
    *decision = decide(&cpu->input);
    cpu->rvi = decision->rvi;
    switch (decision->source) {
    case INJECT_NMI:
        assert_false(cpu_shadow(cpu));
        assert_false(cpu->input.interruptibility & INTERRUPTIBILITY_NMI);
        cpu->nmi_pending--;
        cpu_deliver(cpu, true);
        break;
    case INJECT_PIC:
        assert_true(cpu_open(cpu));
        cpu->pic = false;
        cpu_deliver(cpu, false);
        break;
    case INJECT_APIC:
        cpu_accept(cpu, decision->event.vector);
        break;
    default:
        break;
    }
}

/* Before an instruction: true if the CPU leaves the guest. */
static bool cpu_window(struct cpu *cpu)
{
    bool nmi_open =
        !(cpu->input.interruptibility & (INTERRUPTIBILITY_NMI | INTERRUPTIBILITY_MOV_SS));

    return (cpu->decision.interrupt_window && cpu_open(cpu)) ||
           (cpu->decision.nmi_window && nmi_open);
}

/* What the CPU should have taken before this instruction. */
static void cpu_assert_nothing_late(const struct cpu *cpu)
{
    bool nmi_open = !cpu->input.interruptibility;

    assert_false(cpu_open(cpu) && cpu->pic);
    assert_false(cpu_open(cpu) && cpu_above_ppr(cpu, highest(cpu->irr)));
    /* STI; CLI before an NMI that waited in the shadow: at the next exit at the latest. */
    assert_false(nmi_open && cpu->nmi_pending && !cpu->decision.decide_again);
}

static bool cpu_set_tpr(struct cpu *cpu, uint8_t tpr)
{
    cpu->tpr = tpr;
    if (!cpu->input.tpr_shadow) {
        return true; /* emulated */
    }
    return !cpu->input.virtual_interrupt_delivery && tpr / 16 < cpu->decision.tpr_threshold;
}

/* One instruction; true if it exits with a change. */
static bool cpu_instruction(struct cpu *cpu, unsigned which)
{
    uint32_t shadow = 0;
    bool exits = false;
    int isr;

    switch (which) {
    case 0:
        cpu->input.interrupts_enabled = false;
        break;
    case 1:
        shadow = cpu->input.interrupts_enabled ? 0 : INTERRUPTIBILITY_STI;
        cpu->input.interrupts_enabled = true;
        break;
    case 2:
        /* A second MOV SS in a row need not block. */
        shadow = cpu_shadow(cpu) ? 0 : INTERRUPTIBILITY_MOV_SS;
        break;
    case 3: /* IRET */
        if (cpu->depth) {
            cpu->depth--;
            cpu->input.interrupts_enabled = cpu->saved_if[cpu->depth];
            cpu->input.interruptibility &= ~INTERRUPTIBILITY_NMI;
        }
        break;
    case 4: /* EOI */
        isr = highest(cpu->isr);
        if (isr >= 0) {
            cpu->isr[isr] = false;
            exits = !cpu->input.virtual_interrupt_delivery;
        }
        break;
    case 5:
        exits = cpu_set_tpr(cpu, (uint8_t)random_below(256));
        break;
    case 6:
        exits = cpu_set_tpr(cpu, 0);
        break;
    case 7: /* POPF with IF */
        cpu->input.interrupts_enabled = true;
        break;
    default:
        break;
    }
    cpu->input.interruptibility = (cpu->input.interruptibility & INTERRUPTIBILITY_NMI) | shadow;
    return exits;
}

/* Runs the guest for some instructions or until an exit. */
static void cpu_run(struct cpu *cpu, const unsigned *script, unsigned choices)
{
    cpu_enter(cpu);
    for (unsigned budget = 1 + random_below(8); budget > 0; budget--) {
        if (cpu_window(cpu)) {
            cpu->changed = true;
            cpu->idle_exits++;
            assert_true(cpu->idle_exits < 3); /* no exit, entry, exit, entry, ... */
            return;
        }
        if (cpu->input.virtual_interrupt_delivery && !cpu->decision.interrupt_window &&
            cpu_open(cpu) && cpu_above_ppr(cpu, cpu->rvi ? cpu->rvi : -1)) {
            cpu_accept(cpu, cpu->rvi);
            cpu->rvi = (uint8_t)(highest(cpu->irr) < 0 ? 0 : highest(cpu->irr));
            continue;
        }
        cpu_assert_nothing_late(cpu);
        cpu->idle_exits = 0;
        if (cpu_instruction(cpu, script[random_below(choices)])) {
            cpu->changed = true;
            return;
        }
    }
}

static void cpu_raise(struct cpu *cpu)
{
    int vector = 16 + (int)random_below(240);

    switch (random_below(3)) {
    case 0:
        cpu->raised += !cpu->pic;
        cpu->pic = true;
        break;
    case 1:
        if (cpu->nmi_pending < 2) {
            cpu->raised++;
            cpu->nmi_pending++;
        }
        break;
    default:
        cpu->raised += !cpu->irr[vector];
        cpu->irr[vector] = true;
        break;
    }
    cpu->changed = true;
}

static void test_guest_gets_everything(void **context)
{
    static const unsigned anything[] = {0, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 8};
    static const unsigned handlers_end[] = {1, 3, 4, 6, 7, 8};

    (void)context;
    for (unsigned round = 0; round < 3000; round++) {
        struct cpu cpu = {.input = quiet(), .changed = true};

        cpu.input.tpr_shadow = random_below(3) != 0;
        cpu.input.virtual_interrupt_delivery = cpu.input.tpr_shadow && random_below(2);
        for (unsigned step = 0; step < 200; step++) {
            if (random_below(4) == 0 && cpu.depth < 400) {
                cpu_raise(&cpu);
            }
            cpu_run(&cpu, anything, sizeof(anything) / sizeof(anything[0]));
        }
        for (unsigned step = 0; step < 20000 && (cpu.taken < cpu.raised || cpu.depth); step++) {
            cpu_run(&cpu, handlers_end, sizeof(handlers_end) / sizeof(handlers_end[0]));
        }
        assert_int_equal(cpu.taken, cpu.raised);
        assert_int_equal(highest(cpu.irr), -1);
        assert_int_equal(cpu.nmi_pending, 0);
        assert_false(cpu.pic);
    }
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
        cmocka_unit_test(test_nmi),
        cmocka_unit_test(test_second_nmi_gets_a_window),
        cmocka_unit_test(test_nmi_before_interrupts),
        cmocka_unit_test(test_without_virtual_nmis),
        cmocka_unit_test(test_queued_exception_first),
        cmocka_unit_test(test_no_error_code_in_real_mode),
        cmocka_unit_test(test_queued_software_interrupt_keeps_its_length),
        cmocka_unit_test(test_queued_external_interrupt),
        cmocka_unit_test(test_queued_nmi),
        cmocka_unit_test(test_virtual_interrupt_delivery),
        cmocka_unit_test(test_halted),
        cmocka_unit_test(test_shut_down_wakes_by_nmi_only),
        cmocka_unit_test(test_wait_for_sipi_takes_nothing),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_with_other_events),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_guest_gets_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
