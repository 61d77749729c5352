/* Exit decoding: every basic reason, every qualification format, and that no field is looked at
 * which the exit does not ask to be read. */
#include "tests/unit/support/cmocka.h"

#include <string.h>

#include "virt/vcpu.h"
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
        assert_int_equal(exit.reason, reason);
        assert_int_equal(exit.instruction_length, length);
        assert_int_equal(exit_needs(reason), reasons[reason].needs);
    }
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

static void test_io(void **context)
{
    static const uint16_t ports[] = {0, 0x20, 0x3f8, 0xcf8, 0xffff};

    (void)context;
    for (unsigned bits = 0; bits < 128; bits++) {
        unsigned size = (bits & 7) + 1;
        bool string = bits & 16;

        if (size != 1 && size != 2 && size != 4) {
            continue;
        }
        for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
            struct vmx_raw_exit raw = {.reason = 30,
                                       .instruction_length = 2,
                                       .qualification = bits | (uint64_t)ports[i] << 16,
                                       .guest_linear = 0xffff800000001000,
                                       .instruction_info = 1u << 7 | 3u << 15};
            struct vm_exit exit = decode(&raw);

            assert_int_equal(exit.kind, VM_EXIT_IO);
            assert_int_equal(exit.io.port, ports[i]);
            assert_int_equal(exit.io.size, size);
            assert_int_equal(exit.io.in, !!(bits & 8));
            assert_int_equal(exit.io.string, string);
            assert_int_equal(exit.io.rep, !!(bits & 32));
            assert_int_equal(exit_needs_more(&raw),
                             string ? NEEDS_LINEAR | NEEDS_INSTRUCTION_INFO : 0);
            assert_int_equal(exit.io.address_size, string ? 4 : 0);
            assert_int_equal(exit.io.linear, string ? 0xffff800000001000 : 0);
        }
    }
}

static void test_string_io_information(void **context)
{
    static const uint8_t sizes[] = {2, 4, 8, 0, 0, 0, 0, 0};
    static const int segments[] = {SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS,
                                   SEGMENT_FS, SEGMENT_GS, -1,         -1};

    (void)context;
    for (uint32_t size = 0; size < 8; size++) {
        for (uint32_t segment = 0; segment < 8; segment++) {
            struct vmx_raw_exit raw = {
                .reason = 30, .qualification = 16, .instruction_info = size << 7 | segment << 15};
            struct vm_exit exit = decode(&raw);

            assert_int_equal(exit.io.address_size, sizes[size]);
            assert_int_equal(exit.io.segment, segments[segment]);
            raw.qualification |= 8; /* INS */
            assert_int_equal(decode(&raw).io.segment, SEGMENT_ES);
            raw.qualification = 0; /* OUT */
            assert_int_equal(decode(&raw).io.segment, -1);
        }
    }
}

static void test_cr_access(void **context)
{
    (void)context;
    for (unsigned number = 0; number < 16; number++) {
        for (unsigned gpr = 0; gpr < 16; gpr++) {
            struct vmx_raw_exit raw = {
                .reason = 28, .instruction_length = 3, .qualification = number | gpr << 8};
            struct vm_exit exit = decode(&raw);

            assert_int_equal(exit.kind, VM_EXIT_CR_ACCESS);
            assert_int_equal(exit.cr.operation, CR_MOV_TO);
            assert_int_equal(exit.cr.number, number);
            assert_int_equal(exit.cr.gpr, gpr);
            assert_false(exit.cr.memory_operand);
            assert_int_equal(exit_needs_more(&raw), 0);
            raw.qualification |= 1u << 4;
            exit = decode(&raw);
            assert_int_equal(exit.cr.operation, CR_MOV_FROM);
            assert_int_equal(exit.cr.number, number);
            assert_int_equal(exit.cr.gpr, gpr);
        }
    }
}

static void test_clts_and_lmsw(void **context)
{
    struct vmx_raw_exit raw = {.reason = 28, .qualification = 2u << 4};
    struct vm_exit exit = decode(&raw);

    (void)context;
    assert_int_equal(exit.cr.operation, CR_CLTS);
    assert_int_equal(exit.cr.number, 0);
    assert_int_equal(exit.cr.lmsw_source, 0);

    raw.qualification = 3u << 4 | UINT64_C(0xfffb) << 16;
    raw.guest_linear = 0x1000;
    exit = decode(&raw);
    assert_int_equal(exit.cr.operation, CR_LMSW);
    assert_int_equal(exit.cr.number, 0);
    assert_int_equal(exit.cr.lmsw_source, 0xfffb);
    assert_false(exit.cr.memory_operand);
    assert_int_equal(exit_needs_more(&raw), 0);

    raw.qualification |= 1u << 6;
    exit = decode(&raw);
    assert_true(exit.cr.memory_operand);
    assert_int_equal(exit.cr.linear, 0x1000);
    assert_int_equal(exit_needs_more(&raw), NEEDS_LINEAR);
}

static void test_mov_dr(void **context)
{
    (void)context;
    for (unsigned number = 0; number < 8; number++) {
        for (unsigned gpr = 0; gpr < 16; gpr++) {
            for (unsigned from = 0; from < 2; from++) {
                struct vmx_raw_exit raw = {.reason = 29,
                                           .qualification = number | from << 4 | gpr << 8};
                struct vm_exit exit = decode(&raw);

                assert_int_equal(exit.kind, VM_EXIT_DR_ACCESS);
                assert_int_equal(exit.dr.number, number);
                assert_int_equal(exit.dr.from_dr, from);
                assert_int_equal(exit.dr.gpr, gpr);
            }
        }
    }
}

static void test_ept_violation(void **context)
{
    (void)context;
    for (unsigned bits = 0; bits < 512; bits++) {
        struct vmx_raw_exit raw = {.reason = 48,
                                   .qualification = bits,
                                   .guest_linear = 0xffff888000001234,
                                   .guest_physical = 0xfec00010,
                                   .instruction_length = 9};
        struct vm_exit exit = decode(&raw);
        bool linear = bits & 0x80;

        assert_int_equal(exit.kind, VM_EXIT_MEMORY);
        assert_int_equal(exit.memory.guest_phys, 0xfec00010);
        assert_int_equal(exit.memory.read, !!(bits & 1));
        assert_int_equal(exit.memory.write, !!(bits & 2));
        assert_int_equal(exit.memory.fetch, !!(bits & 4));
        assert_int_equal(exit.memory.linear_valid, linear);
        assert_int_equal(exit.memory.guest_linear, linear ? 0xffff888000001234 : 0);
        assert_int_equal(exit.memory.page_walk, linear && !(bits & 0x100));
        assert_false(exit.memory.misconfigured);
        /* The length is not defined here (28.2.5). */
        assert_int_equal(exit.instruction_length, 0);
        assert_int_equal(exit_needs_more(&raw), linear ? NEEDS_LINEAR : 0);
    }
}

static void test_ept_misconfiguration(void **context)
{
    struct vmx_raw_exit raw = {.reason = 49,
                               .qualification = UINT64_MAX,
                               .guest_linear = 1,
                               .guest_physical = 0x123456000};
    struct vm_exit exit = decode(&raw);

    (void)context;
    assert_int_equal(exit.kind, VM_EXIT_MEMORY);
    assert_true(exit.memory.misconfigured);
    assert_int_equal(exit.memory.guest_phys, 0x123456000);
    assert_false(exit.memory.linear_valid);
    assert_false(exit.memory.read || exit.memory.write || exit.memory.fetch);
}

static void test_apic_access(void **context)
{
    static const int types[16] = {[0] = APIC_ACCESS_LINEAR_READ,
                                  [1] = APIC_ACCESS_LINEAR_WRITE,
                                  [2] = APIC_ACCESS_LINEAR_FETCH,
                                  [3] = APIC_ACCESS_LINEAR_EVENT,
                                  [4] = -1,
                                  [5] = -1,
                                  [6] = -1,
                                  [7] = -1,
                                  [8] = -1,
                                  [9] = -1,
                                  [10] = APIC_ACCESS_PHYSICAL_EVENT,
                                  [11] = -1,
                                  [12] = -1,
                                  [13] = -1,
                                  [14] = -1,
                                  [15] = APIC_ACCESS_PHYSICAL_INSTRUCTION};

    (void)context;
    for (unsigned type = 0; type < 16; type++) {
        struct vmx_raw_exit raw = {.reason = 44, .qualification = 0x3b0 | type << 12};
        struct vm_exit exit = decode(&raw);

        if (types[type] < 0) {
            assert_int_equal(exit.kind, VM_EXIT_INTERNAL_ERROR);
            assert_int_equal(exit.internal_error.qualification, raw.qualification);
            continue;
        }
        assert_int_equal(exit.kind, VM_EXIT_APIC_ACCESS);
        assert_int_equal(exit.apic_access.access, types[type]);
        assert_int_equal(exit.apic_access.offset, type < 4 ? 0x3b0 : 0);
    }
}

static void test_small_qualifications(void **context)
{
    struct vmx_raw_exit raw = {.reason = 56, .qualification = 0x300};

    (void)context;
    assert_int_equal(decode(&raw).apic_write.offset, 0x300);
    raw = (struct vmx_raw_exit){.reason = 45, .qualification = 0xef};
    assert_int_equal(decode(&raw).apic_eoi.vector, 0xef);
    raw = (struct vmx_raw_exit){.reason = 4, .qualification = 0x9a};
    assert_int_equal(decode(&raw).sipi.vector, 0x9a);
    raw = (struct vmx_raw_exit){.reason = 14, .qualification = 0xffffffff81000000};
    assert_int_equal(decode(&raw).invlpg.linear, 0xffffffff81000000);
}

static void test_task_switch(void **context)
{
    static const enum task_switch_source sources[] = {TASK_SWITCH_CALL, TASK_SWITCH_IRET,
                                                      TASK_SWITCH_JMP, TASK_SWITCH_TASK_GATE};

    (void)context;
    for (uint64_t source = 0; source < 4; source++) {
        /* INT 0x30 met a task gate. */
        struct vmx_raw_exit raw = {.reason = 9,
                                   .instruction_length = 2,
                                   .qualification = 0x1238 | source << 30,
                                   .idt_vectoring_info =
                                       source == 3 ? 0x80000000u | 4u << 8 | 0x30 : 0};
        struct vm_exit exit = decode(&raw);

        assert_int_equal(exit.kind, VM_EXIT_TASK_SWITCH);
        assert_int_equal(exit.task_switch.selector, 0x1238);
        assert_int_equal(exit.task_switch.source, sources[source]);
        assert_int_equal(exit.task_switch.during.type,
                         source == 3 ? VIRT_EVENT_SOFTWARE_INTERRUPT : VIRT_EVENT_NONE);
        assert_int_equal(exit.task_switch.during.vector, source == 3 ? 0x30 : 0);
        assert_int_equal(exit.instruction_length, 2);
    }
}

/* A fault met the task gate: the exit belongs to no instruction. */
static void test_task_switch_by_fault(void **context)
{
    struct vmx_raw_exit raw = {.reason = 9,
                               .instruction_length = 5,
                               .qualification = 0x40 | UINT64_C(3) << 30,
                               .idt_vectoring_info = 0x80000000u | 3u << 8 | 1u << 11 | 13,
                               .idt_vectoring_error = 0x18};
    struct vm_exit exit = decode(&raw);

    (void)context;
    assert_int_equal(exit.task_switch.during.type, VIRT_EVENT_HARDWARE_EXCEPTION);
    assert_int_equal(exit.task_switch.during.vector, 13);
    assert_true(exit.task_switch.during.has_error_code);
    assert_int_equal(exit.task_switch.during.error_code, 0x18);
    assert_int_equal(exit.instruction_length, 0);
    assert_int_equal(exit_needs_more(&raw), NEEDS_IDT_VECTORING_ERROR);
}

static void test_exceptions(void **context)
{
    static const int types[8] = {[0] = -1, /* external interrupts are reason 1 */
                                 [1] = -1,
                                 [2] = -1, /* NMI: below */
                                 [3] = VIRT_EVENT_HARDWARE_EXCEPTION,
                                 [4] = -1,
                                 [5] = VIRT_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION,
                                 [6] = VIRT_EVENT_SOFTWARE_EXCEPTION,
                                 [7] = -1};

    (void)context;
    for (uint32_t type = 0; type < 8; type++) {
        for (uint32_t vector = 0; vector < 32; vector++) {
            for (uint32_t error = 0; error < 2; error++) {
                struct vmx_raw_exit raw = {.instruction_length = 1,
                                           .interruption_info =
                                               0x80000000u | error << 11 | type << 8 | vector,
                                           .interruption_error = 0x17,
                                           .qualification = 0xdeadbeef000};
                struct vm_exit exit = decode(&raw);
                bool software = type == 5 || type == 6;
                unsigned more = (error ? NEEDS_INTERRUPTION_ERROR : 0) |
                                (software || type == 4 ? NEEDS_LENGTH : 0);

                assert_int_equal(exit_needs_more(&raw), more);
                if (type == 2) {
                    assert_int_equal(exit.kind, VM_EXIT_NMI);
                    continue;
                }
                if (types[type] < 0) {
                    assert_int_equal(exit.kind, VM_EXIT_INTERNAL_ERROR);
                    continue;
                }
                assert_int_equal(exit.kind, VM_EXIT_EXCEPTION);
                assert_int_equal(exit.exception.event.type, types[type]);
                assert_int_equal(exit.exception.event.vector, vector);
                assert_int_equal(exit.exception.event.has_error_code, error);
                assert_int_equal(exit.exception.event.error_code, error ? 0x17 : 0);
                assert_int_equal(exit.exception.event.instruction_length, software ? 1 : 0);
                assert_int_equal(exit.instruction_length, software ? 1 : 0);
                assert_int_equal(exit.exception.qualification, 0xdeadbeef000);
                assert_false(exit.exception.nmi_unblocking);
            }
        }
    }
}

static void test_nmi_unblocking(void **context)
{
    struct vmx_raw_exit raw = {.interruption_info = 0x80000000u | 1u << 12 | 3u << 8 | 14};

    (void)context;
    assert_true(decode(&raw).exception.nmi_unblocking);
    assert_true(exit_unblocked_nmi(&raw));
    raw.interruption_info = 0x80000000u | 1u << 12 | 3u << 8 | 8; /* #DF: undefined */
    assert_false(exit_unblocked_nmi(&raw));
    raw.interruption_info = 0x80000000u | 1u << 12 | 3u << 8 | 13;
    raw.idt_vectoring_info = 0x80000000u | 3u << 8 | 14; /* during delivery: undefined */
    assert_false(exit_unblocked_nmi(&raw));

    raw = (struct vmx_raw_exit){.reason = 48, .qualification = 1u << 12};
    assert_true(exit_unblocked_nmi(&raw));
    raw.qualification = 0;
    assert_false(exit_unblocked_nmi(&raw));
    raw = (struct vmx_raw_exit){.reason = 44, .qualification = 1u << 12}; /* an access type there */
    assert_false(exit_unblocked_nmi(&raw));
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

static const struct {
    uint32_t number;
    enum virt_event_type type;
    bool instruction;
} event_types[] = {
    {0, VIRT_EVENT_EXTERNAL_INTERRUPT, false},           {2, VIRT_EVENT_NMI, false},
    {3, VIRT_EVENT_HARDWARE_EXCEPTION, false},           {4, VIRT_EVENT_SOFTWARE_INTERRUPT, true},
    {5, VIRT_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, true}, {6, VIRT_EVENT_SOFTWARE_EXCEPTION, true},
};

static void test_events_both_ways(void **context)
{
    (void)context;
    for (unsigned i = 0; i < sizeof(event_types) / sizeof(event_types[0]); i++) {
        for (uint32_t vector = 0; vector < 256; vector++) {
            for (uint32_t has_error = 0; has_error < 2; has_error++) {
                uint32_t raw = 0x80000000u | has_error << 11 | event_types[i].number << 8 | vector;
                unsigned expected_length = event_types[i].instruction ? 2 : 0;
                struct virt_event event;
                uint32_t info, error, length;

                assert_true(decode_idt_vectoring(raw, 0x55aa, 2, &event));
                assert_int_equal(event.type, event_types[i].type);
                assert_int_equal(event.vector, vector);
                assert_int_equal(event.has_error_code, has_error);
                assert_int_equal(event.error_code, has_error ? 0x55aa : 0);
                assert_int_equal(event.instruction_length, expected_length);

                encode_event(&event, &info, &error, &length);
                assert_int_equal(info, raw);
                assert_int_equal(error, has_error ? 0x55aa : 0);
                assert_int_equal(length, expected_length);
            }
        }
    }
}

static void test_no_event(void **context)
{
    static const uint32_t none[] = {0, 0x7fffffff, 0x80000000u | 1u << 8, 0x80000000u | 7u << 8};
    struct virt_event event;
    uint32_t info = 1, error = 1, length = 1;

    (void)context;
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        memset(&event, 0xff, sizeof(event));
        assert_false(decode_idt_vectoring(none[i], 1, 1, &event));
        assert_int_equal(event.type, VIRT_EVENT_NONE);
    }
    encode_event(&event, &info, &error, &length);
    assert_int_equal(info | error | length, 0);
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
        cmocka_unit_test(test_unknown_reasons),
        cmocka_unit_test(test_bits_above_the_reason),
        cmocka_unit_test(test_only_needed_fields_are_used),
        cmocka_unit_test(test_io),
        cmocka_unit_test(test_string_io_information),
        cmocka_unit_test(test_cr_access),
        cmocka_unit_test(test_clts_and_lmsw),
        cmocka_unit_test(test_mov_dr),
        cmocka_unit_test(test_ept_violation),
        cmocka_unit_test(test_ept_misconfiguration),
        cmocka_unit_test(test_apic_access),
        cmocka_unit_test(test_small_qualifications),
        cmocka_unit_test(test_task_switch),
        cmocka_unit_test(test_task_switch_by_fault),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_nmi_unblocking),
        cmocka_unit_test(test_entry_failures),
        cmocka_unit_test(test_events_both_ways),
        cmocka_unit_test(test_no_event),
        cmocka_unit_test(test_kind_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
