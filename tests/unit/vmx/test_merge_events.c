/* What becomes of an exception that strikes while another is being delivered. */
#include "tests/unit/support/cmocka.h"

#include "vmx/inject.h"

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
            assert_int_equal(first.type, second.type);
            assert_int_equal(first.vector, second.vector);
            assert_true(first.has_error_code);
            assert_int_equal(first.error_code, second.error_code);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_with_other_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
