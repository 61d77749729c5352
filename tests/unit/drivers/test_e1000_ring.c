/* The e1000's descriptor rings, with the test in the part of the chip. */
#include <string.h>

#include "drivers/e1000_ring.h"
#include "tests/unit/support/cmocka.h"

#define COUNT    8u
#define PHYSICAL UINT64_C(0x100000000)

static struct e1000_receive_descriptor receive_descriptors[COUNT];
static struct e1000_send_descriptor send_descriptors[COUNT];
static uint8_t buffers[COUNT][E1000_BUFFER_SIZE];
static struct e1000_receive_ring receive;
static struct e1000_send_ring send;
static uint32_t chip; /* the descriptor which the chip uses next */

static int setup(void **state)
{
    (void)state;
    memset(receive_descriptors, 0xff, sizeof(receive_descriptors));
    memset(send_descriptors, 0xff, sizeof(send_descriptors));
    receive = (struct e1000_receive_ring){
        .descriptors = receive_descriptors, .buffers = buffers[0], .count = COUNT};
    send = (struct e1000_send_ring){
        .descriptors = send_descriptors, .buffers = buffers[0], .count = COUNT};
    e1000_receive_ring_init(&receive, PHYSICAL);
    e1000_send_ring_init(&send, PHYSICAL);
    chip = 0;
    return 0;
}

/* A frame comes; false if the chip has no descriptor for it. */
static bool arrive(uint8_t byte, uint16_t length, uint8_t status, uint8_t errors)
{
    struct e1000_receive_descriptor *descriptor = &receive_descriptors[chip];
    uint32_t buffer = (uint32_t)((descriptor->address - PHYSICAL) / E1000_BUFFER_SIZE);

    if (chip == e1000_receive_tail(&receive)) {
        return false;
    }
    memset(buffers[buffer], byte, length);
    descriptor->length = length;
    descriptor->errors = errors;
    descriptor->status = status;
    chip = (chip + 1) % COUNT;
    return true;
}

static void take(uint8_t byte, size_t wanted)
{
    size_t length = 0;
    const uint8_t *frame = e1000_ring_receive(&receive, &length);

    assert_non_null(frame);
    assert_int_equal(length, wanted);
    assert_int_equal(frame[0], byte);
    assert_int_equal(frame[length - 1], byte);
    e1000_ring_receive_done(&receive);
}

static void receives_in_order_round_and_round(void **state)
{
    size_t length;

    (void)state;
    assert_null(e1000_ring_receive(&receive, &length));
    for (unsigned i = 0; i < 5 * COUNT; i++) {
        assert_true(arrive((uint8_t)i, (uint16_t)(60 + i), 3, 0));
        assert_true(arrive((uint8_t)(i + 100), 1514, 3, 0));
        take((uint8_t)i, 60 + i);
        take((uint8_t)(i + 100), 1514);
        assert_null(e1000_ring_receive(&receive, &length));
    }
}

static void a_full_ring_holds_the_chip_back(void **state)
{
    unsigned arrived = 0;

    (void)state;
    while (arrive((uint8_t)arrived, 60, 3, 0)) {
        arrived++;
    }
    assert_int_equal(arrived, COUNT - 1);
    take(0, 60);
    assert_true(arrive(77, 60, 3, 0));
    assert_false(arrive(78, 60, 3, 0));
    for (unsigned i = 1; i < arrived; i++) {
        take((uint8_t)i, 60);
    }
    take(77, 60);
}

static void a_frame_is_looked_at_as_often_as_one_likes(void **state)
{
    size_t length;
    const void *frame;

    (void)state;
    arrive(1, 60, 3, 0);
    frame = e1000_ring_receive(&receive, &length);
    assert_ptr_equal(e1000_ring_receive(&receive, &length), frame);
    take(1, 60);
}

static void damaged_frames_are_counted_and_passed_over(void **state)
{
    size_t length;

    (void)state;
    arrive(1, 60, 3, 0x01);                  /* check sum */
    arrive(2, 1000, 1, 0);                   /* goes on in the next descriptor */
    arrive(3, E1000_BUFFER_SIZE, 3, 0x80);   /* data error */
    receive_descriptors[chip].length = 4000; /* more than there is room for */
    receive_descriptors[chip].status = 3;
    chip++;
    arrive(4, 60, 3, 0);
    take(4, 60);
    assert_int_equal(receive.damaged, 4);
    assert_null(e1000_ring_receive(&receive, &length));
    assert_int_equal(e1000_receive_tail(&receive), 4);
}

/* The chip sends one; false if there is nothing to send. */
static bool transmit(uint8_t byte, uint16_t length)
{
    struct e1000_send_descriptor *descriptor = &send_descriptors[chip];
    uint32_t buffer = (uint32_t)((descriptor->address - PHYSICAL) / E1000_BUFFER_SIZE);

    if (chip == send.tail) {
        return false;
    }
    assert_int_equal(descriptor->status, 0);
    assert_int_equal(descriptor->command, 0x0b);
    assert_int_equal(descriptor->length, length);
    assert_int_equal(buffers[buffer][0], byte);
    descriptor->status = 1;
    chip = (chip + 1) % COUNT;
    return true;
}

static bool put(uint8_t byte, uint16_t length)
{
    uint8_t *buffer = e1000_ring_send_buffer(&send);

    if (!buffer) {
        return false;
    }
    memset(buffer, byte, length);
    e1000_ring_send(&send, length);
    return true;
}

static void sends_in_order_round_and_round(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5 * COUNT; i++) {
        assert_true(put((uint8_t)i, 60));
        assert_true(put((uint8_t)(i + 1), 1514));
        assert_true(transmit((uint8_t)i, 60));
        assert_true(transmit((uint8_t)(i + 1), 1514));
        assert_false(transmit(0, 0));
    }
}

static void a_full_ring_takes_no_more(void **state)
{
    unsigned sent = 0;

    (void)state;
    while (put((uint8_t)sent, 60)) {
        sent++;
    }
    assert_int_equal(sent, COUNT - 1);
    assert_false(put(99, 60));
    transmit(0, 60);
    assert_true(put(77, 61));
    assert_false(put(99, 60));
    for (unsigned i = 1; i < sent; i++) {
        assert_true(transmit((uint8_t)i, 60));
    }
    assert_true(transmit(77, 61));
    assert_false(transmit(0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(receives_in_order_round_and_round, setup),
        cmocka_unit_test_setup(a_full_ring_holds_the_chip_back, setup),
        cmocka_unit_test_setup(a_frame_is_looked_at_as_often_as_one_likes, setup),
        cmocka_unit_test_setup(damaged_frames_are_counted_and_passed_over, setup),
        cmocka_unit_test_setup(sends_in_order_round_and_round, setup),
        cmocka_unit_test_setup(a_full_ring_takes_no_more, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
