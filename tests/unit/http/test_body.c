/* Bodies of HTTP requests, sized and in chunks, however they are cut. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/http/body.h"
#include "tests/unit/support/cmocka.h"

static struct http_body body;
static char data[8192];
static size_t data_length;

/* Takes bytes, and keeps the data; how many. */
static size_t take(const char *bytes, size_t length)
{
    size_t taken = 0;

    for (;;) {
        size_t piece;
        size_t used = http_body_take(&body, bytes + taken, length - taken, &piece);

        assert_true(piece <= used && used <= length - taken);
        memcpy(data + data_length, bytes + taken + used - piece, piece);
        data_length += piece;
        taken += used;
        if (used == 0) {
            return taken;
        }
    }
}

static size_t take_cut(const char *text, size_t cut)
{
    size_t taken;

    http_body_start(&body, true, 0);
    data_length = 0;
    taken = take(text, cut);
    return taken == cut ? taken + take(text + cut, strlen(text) - cut) : taken;
}

static void chunks_are(const char *text, const char *wanted)
{
    char whole[1024];

    snprintf(whole, sizeof(whole), "%sGET", text);
    for (size_t cut = 0; cut <= strlen(whole); cut++) {
        assert_int_equal(take_cut(whole, cut), strlen(text));
        assert_int_equal(body.state, HTTP_BODY_DONE);
        data[data_length] = '\0';
        assert_string_equal(data, wanted);
    }
}

static void refused(const char *text)
{
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        take_cut(text, cut);
        if (body.state != HTTP_BODY_BAD) {
            fail_msg("%s (cut at %zu): state %d", text, cut, body.state);
        }
    }
}

static void sized(void **state)
{
    (void)state;
    http_body_start(&body, false, 0);
    assert_int_equal(body.state, HTTP_BODY_DONE);
    assert_int_equal(take("GET", 3), 0);
    http_body_start(&body, false, 5);
    data_length = 0;
    assert_int_equal(take("he", 2), 2);
    assert_int_equal(body.state, HTTP_BODY_DATA);
    assert_int_equal(take("lloGET", 6), 3);
    assert_int_equal(body.state, HTTP_BODY_DONE);
    assert_memory_equal(data, "hello", 5);
}

static void chunked(void **state)
{
    (void)state;
    chunks_are("0\r\n\r\n", "");
    chunks_are("5\r\nhello\r\n0\r\n\r\n", "hello");
    chunks_are("0005\r\nhello\r\n1;a=b\r\n \r\nB \r\nhello again\r\n00\r\n\r\n",
               "hello hello again");
    chunks_are("a\r\n0123456789\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", "0123456789");
    chunks_are("2;q=\"\t;\"\r\n\r\n\r\n0\r\n\r\n", "\r\n");
}

static void bad_chunks(void **state)
{
    (void)state;
    refused("\r\n");
    refused(";a\r\n");
    refused("-1\r\n");
    refused("0x5\r\n");
    refused("g\r\n");
    refused("5\nhello");
    refused("5\r\r\n");
    refused("5;a\nhello");
    refused("5;a\x01");
    refused("5\r\nhelloX");
    refused("5\r\nhello\n0");
    refused("5\r\nhello\rX");
    refused("1000000000000000\r\n");
    refused("0\r\nA: b\n");
    refused("0\r\nA: b\rX");
    refused("0\r\nA: \x7f");
    refused("0\r\n\rX");
}

static void limits(void **state)
{
    char text[8192];
    size_t used;

    (void)state;
    /* An extension without end, and trailers without end. */
    used = (size_t)sprintf(text, "5;");
    memset(text + used, 'a', 1000);
    http_body_start(&body, true, 0);
    assert_in_range(take(text, used + 1000), 200, 300);
    assert_int_equal(body.state, HTTP_BODY_BAD);
    used = (size_t)sprintf(text, "0\r\n");
    while (used < 8000) {
        used += (size_t)sprintf(text + used, "a: b\r\n");
    }
    http_body_start(&body, true, 0);
    assert_in_range(take(text, used), 4000, 4200);
    assert_int_equal(body.state, HTTP_BODY_BAD);
    /* The limit is one line's, not that of all chunks. */
    http_body_start(&body, true, 0);
    data_length = 0;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(take("1\r\nx\r\n", 6), 6);
    }
    assert_int_equal(take("0\r\n\r\n", 5), 5);
    assert_int_equal(body.state, HTTP_BODY_DONE);
    assert_int_equal(data_length, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sized),
        cmocka_unit_test(chunked),
        cmocka_unit_test(bad_chunks),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
