#include "guest/devices/misc_ports.h"

#include "tests/unit/devices/actions.h"
#include "tests/unit/support/cmocka.h"

static struct misc_ports ports;
static struct test_vm vm;

static int set_up(void **state)
{
    struct vm_actions actions = test_vm_actions(&vm);

    (void)state;
    misc_ports_init(&ports, &actions);
    return 0;
}

static void port_92_resets_on_the_rising_edge_only(void **state)
{
    (void)state;
    assert_int_equal(system_control_read(&ports, 0, 1), 0x02);
    system_control_write(&ports, 0, 1, 0x02);
    assert_int_equal(vm.resets, 0);
    system_control_write(&ports, 0, 1, 0x03);
    assert_int_equal(vm.resets, 1);
    system_control_write(&ports, 0, 1, 0x03);
    assert_int_equal(vm.resets, 1);
    system_control_write(&ports, 0, 1, 0x00);
    assert_int_equal(system_control_read(&ports, 0, 1), 0x00);
    system_control_write(&ports, 0, 1, 0x01);
    assert_int_equal(vm.resets, 2);
}

static void port_cf9_resets_when_bit_2_rises(void **state)
{
    (void)state;
    reset_control_write(&ports, 0, 1, 0x02);
    assert_int_equal(vm.resets, 0);
    assert_int_equal(reset_control_read(&ports, 0, 1), 0x02);
    reset_control_write(&ports, 0, 1, 0x06);
    assert_int_equal(vm.resets, 1);
    reset_control_write(&ports, 0, 1, 0xff);
    assert_int_equal(vm.resets, 1);
    assert_int_equal(reset_control_read(&ports, 0, 1), 0x0e);
    misc_ports_reset(&ports);
    reset_control_write(&ports, 0, 1, RESET_CONTROL_RESET); /* what the FADT tells guests to do */
    assert_int_equal(vm.resets, 2);
}

static void post_codes_are_swallowed(void **state)
{
    (void)state;
    post_code_write(&ports, 0, 1, 0x42);
    assert_int_equal(post_code_read(&ports, 0, 1), 0x42);
    assert_int_equal(vm.resets + vm.power_offs + vm.debug_exits + vm.output_count, 0);
}

static void debug_console_passes_bytes_on(void **state)
{
    (void)state;
    assert_int_equal(debug_console_read(&ports, 0, 1), 0xe9);
    debug_console_write(&ports, 0, 1, 'h');
    debug_console_write(&ports, 0, 1, 0x1ff00 | 'i');
    assert_int_equal(vm.output_count, 2);
    assert_memory_equal(vm.output, "hi", 2);
}

static void debug_exit_takes_all_sizes(void **state)
{
    (void)state;
    debug_exit_write(&ports, 0, 1, 0x11223344);
    assert_int_equal(vm.exit_value, 0x44);
    debug_exit_write(&ports, 0, 2, 0x11223344);
    assert_int_equal(vm.exit_value, 0x3344);
    debug_exit_write(&ports, 0, 4, 0x11223344);
    assert_int_equal(vm.exit_value, 0x11223344);
    assert_int_equal(vm.debug_exits, 3);
    assert_int_equal(debug_exit_read(&ports, 0, 2), 0xffff);
}

static void other_sizes_do_nothing(void **state)
{
    static const port_read_fn reads[] = {system_control_read, reset_control_read, post_code_read,
                                         debug_console_read};
    static const port_write_fn writes[] = {system_control_write, reset_control_write,
                                           post_code_write, debug_console_write};
    struct misc_ports before = ports;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(reads[i](&ports, 0, 2), 0xffff);
        assert_int_equal(reads[i](&ports, 0, 4), 0xffffffff);
        writes[i](&ports, 0, 2, 0xffff);
        writes[i](&ports, 0, 4, 0xffffffff);
    }
    assert_memory_equal(&ports, &before, sizeof(ports));
    assert_int_equal(vm.resets + vm.output_count, 0);
}

static void a_vm_may_leave_actions_out(void **state)
{
    const struct vm_actions none = {0};

    (void)state;
    misc_ports_init(&ports, &none);
    system_control_write(&ports, 0, 1, 0x01);
    reset_control_write(&ports, 0, 1, 0x06);
    debug_console_write(&ports, 0, 1, 'x');
    debug_exit_write(&ports, 0, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(port_92_resets_on_the_rising_edge_only, set_up),
        cmocka_unit_test_setup(port_cf9_resets_when_bit_2_rises, set_up),
        cmocka_unit_test_setup(post_codes_are_swallowed, set_up),
        cmocka_unit_test_setup(debug_console_passes_bytes_on, set_up),
        cmocka_unit_test_setup(debug_exit_takes_all_sizes, set_up),
        cmocka_unit_test_setup(other_sizes_do_nothing, set_up),
        cmocka_unit_test_setup(a_vm_may_leave_actions_out, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
