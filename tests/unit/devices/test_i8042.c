#include "guest/devices/i8042.h"

#include "tests/unit/devices/actions.h"
#include "tests/unit/devices/line.h"
#include "tests/unit/support/cmocka.h"

#define OUTPUT_FULL 0x01u
#define SYSTEM      0x04u
#define COMMAND     0x08u
#define AUXILIARY   0x20u
#define TIMEOUT     0x40u

static struct i8042 controller;
static struct test_vm vm;
static struct test_line keyboard;
static struct test_line mouse;

static int set_up(void **state)
{
    struct vm_actions actions = test_vm_actions(&vm);
    struct irq_line keyboard_irq = test_line_connect(&keyboard);
    struct irq_line mouse_irq = test_line_connect(&mouse);

    (void)state;
    i8042_init(&controller, &actions, &keyboard_irq, &mouse_irq);
    return 0;
}

static uint32_t status(void)
{
    return i8042_status_read(&controller, 0, 1);
}

static uint32_t data(void)
{
    return i8042_data_read(&controller, 0, 1);
}

static void command(uint8_t byte)
{
    i8042_command_write(&controller, 0, 1, byte);
}

static void write_data(uint8_t byte)
{
    i8042_data_write(&controller, 0, 1, byte);
}

static uint32_t answer_to(uint8_t byte)
{
    command(byte);
    assert_true(status() & OUTPUT_FULL);
    return data();
}

static void self_test_passes(void **state)
{
    (void)state;
    assert_int_equal(status(), 0x14); /* not locked, tested by firmware */
    assert_int_equal(answer_to(0x20), 0x74);
    assert_int_equal(answer_to(0xaa), 0x55);
    assert_int_equal(answer_to(0x20), 0x74);
    assert_false(status() & OUTPUT_FULL);
    assert_true(status() & SYSTEM);
    assert_int_equal(answer_to(0xab), 0x00);
    assert_int_equal(answer_to(0xa9), 0x00);
    assert_int_equal(answer_to(0xc0), 0x80);
}

static void command_byte_and_ram_are_kept(void **state)
{
    (void)state;
    assert_int_equal(answer_to(0x20) & 0x03, 0); /* interrupts are off at first */
    command(0x60);
    assert_true(status() & COMMAND);
    write_data(0x47);
    assert_false(status() & COMMAND);
    assert_int_equal(answer_to(0x20), 0x47);
    command(0x7f);
    write_data(0x99);
    assert_int_equal(answer_to(0x3f), 0x99);
    assert_int_equal(answer_to(0x20), 0x47);
    /* The interfaces' switches are bits of it. */
    command(0xa7);
    command(0xad);
    assert_int_equal(answer_to(0x20), 0x77);
    command(0xa8);
    assert_int_equal(answer_to(0x20), 0x57);
    command(0xae);
    assert_int_equal(answer_to(0x20), 0x47);
    /* So is the system flag. */
    command(0x60);
    write_data(0x00);
    assert_false(status() & SYSTEM);
    command(0xaa);
    assert_int_equal(data(), 0x55);
    assert_true(status() & SYSTEM);
}

static void absent_devices_time_out(void **state)
{
    (void)state;
    command(0x60);
    write_data(0x54);
    write_data(0xff); /* reset, for a keyboard */
    assert_int_equal(status() & (OUTPUT_FULL | AUXILIARY | TIMEOUT), OUTPUT_FULL | TIMEOUT);
    assert_int_equal(data(), 0xfe);
    assert_int_equal(status() & (OUTPUT_FULL | TIMEOUT), 0);
    assert_int_equal(answer_to(0x20), 0x44); /* the interface was opened for it */
    command(0xd4);
    write_data(0xff); /* reset, for a mouse */
    assert_int_equal(status() & (OUTPUT_FULL | AUXILIARY | TIMEOUT),
                     OUTPUT_FULL | AUXILIARY | TIMEOUT);
    assert_int_equal(data(), 0xfe);
    assert_int_equal(status() & (OUTPUT_FULL | AUXILIARY | TIMEOUT), 0);
}

static void loops_show_where_a_byte_came_from(void **state)
{
    (void)state;
    command(0xd2);
    write_data(0x12);
    assert_int_equal(status() & (OUTPUT_FULL | AUXILIARY), OUTPUT_FULL);
    assert_int_equal(data(), 0x12);
    command(0xd3);
    write_data(0x34);
    assert_int_equal(status() & (OUTPUT_FULL | AUXILIARY), OUTPUT_FULL | AUXILIARY);
    assert_int_equal(data(), 0x34);
}

static void interrupts_follow_the_command_byte(void **state)
{
    (void)state;
    command(0xd2);
    write_data(0x12);
    assert_false(keyboard.level);
    command(0x60);
    write_data(0x03);
    assert_true(keyboard.level);
    assert_false(mouse.level);
    command(0xd3); /* overwrites what was not read */
    write_data(0x34);
    assert_false(keyboard.level);
    assert_true(mouse.level);
    command(0xd3);
    write_data(0x35);
    assert_int_equal(mouse.rises, 2); /* an edge per byte */
    assert_int_equal(data(), 0x35);
    assert_false(mouse.level);
    assert_int_equal(keyboard.rises, 1);
}

static void reset_by_pulse_and_by_output_port(void **state)
{
    (void)state;
    command(0xff); /* pulses nothing */
    command(0xf1);
    assert_int_equal(vm.resets, 0);
    command(0xfe);
    assert_int_equal(vm.resets, 1);
    command(0xf0);
    assert_int_equal(vm.resets, 2);
    command(0xd1);
    write_data(0xdf); /* A20 on, no reset */
    assert_int_equal(vm.resets, 2);
    assert_int_equal(answer_to(0xd0) & 0x33, 0x03);
    command(0xd1);
    write_data(0xdd);
    assert_int_equal(answer_to(0xd0) & 0x02, 0x00);
    command(0xd1);
    write_data(0xfe);
    assert_int_equal(vm.resets, 3);
}

static void output_port_shows_full_buffers(void **state)
{
    (void)state;
    assert_int_equal(answer_to(0xd0), 0x03);
    command(0xd1);
    write_data(0xff);
    assert_int_equal(answer_to(0xd0), 0xcf);
    command(0xd2);
    write_data(1);
    assert_int_equal(answer_to(0xd0) & 0x30, 0x10);
    command(0xd3);
    write_data(1);
    assert_int_equal(answer_to(0xd0) & 0x30, 0x20);
}

static void a_command_drops_the_one_that_waits(void **state)
{
    (void)state;
    command(0xd1);
    command(0xaa);
    assert_int_equal(data(), 0x55);
    write_data(0x00); /* for the keyboard, not the output port */
    assert_int_equal(vm.resets, 0);
    assert_int_equal(data(), 0xfe);
    for (unsigned i = 0; i < 4; i++) { /* no such commands */
        static const uint8_t unknown[] = {0x1f, 0x40, 0x80, 0x99};

        command(unknown[i]);
        assert_false(status() & OUTPUT_FULL);
        write_data(0x00); /* so this is the keyboard's again */
        assert_int_equal(data(), 0xfe);
    }
}

static void other_sizes_do_nothing(void **state)
{
    (void)state;
    i8042_command_write(&controller, 0, 2, 0xfe);
    i8042_command_write(&controller, 0, 4, 0xaa);
    i8042_data_write(&controller, 0, 4, 0xff);
    assert_int_equal(vm.resets, 0);
    assert_false(status() & OUTPUT_FULL);
    command(0xaa);
    assert_int_equal(i8042_data_read(&controller, 0, 2), 0xffff);
    assert_int_equal(i8042_status_read(&controller, 0, 4), 0xffffffff);
    assert_int_equal(data(), 0x55);
}

static void reset_lowers_the_lines(void **state)
{
    (void)state;
    command(0x60);
    write_data(0x03);
    command(0xd2);
    write_data(1);
    assert_true(keyboard.level);
    i8042_reset(&controller);
    assert_false(keyboard.level);
    assert_false(status() & OUTPUT_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(self_test_passes, set_up),
        cmocka_unit_test_setup(command_byte_and_ram_are_kept, set_up),
        cmocka_unit_test_setup(absent_devices_time_out, set_up),
        cmocka_unit_test_setup(loops_show_where_a_byte_came_from, set_up),
        cmocka_unit_test_setup(interrupts_follow_the_command_byte, set_up),
        cmocka_unit_test_setup(reset_by_pulse_and_by_output_port, set_up),
        cmocka_unit_test_setup(output_port_shows_full_buffers, set_up),
        cmocka_unit_test_setup(a_command_drops_the_one_that_waits, set_up),
        cmocka_unit_test_setup(other_sizes_do_nothing, set_up),
        cmocka_unit_test_setup(reset_lowers_the_lines, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
