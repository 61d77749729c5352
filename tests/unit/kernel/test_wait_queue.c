/* First come, first served. */
#include "kernel/wait_queue.h"

#include <stdint.h>

#include "tests/unit/support/cmocka.h"

/* Threads are told apart by where they are, and never looked into. */
static struct thread *thread(uintptr_t number)
{
    return (struct thread *)(number * 16);
}

static void nobody_waits_at_first(void **state)
{
    struct wait_queue queue = {0};

    (void)state;
    assert_null(wait_queue_take(&queue));
}

static void the_first_comes_out_first(void **state)
{
    struct wait_queue queue = {0};
    struct waiter waiters[5];

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        waiters[i].thread = thread(i + 1);
        wait_queue_add(&queue, &waiters[i]);
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_ptr_equal(wait_queue_take(&queue), thread(i + 1));
    }
    assert_null(wait_queue_take(&queue));
}

static void one_that_comes_while_others_leave_waits_behind_them(void **state)
{
    struct wait_queue queue = {0};
    struct waiter waiters[3] = {{thread(1), NULL}, {thread(2), NULL}, {thread(3), NULL}};

    (void)state;
    wait_queue_add(&queue, &waiters[0]);
    wait_queue_add(&queue, &waiters[1]);
    assert_ptr_equal(wait_queue_take(&queue), thread(1));
    wait_queue_add(&queue, &waiters[2]);
    assert_ptr_equal(wait_queue_take(&queue), thread(2));
    assert_ptr_equal(wait_queue_take(&queue), thread(3));
    wait_queue_add(&queue, &waiters[0]); /* after it was empty */
    assert_ptr_equal(wait_queue_take(&queue), thread(1));
    assert_null(wait_queue_take(&queue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_waits_at_first),
        cmocka_unit_test(the_first_comes_out_first),
        cmocka_unit_test(one_that_comes_while_others_leave_waits_behind_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
