/* The buddy allocator on a small made-up memory, against a model that knows each frame's owner. */
#include <stdlib.h>
#include <string.h>

#include "kernel/memory/buddy.h"
#include "tests/unit/support/cmocka.h"

#define FRAMES 1024u
#define NONE   UINT64_MAX

static uint8_t *memory;
static uint8_t state_bytes[FRAMES];
static struct buddy buddy;

static int set_up(void **state)
{
    (void)state;
    memory = aligned_alloc(FRAME_SIZE, (size_t)FRAMES * FRAME_SIZE);
    assert_non_null(memory);
    memset(state_bytes, 0, sizeof(state_bytes));
    buddy_init(&buddy, state_bytes, FRAMES, memory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void test_adding_makes_the_largest_blocks(void **state)
{
    (void)state;
    /* 1 to 1023: every order from 0 to 9 and back down. */
    buddy_add(&buddy, FRAME_SIZE, (FRAMES - 1) * FRAME_SIZE);
    assert_int_equal(buddy.total, FRAMES - 2);
    assert_int_equal(buddy.free, FRAMES - 2);
    assert_int_equal(buddy_alloc(&buddy, 9), NONE);
    assert_int_equal(buddy_alloc(&buddy, 8) / FRAME_SIZE % 256, 0);
    assert_int_equal(buddy_alloc(&buddy, 8) / FRAME_SIZE % 256, 0);
    assert_int_equal(buddy_alloc(&buddy, 8), NONE);
    assert_int_equal(buddy.free, FRAMES - 2 - 512);
}

static void test_partial_frames_stay_out(void **state)
{
    (void)state;
    buddy_add(&buddy, 1, 2 * FRAME_SIZE);
    assert_int_equal(buddy.total, 1);
    assert_int_equal(buddy_alloc(&buddy, 0), FRAME_SIZE);
    assert_int_equal(buddy_alloc(&buddy, 0), NONE);
    buddy_add(&buddy, 3 * FRAME_SIZE, 4 * FRAME_SIZE - 1);
    assert_int_equal(buddy.total, 1);
}

static void test_beyond_the_state_is_left_alone(void **state)
{
    (void)state;
    buddy_add(&buddy, (FRAMES - 4) * (uint64_t)FRAME_SIZE, (FRAMES + 4) * (uint64_t)FRAME_SIZE);
    assert_int_equal(buddy.total, 4);
}

static void test_neighbours_join_over_calls(void **state)
{
    (void)state;
    buddy_add(&buddy, 0, 100 * FRAME_SIZE);
    buddy_add(&buddy, 100 * FRAME_SIZE, FRAMES * (uint64_t)FRAME_SIZE);
    assert_int_equal(buddy_alloc(&buddy, 10), 0);
    assert_int_equal(buddy.free, 0);
}

static void test_impossible_orders(void **state)
{
    (void)state;
    buddy_add(&buddy, 0, FRAMES * (uint64_t)FRAME_SIZE);
    assert_int_equal(buddy_alloc(&buddy, 11), NONE);
    assert_int_equal(buddy_alloc(&buddy, FRAME_MAX_ORDER + 1), NONE);
    assert_int_equal(buddy_alloc(&buddy, 64), NONE);
}

/* Blocks never overlap, are aligned, stay inside, and the count of free frames is always right. */
static void test_random(void **state)
{
    static uint8_t owner[FRAMES]; /* 1: handed out */
    static struct {
        uint64_t address;
        unsigned order;
    } blocks[FRAMES];
    unsigned count = 0;
    uint64_t taken = 0;

    (void)state;
    memset(owner, 0, sizeof(owner));
    buddy_add(&buddy, 3 * FRAME_SIZE, 700 * FRAME_SIZE);
    buddy_add(&buddy, 701 * FRAME_SIZE, (FRAMES - 5) * FRAME_SIZE);
    srand(2);
    for (unsigned step = 0; step < 20000; step++) {
        if (rand() % 5 < (step / 2000 % 2 == 0 ? 3 : 2)) {
            unsigned order = (unsigned)rand() % 6;
            uint64_t address = buddy_alloc(&buddy, order);
            uint64_t first = address / FRAME_SIZE;

            if (address == NONE) {
                continue;
            }
            assert_int_equal(first % (1u << order), 0);
            assert_int_equal(buddy_order(&buddy, address), order);
            for (uint64_t i = first; i < first + (1u << order); i++) {
                assert_in_range(i, 3, FRAMES - 6);
                assert_int_not_equal(i, 700);
                assert_int_equal(owner[i], 0);
                owner[i] = 1;
            }
            /* The allocator keeps nothing in a block that was handed out. */
            memset(memory + address, 0xff, (size_t)FRAME_SIZE << order);
            blocks[count].address = address;
            blocks[count].order = order;
            count++;
            taken += 1u << order;
        } else if (count > 0) {
            unsigned which = (unsigned)rand() % count;

            memset(owner + blocks[which].address / FRAME_SIZE, 0, 1u << blocks[which].order);
            buddy_free(&buddy, blocks[which].address, blocks[which].order);
            taken -= 1u << blocks[which].order;
            blocks[which] = blocks[--count];
        }
        assert_int_equal(buddy.free, buddy.total - taken);
    }
    while (count > 0) {
        count--;
        buddy_free(&buddy, blocks[count].address, blocks[count].order);
    }
    /* All joined again: the largest aligned blocks are back. */
    assert_int_equal(buddy.free, buddy.total);
    assert_int_equal(buddy_alloc(&buddy, 8), 256 * FRAME_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_adding_makes_the_largest_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_partial_frames_stay_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_beyond_the_state_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_neighbours_join_over_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_impossible_orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
