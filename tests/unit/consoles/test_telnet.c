/* The telnet protocol. */
#include <string.h>

#include "manage/consoles/telnet.h"
#include "tests/unit/support/cmocka.h"

static struct telnet telnet;

static int init(void **state)
{
    (void)state;
    telnet_begin(&telnet);
    return 0;
}

/* What the client types by sending these bytes. */
static void typed(const char *sent, size_t length, const char *expected)
{
    char got[256] = "";
    size_t count = 0;

    for (size_t i = 0; i < length; i++) {
        uint8_t byte;

        if (telnet_receive(&telnet, (uint8_t)sent[i], &byte)) {
            got[count++] = (char)byte;
        }
    }
    assert_int_equal(count, strlen(expected));
    assert_string_equal(got, expected);
}

static void answered(const char *expected, size_t length)
{
    assert_int_equal(telnet.answer_length, length);
    assert_memory_equal(telnet.answer, expected, length);
    telnet.answer_length = 0;
}

static void shown(const char *bytes, size_t length, const char *expected, size_t expected_length)
{
    uint8_t out[TELNET_ENCODED_MAX(64)];
    size_t count = telnet_encode(&telnet, (const uint8_t *)bytes, length, out);

    assert_int_equal(count, expected_length);
    assert_memory_equal(out, expected, expected_length);
}

#define TYPED(sent, expected)  typed(sent, sizeof(sent) - 1, expected)
#define ANSWERED(expected)     answered(expected, sizeof(expected) - 1)
#define SHOWN(bytes, expected) shown(bytes, sizeof(bytes) - 1, expected, sizeof(expected) - 1)

#define OFFER      \
    "\xff\xfb\x01" \
    "\xff\xfb\x03" \
    "\xff\xfd\x03" \
    "\xff\xfb\x00" \
    "\xff\xfd\x00"

static void test_offer(void **state)
{
    (void)state;
    ANSWERED(OFFER);
    /* A client that agrees to all hears no more of it. */
    TYPED("\xff\xfd\x01\xff\xfd\x03\xff\xfb\x03\xff\xfd\x00\xff\xfb\x00", "");
    ANSWERED("");
    TYPED("\xff\xfd\x01\xff\xfd\x03\xff\xfb\x03\xff\xfd\x00\xff\xfb\x00", "");
    ANSWERED("");
}

static void test_refusals(void **state)
{
    (void)state;
    telnet.answer_length = 0;
    TYPED("\xff\xfd\x18\xff\xfb\x1f\xff\xfb\x01\xff\xfd\xc8",
          ""); /* DO 24, WILL 31, WILL 1, DO 200 */
    ANSWERED("\xff\xfc\x18\xff\xfe\x1f\xff\xfe\x01\xff\xfc\xc8");
    TYPED("\xff\xfe\x01\xff\xfe\x01\xff\xfc\x03\xff\xfc\x03", ""); /* DONT 1, WONT 3, twice each */
    ANSWERED("\xff\xfc\x01\xff\xfe\x03");
    TYPED("\xff\xfd\x01\xff\xfe\x63\xff\xfc\x63", "");
    ANSWERED("\xff\xfc\x01");
}

static void test_lines(void **state)
{
    (void)state;
    TYPED("ls\r\n", "ls\r");
    TYPED("ls\r\0x", "ls\rx");
    TYPED("a\r\r\nb\n", "a\r\rb\n");
    TYPED("\r\xff\xf1\nq", "\r\nq"); /* a NOP between them */
    TYPED("\xff\xfb\x00", "");       /* from here on in binary */
    TYPED("a\r\n", "a\r\n");
    TYPED("\xff\xfc\x00", "");
    TYPED("a\r\n", "a\r");
}

static void test_commands(void **state)
{
    (void)state;
    telnet.answer_length = 0;
    TYPED("\xff\xff", "\xff");
    TYPED("a\xff\xf6"
          "b",
          "ab");
    ANSWERED("\r\n[yes]\r\n");
    TYPED("a\xff\xfa\x18\x00xterm\xff\xff\x01\xff\xf0"
          "b",
          "ab");
    TYPED("\xff\xf3\xff\xf4x", "x"); /* break, interrupt */
    ANSWERED("");
}

static void test_flood(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        TYPED("\xff\xfd\x18\xff\xf6", "");
    }
    assert_in_range(telnet.answer_length, TELNET_ANSWER_SIZE - 10, TELNET_ANSWER_SIZE);
}

static void test_output(void **state)
{
    (void)state;
    SHOWN("login: ", "login: ");
    SHOWN("a\r\nb", "a\r\nb");
    SHOWN("a\rb", "a\r\0b");
    SHOWN("a\r", "a\r");
    SHOWN("\n", "\n");
    SHOWN("a\r", "a\r");
    SHOWN("\xff", "\0\xff\xff");
    TYPED("\xff\xfd\x00", "");
    SHOWN("a\rb\xff", "a\rb\xff\xff");
    TYPED("\xff\xfe\x00", "");
    SHOWN("a\rb", "a\r\0b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_offer, init), cmocka_unit_test_setup(test_refusals, init),
        cmocka_unit_test_setup(test_lines, init), cmocka_unit_test_setup(test_commands, init),
        cmocka_unit_test_setup(test_flood, init), cmocka_unit_test_setup(test_output, init),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
