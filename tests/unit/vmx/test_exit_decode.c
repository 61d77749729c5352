/* Exit decoding: every basic reason, and that no field is looked at which the exit does not ask to
 * be read. */
#include "tests/unit/support/cmocka.h"

#include <string.h>

#include "vmx/decode.h"

#define Q NEEDS_QUALIFICATION
#define L NEEDS_LENGTH
#define I NEEDS_INTERRUPTION
#define V (NEEDS_IDT_VECTORING | NEEDS_MORE)
#define P NEEDS_PHYSICAL
#define M NEEDS_MORE

/* By number, from SDM vol. 3, appendix C; not from the names under test. */
static const struct {
    enum vm_exit_kind kind;
    unsigned needs;
} reasons[] = {
    /*  0 */ {VM_EXIT_INTERNAL_ERROR,
              Q | I | V}, /* with zero information: see the exception tests */
    /*  1 */ {VM_EXIT_INTERRUPTED, I},
    /*  2 */ {VM_EXIT_SHUTDOWN, 0},
    /*  3 */ {VM_EXIT_INIT, 0},
    /*  4 */ {VM_EXIT_SIPI, Q},
    /*  5 */ {VM_EXIT_INTERNAL_ERROR, Q},
    /*  6 */ {VM_EXIT_INTERNAL_ERROR, Q},
    /*  7 */ {VM_EXIT_INTERRUPT_WINDOW, 0},
    /*  8 */ {VM_EXIT_NMI_WINDOW, 0},
    /*  9 */ {VM_EXIT_TASK_SWITCH, Q | L | V},
    /* 10 */ {VM_EXIT_CPUID, L},
    /* 11 */ {VM_EXIT_UNDEFINED, 0}, /* GETSEC */
    /* 12 */ {VM_EXIT_HLT, L},
    /* 13 */ {VM_EXIT_INVD, L},
    /* 14 */ {VM_EXIT_INVLPG, Q | L},
    /* 15 */ {VM_EXIT_RDPMC, L},
    /* 16 */ {VM_EXIT_RDTSC, L},
    /* 17 */ {VM_EXIT_INTERNAL_ERROR, Q}, /* RSM */
    /* 18 */ {VM_EXIT_HYPERCALL, L},
    /* 19 */ {VM_EXIT_UNDEFINED, 0}, /* VMCLEAR */
    /* 20 */ {VM_EXIT_UNDEFINED, 0}, /* VMLAUNCH */
    /* 21 */ {VM_EXIT_UNDEFINED, 0}, /* VMPTRLD */
    /* 22 */ {VM_EXIT_UNDEFINED, 0}, /* VMPTRST */
    /* 23 */ {VM_EXIT_UNDEFINED, 0}, /* VMREAD */
    /* 24 */ {VM_EXIT_UNDEFINED, 0}, /* VMRESUME */
    /* 25 */ {VM_EXIT_UNDEFINED, 0}, /* VMWRITE */
    /* 26 */ {VM_EXIT_UNDEFINED, 0}, /* VMXOFF */
    /* 27 */ {VM_EXIT_UNDEFINED, 0}, /* VMXON */
    /* 28 */ {VM_EXIT_CR_ACCESS, Q | L | M},
    /* 29 */ {VM_EXIT_DR_ACCESS, Q | L},
    /* 30 */ {VM_EXIT_IO, Q | L | M},
    /* 31 */ {VM_EXIT_MSR_READ, L},
    /* 32 */ {VM_EXIT_MSR_WRITE, L},
    /* 33 */ {VM_EXIT_INTERNAL_ERROR, Q}, /* entry failures come with bit 31 */
    /* 34 */ {VM_EXIT_INTERNAL_ERROR, Q},
    /* 35 */ {VM_EXIT_INTERNAL_ERROR, Q},
    /* 36 */ {VM_EXIT_MWAIT, L},
    /* 37 */ {VM_EXIT_INTERNAL_ERROR, Q}, /* monitor trap flag */
    /* 38 */ {VM_EXIT_INTERNAL_ERROR, Q},
    /* 39 */ {VM_EXIT_MONITOR, L},
    /* 40 */ {VM_EXIT_PAUSE, L},
    /* 41 */ {VM_EXIT_INTERNAL_ERROR, Q},
    /* 42 */ {VM_EXIT_INTERNAL_ERROR, Q},
    /* 43 */ {VM_EXIT_TPR_BELOW_THRESHOLD, 0},
    /* 44 */ {VM_EXIT_APIC_ACCESS, Q | V},
    /* 45 */ {VM_EXIT_APIC_EOI, Q},
    /* 46 */ {VM_EXIT_DESCRIPTOR_TABLE, L},
    /* 47 */ {VM_EXIT_DESCRIPTOR_TABLE, L},
    /* 48 */ {VM_EXIT_MEMORY, Q | P | V},
    /* 49 */ {VM_EXIT_MEMORY, P | V},
    /* 50 */ {VM_EXIT_UNDEFINED, 0}, /* INVEPT */
    /* 51 */ {VM_EXIT_RDTSCP, L},
    /* 52 */ {VM_EXIT_INTERRUPTED, 0},
    /* 53 */ {VM_EXIT_UNDEFINED, 0}, /* INVVPID */
    /* 54 */ {VM_EXIT_WBINVD, L},
    /* 55 */ {VM_EXIT_XSETBV, L},
    /* 56 */ {VM_EXIT_APIC_WRITE, Q},
    /* 57 */ {VM_EXIT_RDRAND, L},
    /* 58 */ {VM_EXIT_INVPCID, L},
    /* 59 */ {VM_EXIT_UNDEFINED, 0}, /* VMFUNC */
    /* 60 */ {VM_EXIT_UNDEFINED, 0}, /* ENCLS */
    /* 61 */ {VM_EXIT_RDSEED, L},
    /* 62 */ {VM_EXIT_INTERNAL_ERROR, Q | V}, /* PML full */
    /* 63 */ {VM_EXIT_XSAVES, L},
    /* 64 */ {VM_EXIT_XRSTORS, L},
    /* 65 */ {VM_EXIT_UNDEFINED, 0},          /* PCONFIG */
    /* 66 */ {VM_EXIT_INTERNAL_ERROR, Q | V}, /* SPP */
    /* 67 */ {VM_EXIT_UNDEFINED, 0},          /* UMWAIT */
    /* 68 */ {VM_EXIT_UNDEFINED, 0},          /* TPAUSE */
    /* 69 */ {VM_EXIT_UNDEFINED, 0},          /* LOADIWKEY */
};

static uint64_t random_state = 88172645463325252u;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static struct vm_exit decode(const struct vmx_raw_exit *raw)
{
    struct vm_exit exit;

    memset(&exit, 0xa5, sizeof(exit));
    decode_exit(raw, &exit);
    return exit;
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

static void assert_same_exit(const struct vm_exit *exit, const struct vm_exit *other)
{
    assert_int_equal(exit->kind, other->kind);
    assert_int_equal(exit->instruction_length, other->instruction_length);
    switch (exit->kind) {
    case VM_EXIT_EXCEPTION:
        assert_same_event(&exit->exception.event, &other->exception.event);
        assert_int_equal(exit->exception.qualification, other->exception.qualification);
        assert_int_equal(exit->exception.nmi_unblocking, other->exception.nmi_unblocking);
        break;
    case VM_EXIT_TASK_SWITCH:
        assert_same_event(&exit->task_switch.during, &other->task_switch.during);
        assert_int_equal(exit->task_switch.selector, other->task_switch.selector);
        assert_int_equal(exit->task_switch.source, other->task_switch.source);
        break;
    default: /* written field by field over the same pattern */
        assert_memory_equal(exit, other, sizeof(*exit));
        break;
    }
}

static void test_every_reason(void **context)
{
    (void)context;
    assert_int_equal(sizeof(reasons) / sizeof(reasons[0]), 70);
    for (uint32_t reason = 0; reason < 70; reason++) {
        struct vmx_raw_exit raw = {.reason = reason, .instruction_length = 7};
        struct vm_exit exit = decode(&raw);
        /* What no instruction's exit can say is 0. */
        unsigned length = reasons[reason].needs & L ? 7 : 0;

        assert_int_equal(exit.kind, reasons[reason].kind);
        assert_int_equal(exit.instruction_length, length);
        assert_int_equal(exit_needs(reason), reasons[reason].needs);
    }
}

/* The short way for exits that are told by reason and length tells the same. */
static void test_plain_exits(void **context)
{
    unsigned plain = 0;

    (void)context;
    for (uint32_t reason = 0; reason < 70; reason++) {
        struct vmx_raw_exit raw = {.reason = reason, .instruction_length = 3};
        struct vm_exit expected = decode(&raw);
        struct vm_exit exit;

        assert_int_equal(exit_is_plain(reason), exit_needs(reason) == NEEDS_LENGTH);
        assert_false(exit_is_plain(reason | 1u << 27)); /* from an enclave: the long way */
        if (!exit_is_plain(reason)) {
            continue;
        }
        memset(&exit, 0xa5, sizeof(exit));
        decode_plain_exit(raw.reason, 3, &exit);
        assert_memory_equal(&exit, &expected, sizeof(exit));
        plain++;
    }
    assert_int_equal(plain, 21);
}

static void test_unknown_reasons(void **context)
{
    static const uint32_t unknown[] = {70, 71, 72, 74, 75, 76, 77, 100, 0x7fff, 0xffff};

    (void)context;
    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        struct vmx_raw_exit raw = {.reason = unknown[i], .qualification = 0x1234567890};
        struct vm_exit exit = decode(&raw);

        assert_int_equal(exit.kind, VM_EXIT_INTERNAL_ERROR);
        assert_int_equal(exit.internal_error.qualification, 0x1234567890);
        assert_int_equal(exit.instruction_length, 0);
        assert_int_equal(exit_needs(unknown[i]), Q);
        assert_int_equal(exit_needs_more(&raw), 0);
    }
}

/* Bits between the basic reason and the entry-failure bit (a bus lock, bit 26) change nothing. */
static void test_bits_above_the_reason(void **context)
{
    struct vmx_raw_exit raw = {.reason = 10 | 1u << 26 | 1u << 27, .instruction_length = 2};

    (void)context;
    assert_int_equal(decode(&raw).kind, VM_EXIT_CPUID);
    assert_int_equal(exit_needs(raw.reason), L);
}

static void poison(struct vmx_raw_exit *raw, unsigned needs, uint64_t garbage)
{
    raw->qualification = needs & NEEDS_QUALIFICATION ? raw->qualification : garbage;
    raw->instruction_length = needs & NEEDS_LENGTH ? raw->instruction_length : (uint32_t)garbage;
    raw->instruction_info =
        needs & NEEDS_INSTRUCTION_INFO ? raw->instruction_info : (uint32_t)garbage;
    raw->interruption_info =
        needs & NEEDS_INTERRUPTION ? raw->interruption_info : (uint32_t)garbage;
    raw->interruption_error =
        needs & NEEDS_INTERRUPTION_ERROR ? raw->interruption_error : (uint32_t)garbage;
    raw->idt_vectoring_info =
        needs & NEEDS_IDT_VECTORING ? raw->idt_vectoring_info : (uint32_t)garbage;
    raw->idt_vectoring_error =
        needs & NEEDS_IDT_VECTORING_ERROR ? raw->idt_vectoring_error : (uint32_t)garbage;
    raw->guest_linear = needs & NEEDS_LINEAR ? raw->guest_linear : garbage;
    raw->guest_physical = needs & NEEDS_PHYSICAL ? raw->guest_physical : garbage;
}

/* For random values of all fields: what is not asked for does not matter. */
static void test_only_needed_fields_are_used(void **context)
{
    (void)context;
    for (unsigned round = 0; round < 200000; round++) {
        struct vmx_raw_exit raw = {
            .reason = (uint32_t)(random_bits() % 75),
            .instruction_length = (uint32_t)(random_bits() & 0xf),
            .instruction_info = (uint32_t)random_bits(),
            .interruption_info = (uint32_t)random_bits(),
            .interruption_error = (uint32_t)random_bits(),
            .idt_vectoring_info = (uint32_t)random_bits(),
            .idt_vectoring_error = (uint32_t)random_bits(),
            .qualification = random_bits(),
            .guest_linear = random_bits(),
            .guest_physical = random_bits(),
        };
        struct vmx_raw_exit first = raw;
        struct vmx_raw_exit second = raw;
        struct virt_event events[2];
        struct vm_exit exits[2];
        unsigned needs;

        if (random_bits() % 8 == 0) {
            raw.reason |= 0x80000000u;
            first.reason = second.reason = raw.reason;
        }
        needs = exit_needs(raw.reason);
        poison(&first, needs, 0);
        poison(&second, needs, UINT64_MAX);
        if (needs & NEEDS_MORE) {
            assert_int_equal(exit_needs_more(&first), exit_needs_more(&second));
            needs |= exit_needs_more(&first);
        } else {
            assert_int_equal(exit_needs_more(&raw), 0);
        }
        first = second = raw;
        poison(&first, needs, 0);
        poison(&second, needs, UINT64_MAX);
        exits[0] = decode(&first);
        exits[1] = decode(&second);
        assert_same_exit(&exits[0], &exits[1]);
        assert_int_equal(exit_unblocked_nmi(&first), exit_unblocked_nmi(&second));
        if (needs & NEEDS_IDT_VECTORING) {
            decode_idt_vectoring(first.idt_vectoring_info, first.idt_vectoring_error,
                                 first.instruction_length, &events[0]);
            decode_idt_vectoring(second.idt_vectoring_info, second.idt_vectoring_error,
                                 second.instruction_length, &events[1]);
            assert_same_event(&events[0], &events[1]);
        }
    }
}

static void test_entry_failures(void **context)
{
    static const struct {
        uint32_t reason;
        uint64_t qualification;
        const char *words;
    } cases[] = {
        {33, 0, "guest state"},  {33, 2, "PDPTEs"},    {33, 3, "NMI"},
        {33, 4, "link pointer"}, {34, 5, "MSR"},       {41, 0, "machine check"},
        {10, 0, "not known"},    {99, 0, "not known"},
    };

    (void)context;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vmx_raw_exit raw = {.reason = 0x80000000u | cases[i].reason,
                                   .qualification = cases[i].qualification,
                                   .instruction_length = 3};
        struct vm_exit exit = decode(&raw);

        assert_int_equal(exit.kind, VM_EXIT_ENTRY_FAILURE);
        assert_int_equal(exit.instruction_length, 0);
        assert_non_null(strstr(exit.entry_failure.rule, cases[i].words));
        assert_int_equal(exit_needs(raw.reason), Q);
    }
}

static void test_kind_names(void **context)
{
    (void)context;
    for (int kind = 0; kind < VM_EXIT_KINDS; kind++) {
        const char *name = vm_exit_kind_name((enum vm_exit_kind)kind);

        assert_non_null(name);
        assert_string_not_equal(name, "unknown");
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (int other = 0; other < kind; other++) {
            assert_string_not_equal(name, vm_exit_kind_name((enum vm_exit_kind)other));
        }
    }
    assert_string_equal(vm_exit_kind_name(VM_EXIT_IO), "io");
    assert_string_equal(vm_exit_kind_name(VM_EXIT_INTERNAL_ERROR), "internal_error");
    assert_string_equal(vm_exit_kind_name(VM_EXIT_KINDS), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reason),
        cmocka_unit_test(test_plain_exits),
        cmocka_unit_test(test_unknown_reasons),
        cmocka_unit_test(test_bits_above_the_reason),
        cmocka_unit_test(test_only_needed_fields_are_used),
        cmocka_unit_test(test_entry_failures),
        cmocka_unit_test(test_kind_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
