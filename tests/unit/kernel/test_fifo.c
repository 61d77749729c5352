/* First come, first served; slices only when others wait. */
#include "kernel/fifo.h"

#include "tests/unit/support/cmocka.h"

static void test_order(void **state)
{
    struct fifo_entry entries[3];
    struct fifo fifo = {0};

    (void)state;
    assert_null(fifo_take(&fifo));
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3; i++) {
            fifo_add(&fifo, &entries[i]);
        }
        assert_ptr_equal(fifo_take(&fifo), &entries[0]);
        fifo_add(&fifo, &entries[0]);
        assert_ptr_equal(fifo_take(&fifo), &entries[1]);
        assert_ptr_equal(fifo_take(&fifo), &entries[2]);
        assert_ptr_equal(fifo_take(&fifo), &entries[0]);
        assert_null(fifo_take(&fifo));
        assert_true(fifo_empty(&fifo));
    }
}

static void test_slice(void **state)
{
    struct fifo_entry entry;
    struct fifo fifo = {0};

    (void)state;
    assert_int_equal(fifo_slice_end(&fifo, 5), UINT64_MAX);
    fifo_add(&fifo, &entry);
    assert_int_equal(fifo_slice_end(&fifo, 5), 5 + FIFO_SLICE_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_slice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
