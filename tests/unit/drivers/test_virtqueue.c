/* The split virtqueue, with a device that these tests are. */
#include <stdlib.h>
#include <string.h>

#include "drivers/virtqueue.h"
#include "tests/unit/support/cmocka.h"

#define SIZE 8u

struct setup {
    struct virtqueue queue;
    void *memory;
    uint16_t looked_at; /* by the device, of what is available */
};

static int set_up(void **state)
{
    struct setup *setup = calloc(1, sizeof(*setup));

    setup->memory = aligned_alloc(16, (virtqueue_bytes(SIZE) + 15) / 16 * 16);
    memset(setup->memory, 0xff, virtqueue_bytes(SIZE));
    virtqueue_init(&setup->queue, setup->memory, SIZE);
    *state = setup;
    return 0;
}

static int tear_down(void **state)
{
    struct setup *setup = *state;

    free(setup->memory);
    free(setup);
    return 0;
}

/* The device takes the next descriptor, -1 if there is none. */
static int device_takes(struct setup *setup)
{
    if (setup->looked_at == setup->queue.available->index) {
        return -1;
    }
    return setup->queue.available->ring[setup->looked_at++ % SIZE];
}

static void device_gives(struct setup *setup, uint32_t id, uint32_t length)
{
    struct virtqueue_used *used = setup->queue.used;

    used->ring[used->index % SIZE] = (struct virtqueue_used_element){.id = id, .length = length};
    used->index++;
}

/* Section 2.6: sizes and alignments of the parts. */
static void layout(void **state)
{
    (void)state;
    assert_int_equal(virtqueue_available_offset(256), 4096);
    assert_int_equal(virtqueue_used_offset(256), 4096 + 6 + 512 + 2); /* a multiple of 4 */
    assert_int_equal(virtqueue_bytes(256), 4096 + 520 + 6 + 2048);
    for (uint16_t size = 1; size <= VIRTQUEUE_SIZE_MAX; size = (uint16_t)(size * 2)) {
        assert_int_equal(virtqueue_used_offset(size) % 4, 0);
        assert_true(virtqueue_used_offset(size) >=
                    virtqueue_available_offset(size) + 6 + 2 * (size_t)size);
    }
}

static void there_and_back(void **state)
{
    struct setup *setup = *state;
    struct virtqueue *queue = &setup->queue;
    uint16_t descriptor;
    uint32_t length;

    assert_false(virtqueue_take(queue, &descriptor, &length));
    virtqueue_describe(queue, 3, 0x123456789a, 2048, VIRTQUEUE_DEVICE_WRITES);
    assert_int_equal(queue->descriptors[3].address, 0x123456789a);
    assert_int_equal(queue->descriptors[3].length, 2048);
    assert_int_equal(queue->descriptors[3].flags, VIRTQUEUE_DEVICE_WRITES);
    assert_int_equal(device_takes(setup), -1);
    assert_true(virtqueue_give(queue, 3));
    assert_true(virtqueue_give(queue, 5));
    assert_int_equal(device_takes(setup), 3);
    assert_int_equal(device_takes(setup), 5);
    assert_int_equal(device_takes(setup), -1);
    assert_false(virtqueue_take(queue, &descriptor, &length));
    device_gives(setup, 5, 100); /* in an order of its own */
    assert_true(virtqueue_take(queue, &descriptor, &length));
    assert_int_equal(descriptor, 5);
    assert_int_equal(length, 100);
    assert_false(virtqueue_take(queue, &descriptor, &length));
    device_gives(setup, 3, 0);
    assert_true(virtqueue_take(queue, &descriptor, &length));
    assert_int_equal(descriptor, 3);
    assert_int_equal(queue->with_it, 0);
    assert_int_equal(queue->nonsense, 0);
}

/* The indices count on past 65535. */
static void many(void **state)
{
    struct setup *setup = *state;
    uint16_t descriptor;
    uint32_t length;

    for (uint32_t i = 0; i < 200000; i++) {
        (void)virtqueue_give(&setup->queue, (uint16_t)(i % SIZE));
        assert_int_equal(device_takes(setup), i % SIZE);
        device_gives(setup, i % SIZE, i);
        assert_true(virtqueue_take(&setup->queue, &descriptor, &length));
        assert_int_equal(descriptor, i % SIZE);
        assert_int_equal(length, i);
        assert_int_equal(setup->queue.seen, setup->queue.used->index);
    }
}

static void asking(void **state)
{
    struct setup *setup = *state;
    struct virtqueue *queue = &setup->queue;

    assert_false(virtqueue_listen(queue, true));
    assert_int_equal(queue->available->flags, 0);
    assert_false(virtqueue_listen(queue, false));
    assert_int_equal(queue->available->flags, VIRTQUEUE_NO_INTERRUPT);
    queue->used->flags = VIRTQUEUE_NO_NOTIFY;
    assert_false(virtqueue_give(queue, 0));
    queue->used->flags = 0;
    assert_true(virtqueue_give(queue, 1));
    device_gives(setup, 0, 1);
    assert_true(virtqueue_listen(queue, true)); /* it may have been before it was asked */
}

/* A device that says what cannot be is passed over. */
static void nonsense(void **state)
{
    struct setup *setup = *state;
    struct virtqueue *queue = &setup->queue;
    uint16_t descriptor;
    uint32_t length;

    (void)virtqueue_give(queue, 0);
    device_gives(setup, SIZE, 1);
    device_gives(setup, UINT32_MAX, 1);
    device_gives(setup, 0, 7);
    device_gives(setup, 1, 8); /* it has none any more */
    assert_true(virtqueue_take(queue, &descriptor, &length));
    assert_int_equal(descriptor, 0);
    assert_int_equal(length, 7);
    assert_false(virtqueue_take(queue, &descriptor, &length));
    assert_int_equal(queue->nonsense, 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test_setup_teardown(there_and_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
