#include "guest/devices/acpi_pm.h"

#include "tests/unit/devices/actions.h"
#include "tests/unit/devices/clock.h"
#include "tests/unit/devices/line.h"
#include "tests/unit/support/cmocka.h"

#define TIMER_STATUS 0x0001u
#define GLOBAL       0x0020u
#define POWER_BUTTON 0x0100u
#define RTC          0x0400u
#define SCI_ENABLED  0x0001u
#define SLEEP_ENABLE 0x2000u

#define SECOND UINT64_C(1000000000)

static struct acpi_pm pm;
static struct test_vm vm;
static struct test_line sci;
static struct test_clock test_clock;

static int set_up(void **state)
{
    struct vm_actions actions = test_vm_actions(&vm);
    struct irq_line line = test_line_connect(&sci);

    (void)state;
    test_clock_init(&test_clock);
    acpi_pm_init(&pm, &line, &test_clock.timers, &actions);
    return 0;
}

static uint32_t read16(uint16_t offset)
{
    return acpi_pm_read(&pm, offset, 2);
}

static void write16(uint16_t offset, uint32_t value)
{
    acpi_pm_write(&pm, offset, 2, value);
}

static void timer_counts_at_its_rate(void **state)
{
    (void)state;
    for (uint64_t seconds = 0; seconds < 5000; seconds += 7) {
        uint64_t exact = seconds * ACPI_PM_TIMER_HZ;
        uint32_t difference;

        test_clock.now = seconds * SECOND;
        difference = (uint32_t)exact - acpi_pm_read(&pm, ACPI_PM_TIMER, 4);
        assert_true(difference <= 1);
    }
    test_clock.now = 1000000;
    assert_int_equal(acpi_pm_read(&pm, ACPI_PM_TIMER, 4), 3579);
}

static void timer_can_be_read_in_parts(void **state)
{
    uint32_t whole;

    (void)state;
    test_clock.now = 700 * SECOND;
    whole = acpi_pm_read(&pm, ACPI_PM_TIMER, 4);
    assert_true(whole > 0x01000000);
    for (uint16_t i = 0; i < 4; i++) {
        assert_int_equal(acpi_pm_read(&pm, (uint16_t)(ACPI_PM_TIMER + i), 1),
                         whole >> (8 * i) & 0xff);
    }
    assert_int_equal(acpi_pm_read(&pm, ACPI_PM_TIMER + 2, 2), whole >> 16);
    assert_int_equal(acpi_pm_read(&pm, 6, 4), whole << 16);
    acpi_pm_write(&pm, ACPI_PM_TIMER, 4, 0);
    assert_int_equal(acpi_pm_read(&pm, ACPI_PM_TIMER, 4), whole);
}

static void power_button_raises_the_sci_when_enabled(void **state)
{
    (void)state;
    acpi_pm_press_power_button(&pm);
    assert_int_equal(read16(ACPI_PM1_STATUS), POWER_BUTTON);
    assert_false(sci.level);
    assert_false(acpi_pm_power_button_enabled(&pm));
    write16(ACPI_PM1_ENABLE, POWER_BUTTON);
    assert_true(sci.level);
    assert_true(acpi_pm_power_button_enabled(&pm));
    write16(ACPI_PM1_STATUS, POWER_BUTTON); /* write 1 to clear */
    assert_false(sci.level);
    assert_int_equal(read16(ACPI_PM1_STATUS), 0);
    acpi_pm_press_power_button(&pm);
    assert_true(sci.level);
    assert_int_equal(sci.rises, 2);
    write16(ACPI_PM1_STATUS, TIMER_STATUS | GLOBAL); /* others stay */
    assert_true(sci.level);
    write16(ACPI_PM1_ENABLE, 0);
    assert_false(sci.level);
}

static void enable_register_keeps_what_exists(void **state)
{
    (void)state;
    write16(ACPI_PM1_ENABLE, 0xffff);
    assert_int_equal(read16(ACPI_PM1_ENABLE), TIMER_STATUS | GLOBAL | POWER_BUTTON | RTC);
    acpi_pm_write(&pm, ACPI_PM1_ENABLE + 1, 1, 0);
    assert_int_equal(read16(ACPI_PM1_ENABLE), TIMER_STATUS | GLOBAL);
    assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_ENABLE, 1), TIMER_STATUS | GLOBAL);
}

static void status_and_enable_in_one_access(void **state)
{
    (void)state;
    acpi_pm_press_power_button(&pm);
    acpi_pm_write(&pm, ACPI_PM1_STATUS, 4, POWER_BUTTON | GLOBAL << 16);
    assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_STATUS, 4), GLOBAL << 16);
    acpi_pm_press_power_button(&pm);
    acpi_pm_write(&pm, ACPI_PM1_STATUS + 1, 1, POWER_BUTTON >> 8);
    assert_int_equal(read16(ACPI_PM1_STATUS), 0);
}

static void acpi_mode_is_always_on(void **state)
{
    (void)state;
    assert_int_equal(read16(ACPI_PM1_CONTROL), SCI_ENABLED);
    write16(ACPI_PM1_CONTROL, 0);
    assert_int_equal(read16(ACPI_PM1_CONTROL), SCI_ENABLED);
    write16(ACPI_PM1_CONTROL, 0x1c02);
    assert_int_equal(read16(ACPI_PM1_CONTROL), 0x1c03);
    write16(ACPI_PM1_CONTROL, 0xc3fc); /* GBL_RLS is write-only, the rest reserved */
    assert_int_equal(read16(ACPI_PM1_CONTROL), SCI_ENABLED);
}

static void s5_powers_off_and_nothing_else_does(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < 8; type++) {
        unsigned before = vm.power_offs;

        write16(ACPI_PM1_CONTROL, type << 10);
        assert_int_equal(vm.power_offs, before);
        write16(ACPI_PM1_CONTROL, type << 10 | SLEEP_ENABLE);
        assert_int_equal(vm.power_offs - before, type == ACPI_SLEEP_TYPE_S5);
        assert_int_equal(read16(ACPI_PM1_CONTROL), type << 10 | SCI_ENABLED);
    }
    /* In byte accesses, too. */
    acpi_pm_write(&pm, ACPI_PM1_CONTROL + 1, 1, (ACPI_SLEEP_TYPE_S5 << 10 | SLEEP_ENABLE) >> 8);
    assert_int_equal(vm.power_offs, 2);
    /* A write elsewhere does not do it again. */
    write16(ACPI_PM1_ENABLE, SLEEP_ENABLE);
    assert_int_equal(vm.power_offs, 2);
}

static void timer_status_comes_with_bit_31(void **state)
{
    /* Bit 31 changes every 2^31 ticks. */
    const uint64_t change = (UINT64_C(1) << 31) * SECOND / ACPI_PM_TIMER_HZ;

    (void)state;
    test_clock.now = change - 1000;
    assert_int_equal(read16(ACPI_PM1_STATUS), 0);
    test_clock.now = change + 1000;
    assert_int_equal(read16(ACPI_PM1_STATUS), TIMER_STATUS);
    assert_false(sci.level);
    acpi_pm_press_power_button(&pm);
    assert_int_equal(read16(ACPI_PM1_STATUS), TIMER_STATUS | POWER_BUTTON);
    write16(ACPI_PM1_STATUS, POWER_BUTTON);
    assert_int_equal(read16(ACPI_PM1_STATUS), TIMER_STATUS);
    write16(ACPI_PM1_STATUS, TIMER_STATUS);
    assert_int_equal(read16(ACPI_PM1_STATUS), 0);
    assert_null(test_clock.timers.first); /* nobody is to be told: no timer */
    write16(ACPI_PM1_ENABLE, TIMER_STATUS);
    assert_non_null(test_clock.timers.first);
    for (unsigned i = 2; i < 12; i++) {
        test_clock_run_until(&test_clock, i * change - 1000);
        assert_false(sci.level);
        test_clock_run_until(&test_clock, i * change + 1000);
        assert_true(sci.level);
        assert_null(test_clock.timers.first);
        write16(ACPI_PM1_STATUS, TIMER_STATUS);
        assert_false(sci.level);
    }
    write16(ACPI_PM1_ENABLE, 0);
    assert_null(test_clock.timers.first);
}

static void reserved_ports_are_quiet(void **state)
{
    struct acpi_pm before;

    (void)state;
    before = pm;
    acpi_pm_write(&pm, 6, 2, 0xffff);
    acpi_pm_write(&pm, 12, 4, 0xffffffff);
    assert_memory_equal(&pm, &before, sizeof(pm));
    assert_int_equal(acpi_pm_read(&pm, 6, 2), 0);
    assert_int_equal(acpi_pm_read(&pm, 12, 4), 0);
    assert_int_equal(acpi_pm_read(&pm, 15, 1), 0);
}

static void reset_forgets_all(void **state)
{
    (void)state;
    write16(ACPI_PM1_ENABLE, 0xffff);
    acpi_pm_press_power_button(&pm);
    assert_true(sci.level);
    acpi_pm_reset(&pm);
    assert_false(sci.level);
    assert_int_equal(acpi_pm_read(&pm, 0, 4), 0);
    assert_int_equal(read16(ACPI_PM1_CONTROL), SCI_ENABLED);
    assert_null(test_clock.timers.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timer_counts_at_its_rate, set_up),
        cmocka_unit_test_setup(timer_can_be_read_in_parts, set_up),
        cmocka_unit_test_setup(power_button_raises_the_sci_when_enabled, set_up),
        cmocka_unit_test_setup(enable_register_keeps_what_exists, set_up),
        cmocka_unit_test_setup(status_and_enable_in_one_access, set_up),
        cmocka_unit_test_setup(acpi_mode_is_always_on, set_up),
        cmocka_unit_test_setup(s5_powers_off_and_nothing_else_does, set_up),
        cmocka_unit_test_setup(timer_status_comes_with_bit_31, set_up),
        cmocka_unit_test_setup(reserved_ports_are_quiet, set_up),
        cmocka_unit_test_setup(reset_forgets_all, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
