/* manage/fetch/response.c: answers of servers, whole and broken, in pieces of all sizes. */
#include "manage/fetch/response.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/cmocka.h"

static struct response response;
static uint8_t body[65536];
static size_t body_length;
static uint64_t announced;
static unsigned begun;
static bool refuse_begin;
static size_t room = sizeof(body);

static int begin(void *context, uint64_t length, char *reason, size_t size)
{
    assert_ptr_equal(context, body);
    begun++;
    announced = length;
    snprintf(reason, size, "no memory");
    return refuse_begin ? -ENOSPC : 0;
}

static int data(void *context, const uint8_t *bytes, size_t length, char *reason, size_t size)
{
    assert_ptr_equal(context, body);
    assert_int_equal(begun, 1);
    if (body_length + length > room) {
        snprintf(reason, size, "too much");
        return -ENOSPC;
    }
    memcpy(body + body_length, bytes, length);
    body_length += length;
    return 0;
}

/* Feeds it in pieces of `piece` bytes, each in memory of its own size. True if all was taken. */
static bool feed(const char *text, size_t length, size_t piece)
{
    const struct response_sink sink = {begin, data, body};
    bool fine = true;

    response_init(&response, &sink);
    body_length = 0;
    begun = 0;
    for (size_t at = 0; at < length && fine; at += piece) {
        size_t part = length - at < piece ? length - at : piece;
        uint8_t *copy = malloc(part);

        assert_non_null(copy);
        memcpy(copy, text + at, part);
        fine = response_take(&response, copy, part);
        free(copy);
    }
    return fine;
}

/* Is complete, with that body, before the connection ends or only then. */
static void assert_body(const char *text, const char *expected, uint64_t length, bool by_itself)
{
    for (size_t piece = 1; piece < 50; piece++) {
        assert_true(feed(text, strlen(text), piece));
        assert_int_equal(response.state == RESPONSE_COMPLETE, by_itself);
        assert_true(response_end(&response));
        assert_int_equal(announced, length);
        assert_int_equal(body_length, strlen(expected));
        assert_memory_equal(body, expected, body_length);
    }
}

static void assert_refused(const char *text, const char *reason)
{
    for (size_t piece = 1; piece < 50; piece += 7) {
        assert_true(!feed(text, strlen(text), piece) || !response_end(&response));
        assert_string_equal(response.reason, reason);
        assert_int_equal(response.state, RESPONSE_FAILED);
    }
}

static void a_length_is_kept_to(void **state)
{
    (void)state;
    assert_body("HTTP/1.1 200 OK\r\nServer: x\r\ncontent-LENGTH:5\r\n\r\nhello", "hello", 5, true);
    assert_body("HTTP/1.0 200\nContent-Length:\t 3\n\nabcdefgh", "abc", 3, true);
    assert_body("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 0, true);
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
                   "the connection broke before all had come");
}

static void without_a_length_the_end_is_the_end(void **state)
{
    (void)state;
    assert_body("HTTP/1.1 200 OK\r\n\r\nall of it", "all of it", UINT64_MAX, false);
}

static void chunks_are_put_together(void **state)
{
    (void)state;
    assert_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "4\r\nWiki\r\nB;x=\"y\"\r\npedia in \r\n\r\n0\r\nTrailer: x\r\n\r\nrest",
                "Wikipedia in \r\n", UINT64_MAX, true);
    assert_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n"
                "0\r\n\r\n",
                "", UINT64_MAX, true);
    assert_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWikixx\r\n",
                   "the server sends a chunk that is longer than it said");
    assert_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
                   "the server sends a chunk whose size makes no sense");
    assert_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
                   "the server sends a chunk whose size makes no sense");
    assert_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n",
                   "the connection broke before all had come");
}

static void interim_answers_are_passed_over(void **state)
{
    (void)state;
    assert_body("HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\n"
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                "ok", 2, true);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    assert_refused("HTTP/1.1 404 Not Found\r\n\r\nbody", "the server answers 404 Not Found");
    assert_refused("HTTP/1.1 500\r\n\r\n", "the server answers 500");
    assert_refused("HTTP/1.1 206 Partial\r\n\r\n", "the server answers 206 Partial");
    assert_refused("HTTP/1.1 302 Found\r\nLocation: http://other/x\r\n\r\n",
                   "the server answers 302 Found, to http://other/x: give that address");
    assert_refused("HTTP/1.1 304 Not Modified\r\n\r\n", "the server answers 304 Not Modified");
    assert_refused("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
                   "the server sends it encoded (gzip), which was not asked for");
    assert_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                   "the server sends it encoded (gzip, chunked), which was not asked for");
}

static void what_is_no_http_is_refused(void **state)
{
    (void)state;
    assert_refused("", "the server ended the connection without an answer");
    assert_refused("HTTP/1.1 20", "the connection broke before all had come");
    assert_refused("SSH-2.0-OpenSSH\r\n", "the server does not speak HTTP/1.1");
    assert_refused("HTTP/2.0 200 OK\r\n", "the server does not speak HTTP/1.1");
    assert_refused("HTTP/1.1 2000\r\n", "the server does not speak HTTP/1.1");
    assert_refused("HTTP/1.1 200 OK\r\nno field\r\n",
                   "the server sends a header field without a name");
    assert_refused("HTTP/1.1 200 OK\r\n: x\r\n", "the server sends a header field without a name");
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n",
                   "the server's Content-Length makes no sense: 1x");
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n",
                   "the server's Content-Length makes no sense: 99999999999999999999999");
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
                   "the server's Content-Length makes no sense: 2");
}

static void headers_end_somewhere(void **state)
{
    static char text[3 * RESPONSE_HEADER_MAX];
    size_t length = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nX: ");

    (void)state;
    memset(text + length, 'a', sizeof(text) - length);
    assert_false(feed(text, sizeof(text), 1000));
    assert_string_equal(response.reason, "the server's header is too long");
    /* One long line is no harm. */
    memcpy(text + 9000, "\r\nContent-Length: 2\r\n\r\nok", 25);
    assert_true(feed(text, 9025, 100));
    assert_true(response_end(&response));
    assert_int_equal(body_length, 2);
    /* Chunks of one byte, for ever: each is worth its own header. */
    length = (size_t)snprintf(text, sizeof(text),
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                              "\r\n\r\n");
    while (length + 6 < sizeof(text)) {
        memcpy(text + length, "1\r\nz\r\n", 6);
        length += 6;
    }
    assert_true(feed(text, length, 1500));
    assert_int_equal(body_length, (length - 47) / 6);
    /* A NUL would hide what follows it. */
    assert_false(feed("HTTP/1.1 200 OK\r\nA: \0\r\n", 24, 3));
    assert_string_equal(response.reason, "the server sends a header with a NUL");
}

static void who_takes_it_can_refuse(void **state)
{
    (void)state;
    refuse_begin = true;
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "no memory");
    refuse_begin = false;
    room = 3;
    assert_refused("HTTP/1.1 200 OK\r\n\r\nhello", "too much");
    room = sizeof(body);
}

/* Any byte changed anywhere: an end of some kind, never a crash. */
static void mutations_come_to_an_end(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked"
                               "\r\n\r\n4\r\nWiki\r\n1f\r\n0123456789012345678901234567890\r\n0\r\n"
                               "\r\n";
    char changed[sizeof(text)];

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(changed, text, sizeof(text));
            changed[i] = (char)byte;
            if (feed(changed, sizeof(text) - 1, 11)) {
                (void)response_end(&response);
            }
            assert_true(response.state == RESPONSE_COMPLETE || response.reason[0] != '\0');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_length_is_kept_to),
        cmocka_unit_test(without_a_length_the_end_is_the_end),
        cmocka_unit_test(chunks_are_put_together),
        cmocka_unit_test(interim_answers_are_passed_over),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(headers_end_somewhere),
        cmocka_unit_test(who_takes_it_can_refuse),
        cmocka_unit_test(mutations_come_to_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
