/* manage/fetch/url.c: addresses taken apart, and those that are none. */
#include "manage/fetch/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/cmocka.h"

static struct url url;
static char reason[320];

static int parse(const char *text)
{
    char *copy = strdup(text);
    int error = url_parse(copy, &url, reason, sizeof(reason));

    free(copy);
    return error;
}

static void assert_url(const char *text, const char *host, uint16_t port, const char *path,
                       const char *file)
{
    char name[64];

    assert_int_equal(parse(text), 0);
    assert_string_equal(url.host, host);
    assert_int_equal(url.port, port);
    assert_string_equal(url.path, path);
    url_file_name(&url, name, sizeof(name));
    assert_string_equal(name, file);
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    assert_url("http://h", "h", 80, "/", "h");
    assert_url("http://10.0.2.2:8000/boot/vmlinuz", "10.0.2.2", 8000, "/boot/vmlinuz", "vmlinuz");
    assert_url("http://h.example/a/b/?x=/y#z", "h.example", 80, "/a/b/?x=/y", "h.example");
    assert_url("http://h?x", "h", 80, "/?x", "h");
    assert_url("http://h/i.elf?v=1/2", "h", 80, "/i.elf?v=1/2", "i.elf");
    assert_url("http://[fe80::1]/x", "fe80::1", 80, "/x", "x");
    assert_true(url.ipv6);
    assert_url("http://[::1]:65535/x", "::1", 65535, "/x", "x");
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "h",
        "https://h/",
        "HTTP://h/",
        "http://",
        "http:///x",
        "http://h:/x",
        "http://h:0/",
        "http://h:65536",
        "http://h:8x/",
        "http://[::1",
        "http://[]/x",
        "http://[::1]x/",
        "http://u@h/",
        "http://u:p@h/",
        "http://h/a b",
        "http://h/\r\nx",
        "http://h/\xe4",
    };
    char text[1200] = "http://";

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        reason[0] = '\0';
        assert_int_equal(parse(wrong[i]), -EINVAL);
        assert_true(reason[0] != '\0');
    }
    memset(text + 7, 'h', URL_HOST_SIZE);
    assert_int_equal(parse(text), -EINVAL);
    text[7 + URL_HOST_SIZE - 1] = '/';
    assert_int_equal(parse(text), 0);
    memset(text + 7 + URL_HOST_SIZE, 'p', sizeof(text) - 8 - URL_HOST_SIZE);
    assert_int_equal(parse(text), -EINVAL);
}

static void long_names_are_cut(void **state)
{
    char name[8];

    (void)state;
    assert_int_equal(parse("http://h/0123456789"), 0);
    url_file_name(&url, name, sizeof(name));
    assert_string_equal(name, "0123456");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(long_names_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
