/* Events to and from the VMCS's interruption information. */
#include "tests/unit/support/cmocka.h"

#include <string.h>

#include "vmx/decode.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_both_ways),
        cmocka_unit_test(test_no_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
