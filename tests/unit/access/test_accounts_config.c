/* Accounts from the kernel's command line and from a file. */
#include <stdio.h>
#include <string.h>

#include "kernel/boot/boot_info.h"
#include "manage/access/accounts.h"
#include "manage/access/accounts_config.h"
#include "tests/unit/support/cmocka.h"

#define ADMIN \
    "$pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODw$9DCO4C5z2NAHsm6f5OwqGqHw8ND08P1c/jkVe0Lc8CA"
#define LOOK "$pbkdf2-sha256$1500$.//..//..//..//.$VIh1xfiBfXwmeGlZZTx/ySr5q2KQPdY21c31NSehres"

/* What the command line's reader refers to besides. */
const struct boot_info *boot_info(void)
{
    return NULL;
}

static char reports[1024];
static unsigned report_count;

static void report(void *context, const char *message)
{
    size_t used = strlen(reports);

    (void)context;
    report_count++;
    snprintf(reports + used, sizeof(reports) - used, "%s\n", message);
}

static int init(void **state)
{
    (void)state;
    accounts_init();
    reports[0] = '\0';
    report_count = 0;
    return 0;
}

static unsigned from_cmdline(const char *cmdline)
{
    return accounts_from_cmdline(cmdline, report, NULL);
}

static unsigned from_file(const char *text)
{
    return accounts_from_file("a.json", text, strlen(text), report, NULL);
}

static void assert_may(const char *name, const char *password, enum access_role expected)
{
    enum access_role role;
    unsigned retry_after;

    assert_int_equal(accounts_check(name, password, "1.2.3.4", 0, &role, &retry_after),
                     ACCESS_GRANTED);
    assert_int_equal(role, expected);
}

static void test_cmdline(void **state)
{
    (void)state;
    assert_int_equal(from_cmdline("net=dhcp user=admin:" ADMIN " x user=look:" LOOK
                                  ":read-only user=two:" LOOK ":administrator"),
                     3);
    assert_string_equal(reports, "");
    assert_may("admin", "secret of the admin", ACCESS_ADMINISTRATOR);
    assert_may("look", "may look", ACCESS_READ_ONLY);
    assert_may("two", "may look", ACCESS_ADMINISTRATOR);
}

static void test_wrong_cmdline(void **state)
{
    (void)state;
    assert_int_equal(from_cmdline("users=x auser=y"), 0);
    assert_int_equal(report_count, 0);
    assert_int_equal(from_cmdline("user=admin user=a:secret user=look:" LOOK
                                  ":writer user=b/c:" LOOK " user=ok:" LOOK " user=ok:" LOOK),
                     1);
    assert_int_equal(report_count, 5);
    assert_non_null(strstr(reports, "user=admin: want NAME:HASH\n"));
    assert_non_null(strstr(reports, "user=a: a password's hash begins"));
    assert_non_null(strstr(reports, "user=look: a role is administrator or read-only\n"));
    assert_non_null(strstr(reports, "user=b/c: a user name has"));
    assert_non_null(strstr(reports, "user=ok: there is an account \"ok\" already"));
    assert_null(strstr(reports, "secret"));
}

static void test_file(void **state)
{
    (void)state;
    assert_int_equal(from_file("{\"accounts\": [\n"
                               " {\"name\": \"admin\", \"password_hash\": \"" ADMIN "\"},\n"
                               " {\"role\": \"read-only\", \"name\": \"look\",\n"
                               "  \"password\": \"in the \\u00f6pen\"},\n"
                               " {\"name\": \"two\", \"password_hash\": \"" LOOK "\",\n"
                               "  \"role\": \"administrator\"}]}"),
                     3);
    assert_string_equal(reports, "");
    assert_may("admin", "secret of the admin", ACCESS_ADMINISTRATOR);
    assert_may("look", "in the \303\266pen", ACCESS_READ_ONLY);
    assert_may("two", "may look", ACCESS_ADMINISTRATOR);
}

static void refused(const char *text, const char *expected)
{
    init(NULL);
    (void)from_file(text);
    if (report_count != 1 || !strstr(reports, expected)) {
        fail_msg("%s: %s", text, reports);
    }
}

static void test_wrong_file(void **state)
{
    (void)state;
    refused("", "a.json:1:1: no JSON: ");
    refused("{\"accounts\": [,]}", "a.json:1:15: no JSON: ");
    refused("[]", "a.json:1:1: the file must be an object");
    refused("{}", "a.json:1:1: the file needs \"accounts\"");
    refused("{\"accounts\": {}}", "a.json:1:14: \"accounts\": '{}' is not a list");
    refused("{\"accounts\": [7]}", "a.json:1:15: an account must be an object");
    refused("{\"accounts\": [\n {\"name\": \"a\"}]}",
            "a.json:2:2: account \"a\" needs either \"password_hash\" or \"password\"");
    refused("{\"accounts\": [{\"password\": \"12345678\"}]}", "an account needs \"name\"");
    refused("{\"accounts\": [{\"name\": \"a\", \"password\": \"12345678\",\n"
            "\"password_hash\": \"" LOOK "\"}]}",
            "a.json:1:15: account \"a\" needs either");
    refused("{\"accounts\": [{\"name\": \"a\", \"password\": \"1234567\"}]}",
            "a.json:1:15: account \"a\": a password has 8 to 127 bytes");
    refused("{\"accounts\": [{\"name\": \"a b\", \"password\": \"12345678\"}]}",
            "account \"a b\": a user name has");
    refused("{\"accounts\": [{\"name\": \"a\",\n\"password_hash\": \"secret\"}]}",
            "a.json:2:18: \"password_hash\": a password's hash begins with");
    refused("{\"accounts\": [{\"name\": \"a\",\n\"role\": \"root\", \"password\": \"12345678\"}]}",
            "a.json:2:9: \"role\": 'root' is neither \"administrator\" nor \"read-only\"");
    refused("{\"accounts\": [{\"name\": \"a\", \"role\": 1, \"password\": \"12345678\"}]}",
            "a.json:1:37: \"role\": '1' is neither");
    refused("{\"accounts\": [{\"name\": \"a\", \"pasword\": \"12345678\"}]}",
            "unknown key \"pasword\"; an account may have: name, password, password_hash, role");
}

/* The others are taken. */
static void test_one_wrong(void **state)
{
    (void)state;
    assert_int_equal(
        from_file("{\"accounts\": [{\"name\": \"a\", \"password\": \"12345678\"}, {},\n"
                  "{\"name\": \"a\", \"password\": \"12345678\"},\n"
                  "{\"name\": \"b\", \"password\": \"12345678\"}]}"),
        2);
    assert_int_equal(report_count, 2);
    assert_may("a", "12345678", ACCESS_ADMINISTRATOR);
    assert_may("b", "12345678", ACCESS_ADMINISTRATOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_cmdline, init),
        cmocka_unit_test_setup(test_wrong_cmdline, init),
        cmocka_unit_test_setup(test_file, init),
        cmocka_unit_test_setup(test_wrong_file, init),
        cmocka_unit_test_setup(test_one_wrong, init),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
