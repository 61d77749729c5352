/* Options on a command line. */
#include <string.h>

#include "kernel/boot/boot_info.h"
#include "kernel/cmdline.h"
#include "tests/unit/support/cmocka.h"

static struct boot_info info;

const struct boot_info *boot_info(void)
{
    return &info;
}

static void assert_value(const char *cmdline, const char *key, const char *expected)
{
    char value[16];

    memset(value, 'z', sizeof(value));
    if (!expected) {
        assert_false(cmdline_option(cmdline, key, value, sizeof(value)));
        return;
    }
    assert_true(cmdline_option(cmdline, key, value, sizeof(value)));
    assert_string_equal(value, expected);
}

static void test_finds(void **state)
{
    (void)state;
    assert_value("on-stop=poweroff", "on-stop", "poweroff");
    assert_value("  a  on-stop=poweroff b", "on-stop", "poweroff");
    assert_value("quiet\ton-stop", "quiet", "");
    assert_value("quiet on-stop", "on-stop", "");
    assert_value("key=", "key", "");
    assert_value("key=a=b", "key", "a=b");
    assert_value("key=1 key=2", "key", "2");
    assert_value("key=\"a b\" c", "key", "a b");
    assert_value("x \"key=a b\" y", "key", "a b");
    assert_value("key=a\\ b\\\"c\\\\ y", "key", "a b\"c\\");
    assert_value("key=a\\", "key", "a\\");
    assert_value("key=\"open end", "key", "open end");
}

static void test_does_not_find(void **state)
{
    (void)state;
    assert_value("", "key", NULL);
    assert_value("   ", "key", NULL);
    assert_value("keys=1 akey=2 ke", "key", NULL);
    assert_value("other=\"x key=1\"", "key", NULL);
}

static void test_cuts(void **state)
{
    char value[4] = "zzz";

    (void)state;
    assert_value("key=0123456789abcdefghij", "key", "0123456789abcde");
    assert_true(cmdline_option("key=abc", "key", value, 1));
    assert_memory_equal(value, "\0zz", 4);
}

static void test_several(void **state)
{
    const char *at = "  user=1 x user=\"2 3\" users=4 user \"user=5 6\"";
    static const char *const expected[] = {"1", "2 3", "", "5 6"};
    char value[16];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_true(cmdline_next(&at, "user", value, sizeof(value)));
        assert_string_equal(value, expected[i]);
    }
    assert_false(cmdline_next(&at, "user", value, sizeof(value)));
    assert_false(cmdline_next(&at, "user", value, sizeof(value)));
}

static void test_boot_option(void **state)
{
    char value[8];

    (void)state;
    info.cmdline = "a=1 b=2";
    assert_true(boot_option("b", value, sizeof(value)));
    assert_string_equal(value, "2");
    assert_false(boot_option("c", value, sizeof(value)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),       cmocka_unit_test(test_does_not_find),
        cmocka_unit_test(test_cuts),        cmocka_unit_test(test_several),
        cmocka_unit_test(test_boot_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
