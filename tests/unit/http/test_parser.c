/* Headers of HTTP requests: what is taken, and all that is refused, however they are cut. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/http/fields.h"
#include "manage/http/parser.h"
#include "tests/unit/support/cmocka.h"

#define HOST "Host: a\r\n"

/* The parser of the last parse; its own block of memory, so that nothing around it is touched
 * unseen. */
static struct http_parser *parser;

static int setup(void **state)
{
    (void)state;
    parser = malloc(sizeof(*parser));
    memset(parser, 0xa5, sizeof(*parser));
    return parser ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(parser);
    return 0;
}

/* In two pieces, the first of `cut` bytes; how many were taken. */
static size_t parse_cut(const char *text, size_t length, size_t cut)
{
    size_t taken;

    http_parser_start(parser);
    taken = http_parse(parser, text, cut);
    if (taken == cut) {
        taken += http_parse(parser, text + cut, length - cut);
    }
    return taken;
}

static size_t parse(const char *text)
{
    return parse_cut(text, strlen(text), strlen(text));
}

static void refused(const char *text, unsigned status)
{
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        parse_cut(text, strlen(text), cut);
        if (parser->state != HTTP_PARSER_BAD || parser->status != status) {
            fail_msg("%s (cut at %zu): state %d, status %u", text, cut, parser->state,
                     parser->state == HTTP_PARSER_BAD ? parser->status : 0);
        }
        assert_non_null(parser->reason);
    }
}

/* Taken, but for what comes after it. */
static void taken(const char *text)
{
    char whole[2048];

    snprintf(whole, sizeof(whole), "%sBODY", text);
    for (size_t cut = 0; cut <= strlen(whole); cut++) {
        size_t used = parse_cut(whole, strlen(whole), cut);

        if (parser->state != HTTP_PARSER_DONE || used != strlen(text)) {
            fail_msg("%s (cut at %zu): state %d, %s", text, cut, parser->state,
                     parser->state == HTTP_PARSER_BAD ? parser->reason : "");
        }
    }
}

static const char *field(const char *name)
{
    return http_find_field(parser->fields, parser->field_count, name);
}

static void whole_request(void **state)
{
    (void)state;
    taken("POST /redfish/v1/Systems?a=b&c HTTP/1.1\r\nHost: box:8443\r\nX-One:1\r\n"
          "x-two: \t two words \t\r\nEmpty:\r\nContent-Length: 12\r\n\r\n");
    assert_int_equal(parser->method, HTTP_POST);
    assert_int_equal(parser->minor, 1);
    assert_string_equal(parser->path, "/redfish/v1/Systems");
    assert_string_equal(parser->query, "a=b&c");
    assert_string_equal(parser->host, "box:8443");
    assert_int_equal(parser->field_count, 5);
    assert_string_equal(field("x-ONE"), "1");
    assert_string_equal(field("X-Two"), "two words");
    assert_string_equal(field("empty"), "");
    assert_null(field("X-Three"));
    assert_true(parser->has_length);
    assert_int_equal(parser->length, 12);
    assert_false(parser->chunked);
    assert_true(parser->keep_alive);
    assert_false(parser->expects_continue);
}

static void methods(void **state)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    char text[128];

    (void)state;
    for (unsigned i = 0; i < HTTP_METHODS; i++) {
        snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n" HOST "\r\n", names[i]);
        taken(text);
        assert_int_equal(parser->method, i);
    }
    refused("TRACE / HTTP/1.1\r\n", 501);
    refused("get / HTTP/1.1\r\n", 501);
    refused("CONNECT a:1 HTTP/1.1\r\n", 501);
    refused("G@T / HTTP/1.1\r\n", 400);
    refused(" / HTTP/1.1\r\n", 400);
}

static void first_lines(void **state)
{
    (void)state;
    refused("GET /\r\n", 400);
    refused("GET\r\n", 400);
    refused("GET  / HTTP/1.1\r\n", 400);
    refused("GET / HTTP/1.1 \r\n", 400);
    refused("GET / HTTP/1\r\n", 400);
    refused("GET / HTTP/1.10\r\n", 400);
    refused("GET / http/1.1\r\n", 400);
    refused("GET / HTTP/2.0\r\n", 505);
    refused("PRI * HTTP/2.0\r\n", 505);
    refused("GET / HTTP/0.9\r\n", 505);
    refused("GET\t/ HTTP/1.1\r\n", 400);
    refused("GET /\xc3\xa4 HTTP/1.1\r\n", 400);
    refused("\r\n\r\nGET / HTTP/1.1\r\n", 400);
    refused("\x16\x03\x01\x02", 400); /* TLS */
    taken("\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
    taken("GET / HTTP/1.7\r\n" HOST "\r\n");
    assert_int_equal(parser->minor, 1);
    taken("GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(parser->minor, 0);
    assert_string_equal(parser->host, "");
}

static void line_ends(void **state)
{
    (void)state;
    refused("GET / HTTP/1.1\n", 400);
    refused("GET / HTTP/1.1\r\n" HOST "\n", 400);
    refused("GET / HTTP/1.1\rX", 400);
    refused("GET / HTTP/1.1\r\nA: b\r\r\n", 400);
    refused("GET / HTTP/1.1\r\nA: b\x01\r\n", 400);
    refused("GET / HTTP/1.1\r\nA: b\x7f\r\n", 400);
    for (size_t cut = 0; cut <= 22; cut++) {
        parse_cut("GET / HTTP/1.1\r\nA: b\0\r\n", 23, cut);
        assert_int_equal(parser->state, HTTP_PARSER_BAD);
        assert_int_equal(parser->status, 400);
    }
    taken("GET / HTTP/1.1\r\n" HOST "A: \xc3\xa4\tb\r\n\r\n");
    assert_string_equal(field("a"), "\xc3\xa4\tb");
}

static void bad_fields(void **state)
{
    (void)state;
    refused("GET / HTTP/1.1\r\nA: b\r\n c\r\n", 400); /* folded */
    refused("GET / HTTP/1.1\r\n A: b\r\n", 400);
    refused("GET / HTTP/1.1\r\nA : b\r\n", 400);
    refused("GET / HTTP/1.1\r\n: b\r\n", 400);
    refused("GET / HTTP/1.1\r\nA\r\n", 400);
    refused("GET / HTTP/1.1\r\nA(: b\r\n", 400);
    refused("GET / HTTP/1.1\r\n\xc3\xa4: b\r\n", 400);
}

static void hosts(void **state)
{
    (void)state;
    refused("GET / HTTP/1.1\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400);
    taken("GET / HTTP/1.1\r\nHost: [fe80::1]:443\r\n\r\n");
    taken("GET / HTTP/1.1\r\nHost:\r\n\r\n");
    taken("GET http://other:80/x?y HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(parser->host, "other:80");
    assert_string_equal(parser->path, "/x");
    assert_string_equal(parser->query, "y");
    taken("GET https://other HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(parser->host, "other");
    assert_string_equal(parser->path, "/");
    taken("GET http://other?z HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(parser->path, "/");
    assert_string_equal(parser->query, "z");
    refused("GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400);
    refused("GET ftp://other/x HTTP/1.1\r\n" HOST "\r\n", 400);
    refused("GET http://u@other/x HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void path_is(const char *sent, const char *path)
{
    char text[512];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "\r\n", sent);
    taken(text);
    assert_string_equal(parser->path, path);
}

static void bad_target(const char *sent)
{
    char text[512];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "\r\n", sent);
    refused(text, 400);
}

static void paths(void **state)
{
    (void)state;
    path_is("/", "/");
    path_is("//", "/");
    path_is("/a//b/", "/a/b");
    path_is("/./a/./b/.", "/a/b");
    path_is("/a/../b", "/b");
    path_is("/a/b/../../../../c", "/c");
    path_is("/..", "/");
    path_is("/a/..", "/");
    path_is("/.../..a/b..", "/.../..a/b..");
    path_is("/a/%2e%2E/b", "/b");
    path_is("/%41%c3%A4", "/A\xc3\xa4");
    path_is("/a%20b%25", "/a b%");
    path_is("/Actions/ComputerSystem.Reset;x=(1,2)'*", "/Actions/ComputerSystem.Reset;x=(1,2)'*");
    path_is("/$metadata?$expand=.&a=[b]|c", "/$metadata");
    assert_string_equal(parser->query, "$expand=.&a=[b]|c");
    path_is("/a?b?c", "/a");
    assert_string_equal(parser->query, "b?c");
    bad_target("a");
    bad_target("*");
    bad_target("/a#b");
    bad_target("/a?b#c");
    bad_target("/a%2fb");
    bad_target("/a%00b");
    bad_target("/a%0ab");
    bad_target("/a%7fb");
    bad_target("/a%");
    bad_target("/a%4");
    bad_target("/a%4g");
    bad_target("/a%g4");
    bad_target("/a%ff");
    bad_target("/a%c3");
    bad_target("/a%c0%af");
    bad_target("/a%ed%a0%80");
    bad_target("/a\\b");
    bad_target("/a<b");
    taken("OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(parser->path, "*");
}

static void body_lengths(void **state)
{
    (void)state;
    taken("GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_false(parser->has_length || parser->chunked);
    taken("PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n");
    assert_true(parser->chunked);
    taken("PUT / HTTP/1.1\r\n" HOST "Content-Length: 007\r\n\r\n");
    assert_int_equal(parser->length, 7);
    refused("PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400);
    refused("PUT / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", 400);
    refused("PUT / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400);
    refused("PUT / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400);
    refused("PUT / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400);
    refused("PUT / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400);
    refused("PUT / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n", 400);
    refused("PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400);
    refused("PUT / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400);
    refused("PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
    refused("PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 501);
    refused("PUT / HTTP/1.1\r\n" HOST
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            400);
    refused("PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n", 400);
}

static void connections(void **state)
{
    (void)state;
    taken("GET / HTTP/1.1\r\n" HOST "Connection: Close\r\n\r\n");
    assert_false(parser->keep_alive);
    taken("GET / HTTP/1.1\r\n" HOST "Connection: a, b ,close , c\r\n\r\n");
    assert_false(parser->keep_alive);
    taken("GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nConnection: close\r\n\r\n");
    assert_false(parser->keep_alive);
    taken("GET / HTTP/1.1\r\n" HOST "Connection: disclose\r\n\r\n");
    assert_true(parser->keep_alive);
    taken("GET / HTTP/1.0\r\n\r\n");
    assert_false(parser->keep_alive);
    taken("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_true(parser->keep_alive);
    taken("PUT / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n");
    assert_true(parser->expects_continue);
    taken("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
    assert_false(parser->expects_continue);
    refused("PUT / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", 417);
}

static void repeated(void **state)
{
    static const char *const names[] = {
        "Authorization",
        "X-Auth-Token",
        "Cookie",
        "Origin",
        "Expect",
        "Upgrade",
        "Sec-WebSocket-Key",
        "cOOkie",
        "Sec-WebSocket-Version",
    };
    char text[256];

    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "%s: x\r\n%s: x\r\n\r\n", names[i],
                 names[i]);
        refused(text, 400);
    }
    taken("GET / HTTP/1.1\r\n" HOST "Accept: x\r\nAccept: y\r\n\r\n");
}

/* A request with a path of `path` characters, and fields of so many bytes in all. */
static void sized(size_t path, size_t fields, unsigned count)
{
    char *text = malloc(path + fields + 8 * count + 100);
    size_t used = (size_t)sprintf(text, "GET /");

    memset(text + used, 'a', path);
    used += path;
    used += (size_t)sprintf(text + used, " HTTP/1.1\r\n" HOST);
    for (unsigned i = 0; i < count; i++) {
        used += (size_t)sprintf(text + used, "f:");
        memset(text + used, 'v', fields / count);
        used += fields / count;
        used += (size_t)sprintf(text + used, "\r\n");
    }
    sprintf(text + used, "\r\n");
    parse(text);
    free(text);
}

static void limits(void **state)
{
    (void)state;
    sized(4000, 0, 0);
    assert_int_equal(parser->state, HTTP_PARSER_DONE);
    sized(4097, 0, 0);
    assert_int_equal(parser->status, 414);
    sized(1000, 7000, 1);
    assert_int_equal(parser->state, HTTP_PARSER_DONE);
    for (size_t size = 7100; size < 7300; size++) {
        sized(1000, size, 1);
        if (parser->state != HTTP_PARSER_DONE) {
            assert_int_equal(parser->status, 431);
        }
    }
    assert_int_equal(parser->status, 431);
    sized(1, 63 * 10, 63);
    assert_int_equal(parser->state, HTTP_PARSER_DONE);
    assert_int_equal(parser->field_count, 64);
    sized(1, 64 * 10, 64);
    assert_int_equal(parser->status, 431);
}

static void lists(void **state)
{
    (void)state;
    assert_true(http_list_has("a", "a"));
    assert_true(http_list_has("b,A", "a"));
    assert_true(http_list_has(" , ,b ,\ta\t, c", "a"));
    assert_false(http_list_has("", "a"));
    assert_false(http_list_has("aa, b a", "a"));
    assert_false(http_list_has("a b", "a"));
    assert_false(http_list_has(" \t", "a"));
}

static void queries(void **state)
{
    struct http_request request = {
        .query = "a=1&b&c=x%20y+z&%64=%C3%A4&e=%zz&f=%00&a=2&g=a=b&h=&long=0123456789"};
    char value[8];

    (void)state;
    assert_true(http_query(&request, "a", value, sizeof(value)));
    assert_string_equal(value, "1");
    assert_true(http_query(&request, "b", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_true(http_query(&request, "c", value, sizeof(value)));
    assert_string_equal(value, "x y z");
    assert_true(http_query(&request, "d", value, sizeof(value)));
    assert_string_equal(value, "\xc3\xa4");
    assert_false(http_query(&request, "e", value, sizeof(value)));
    assert_false(http_query(&request, "f", value, sizeof(value)));
    assert_true(http_query(&request, "g", value, sizeof(value)));
    assert_string_equal(value, "a=b");
    assert_true(http_query(&request, "h", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_false(http_query(&request, "long", value, sizeof(value)));
    assert_false(http_query(&request, "lon", value, sizeof(value)));
    assert_false(http_query(&request, "longer", value, sizeof(value)));
    assert_false(http_query(&request, "", value, sizeof(value)));
    request.query = "";
    assert_false(http_query(&request, "a", value, sizeof(value)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_request, setup, teardown),
        cmocka_unit_test_setup_teardown(methods, setup, teardown),
        cmocka_unit_test_setup_teardown(first_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(line_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(paths, setup, teardown),
        cmocka_unit_test_setup_teardown(body_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(connections, setup, teardown),
        cmocka_unit_test_setup_teardown(repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test(lists),
        cmocka_unit_test(queries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
