/* Exit decoding: every format of exit qualifications and interruption information. */
#include "tests/unit/support/cmocka.h"

#include <string.h>

#include "virt/vcpu.h"
#include "vmx/decode.h"

static struct vm_exit decode(const struct vmx_raw_exit *raw)
{
    struct vm_exit exit;

    memset(&exit, 0xa5, sizeof(exit));
    decode_exit(raw, &exit);
    return exit;
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
            struct vm_exit quick;

            /* The short way says the same, and leaves string instructions alone. */
            memset(&quick, 0xa5, sizeof(quick));
            assert_int_equal(decode_port_exit(raw.qualification, 2, &quick), !string);
            if (!string) {
                assert_memory_equal(&quick, &exit, sizeof(exit));
            }
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
        struct vm_exit quick;

        assert_int_equal(exit.kind, VM_EXIT_MEMORY);
        assert_int_equal(exit.memory.guest_phys, 0xfec00010);
        assert_int_equal(exit.memory.access, (bits & 1 ? VIRT_PROT_READ : 0) |
                                                 (bits & 2 ? VIRT_PROT_WRITE : 0) |
                                                 (bits & 4 ? VIRT_PROT_EXEC : 0));
        assert_int_equal(exit.memory.linear_valid, linear);
        assert_int_equal(exit.memory.guest_linear, linear ? 0xffff888000001234 : 0);
        assert_int_equal(exit.memory.page_walk, linear && !(bits & 0x100));
        assert_false(exit.memory.misconfigured);
        /* The length is not defined here (28.2.5). */
        assert_int_equal(exit.instruction_length, 0);
        assert_int_equal(exit_needs_more(&raw), linear ? NEEDS_LINEAR : 0);
        /* The short way says the same, and leaves an IRET that unblocked NMIs alone. */
        memset(&quick, 0xa5, sizeof(quick));
        assert_true(decode_memory_exit(bits, raw.guest_physical, raw.guest_linear, &quick));
        assert_memory_equal(&quick, &exit, sizeof(exit));
        assert_false(decode_memory_exit(bits | 0x1000, 0, 0, &quick));
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
    assert_int_equal(exit.memory.access, 0);
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
        struct vm_exit quick;

        /* The short way says the same of reads and writes. */
        memset(&quick, 0xa5, sizeof(quick));
        assert_int_equal(decode_apic_access_exit(raw.qualification, &quick), type < 2);
        if (type < 2) {
            assert_memory_equal(&quick, &exit, sizeof(exit));
        }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
