/* The HTTP server with clients and routes of the test's own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/http/buffer.h"
#include "tests/unit/http/fake_client.h"
#include "tests/unit/support/cmocka.h"

#define HOST      "Host: box\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST

static struct client client;

/* Routes. */

static char constant[10000];
static unsigned handled;

static void say_path(const struct http_request *request, struct http_answer *answer)
{
    handled++;
    http_write(answer, request->path, strlen(request->path));
}

static void say_body(const struct http_request *request, struct http_answer *answer)
{
    assert_int_equal(strlen(request->body), request->body_length);
    http_add_field(answer, "X-Who", request->who.name);
    http_write(answer, request->body, request->body_length);
}

static void say_constant(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    http_add_field(answer, "Cache-Control", "max-age=1");
    http_body_constant(answer, constant, sizeof(constant));
}

static void say_too_much(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    for (unsigned i = 0; i < 500; i++) {
        http_write(answer, constant, sizeof(constant));
    }
}

static void say_large(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    for (unsigned i = 0; i < 300; i++) {
        http_write(answer, constant, sizeof(constant));
    }
}

static void say_two_lines(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    http_add_field(answer, "Location", "/x\r\nSet-Cookie: y");
}

static void say_nothing(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    http_status(answer, 204);
}

static void say_error(const struct http_request *request, struct http_answer *answer,
                      unsigned status, const char *reason)
{
    char text[128];

    (void)request;
    http_status(answer, status);
    snprintf(text, sizeof(text), "{\"status\":%u,\"reason\":\"%s\"}", status, reason);
    http_add_field(answer, "Content-Type", "application/json");
    http_write(answer, text, strlen(text));
}

static struct {
    unsigned begun, ended, complete;
    uint64_t length;
    size_t bytes;
    size_t fails_after;
    bool refuses;
} upload;

static void *begin_upload(const struct http_request *request, uint64_t length,
                          struct http_answer *answer)
{
    assert_string_equal(request->body, "");
    upload.begun++;
    upload.length = length;
    if (upload.refuses) {
        http_status(answer, 409);
        return NULL;
    }
    return &upload;
}

static int take_upload(void *context, const void *bytes, size_t length)
{
    assert_ptr_equal(context, &upload);
    assert_non_null(bytes);
    upload.bytes += length;
    return upload.bytes > upload.fails_after ? -ENOSPC : 0;
}

static void end_upload(void *context, const struct http_request *request, bool complete,
                       struct http_answer *answer)
{
    assert_ptr_equal(context, &upload);
    assert_string_equal(request->path, "/upload");
    upload.ended++;
    upload.complete += complete;
    http_status(answer, complete ? 201 : 507);
}

static const struct http_upload uploads = {
    .begin = begin_upload, .data = take_upload, .end = end_upload};

static const struct http_route first_routes[] = {
    {.path = "/", .methods = HTTP_ALLOW(HTTP_GET), .access = HTTP_PUBLIC, .handle = say_path},
    {.path = "/below",
     .below = true,
     .methods = HTTP_ALLOW(HTTP_GET),
     .access = HTTP_PUBLIC,
     .handle = say_path},
    {.path = "/body",
     .methods = HTTP_ALLOW(HTTP_POST) | HTTP_ALLOW(HTTP_GET),
     .access = HTTP_PUBLIC,
     .body_max = 3000,
     .handle = say_body},
    {.path = "/constant",
     .methods = HTTP_ALLOW(HTTP_GET),
     .access = HTTP_PUBLIC,
     .handle = say_constant},
    {.path = "/much",
     .methods = HTTP_ALLOW(HTTP_GET),
     .access = HTTP_PUBLIC,
     .handle = say_too_much},
    {.path = "/large", .methods = HTTP_ALLOW(HTTP_GET), .access = HTTP_PUBLIC, .handle = say_large},
    {.path = "/lines",
     .methods = HTTP_ALLOW(HTTP_GET),
     .access = HTTP_PUBLIC,
     .handle = say_two_lines},
    {.path = "/nothing",
     .methods = HTTP_ALLOW(HTTP_GET) | HTTP_ALLOW(HTTP_DELETE),
     .access = HTTP_PUBLIC,
     .handle = say_nothing},
};

static const struct http_route second_routes[] = {
    {.path = "/below/never",
     .methods = HTTP_ALLOW(HTTP_POST),
     .access = HTTP_PUBLIC,
     .handle = say_nothing},
    {.path = "/read",
     .methods = HTTP_ALLOW(HTTP_GET) | HTTP_ALLOW(HTTP_PATCH),
     .access = HTTP_READ,
     .body_max = 2000,
     .handle = say_body,
     .error = say_error},
    {.path = "/own",
     .methods = HTTP_ALLOW(HTTP_GET) | HTTP_ALLOW(HTTP_POST),
     .access = HTTP_OWN,
     .handle = say_body},
    {.path = "/upload",
     .methods = HTTP_ALLOW(HTTP_PUT),
     .access = HTTP_READ,
     .upload = &uploads,
     .error = say_error},
};

static const struct http_route_table tables[] = {
    {first_routes, sizeof(first_routes) / sizeof(*first_routes)},
    {second_routes, sizeof(second_routes) / sizeof(*second_routes)},
};

static int setup(void **state)
{
    (void)state;
    http_server_set_routes(tables, sizeof(tables) / sizeof(*tables));
    memset(constant, 'c', sizeof(constant));
    memset(&upload, 0, sizeof(upload));
    upload.fails_after = SIZE_MAX;
    handled = 0;
    client_open(&client);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (client.connection) {
        client_lose(&client);
    }
    return http_server_connections() || http_memory_used() ? -1 : 0;
}

static void answered(const char *text, const char *beginning, const char *part)
{
    client_say(&client, text);
    if (!client_got(&client, beginning, part)) {
        fail_msg("%s\nwas answered\n%s\nnot\n%s…%s", text, client.got, beginning, part);
    }
}

static void simple(void **state)
{
    (void)state;
    answered(GET("/below/a%20b") "\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\n/below/a b");
    assert_non_null(strstr(client.got, "\r\nContent-Length: 10\r\n"));
    assert_non_null(strstr(client.got, "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
    assert_non_null(strstr(client.got, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(client.got, "\r\nCache-Control: no-store\r\n"));
    assert_null(strstr(client.got, "Connection"));
    answered("HEAD /below/a%20b HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 OK\r\n",
             "\r\nContent-Length: 10\r\n");
    assert_string_equal(client.got + client.length - 4, "\r\n\r\n");
    answered(GET("/nothing") "\r\n", "HTTP/1.1 204 No Content\r\n", "\r\n\r\n");
    assert_null(strstr(client.got, "Content-Length"));
    assert_int_equal(handled, 2);
    assert_false(client.shut);
    client_finish(&client);
    assert_true(client.ended && !client.cut);
}

static void no_such(void **state)
{
    (void)state;
    answered(GET("/nope") "\r\n", "HTTP/1.1 404 Not Found\r\n", "there is nothing");
    answered(GET("/belo") "\r\n", "HTTP/1.1 404 ", "");
    answered(GET("/belowx") "\r\n", "HTTP/1.1 404 ", "");
    answered("DELETE / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 ",
             "\r\nAllow: GET, HEAD, OPTIONS\r\n");
    answered("POST /below/never HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 ", "");
    answered("OPTIONS / HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 204 ",
             "\r\nAllow: GET, HEAD, OPTIONS\r\n");
    answered("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 204 ",
             "\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
    assert_int_equal(handled, 0);
    assert_false(client.shut);
}

/* The next answer in what the client got; moves *at past it. */
static void next_answer_is(const char **at, const char *body)
{
    const char *length = strstr(*at, "\r\nContent-Length: ");
    const char *content = strstr(*at, "\r\n\r\n");

    assert_non_null(length);
    assert_int_equal(strncmp(*at, "HTTP/1.1 200 OK\r\n", 17), 0);
    assert_int_equal(atoi(length + 18), strlen(body));
    assert_int_equal(strncmp(content + 4, body, strlen(body)), 0);
    *at = content + 4 + strlen(body);
}

static void pipelined(void **state)
{
    char text[2000];
    size_t length = 0;
    const char *at = client.got;
    unsigned turns = 0;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        length += (size_t)sprintf(text + length, "GET /below/%u HTTP/1.1\r\n" HOST "\r\n", i);
    }
    client_send(&client, text, length);
    while (http_server_run(fake_now)) {
        turns++;
        assert_in_range(handled, 1, turns * 4); /* others come in between */
    }
    assert_int_equal(handled, 20);
    for (unsigned i = 0; i < 20; i++) {
        sprintf(text, "/below/%u", i);
        next_answer_is(&at, text);
    }
    assert_string_equal(at, "");
    assert_int_equal(client.consumed, length);
}

/* The client sends a byte at a time, and takes one at a time. */
static void byte_by_byte(void **state)
{
    const char *text = "POST /body HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                       "5\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n" GET("/below/1") "\r\n";
    const char *at = client.got;

    (void)state;
    client.room = 0;
    for (size_t i = 0; i < strlen(text); i++) {
        client_send(&client, text + i, 1);
        server_settle();
    }
    for (unsigned i = 0; i < 2000; i++) {
        client.room = 1;
        server_settle();
    }
    next_answer_is(&at, "hello world");
    next_answer_is(&at, "/below/1");
    assert_string_equal(at, "");
}

static void closing(void **state)
{
    (void)state;
    answered(GET("/below/1") "Connection: close\r\n\r\n" GET("/below/2") "\r\n",
             "HTTP/1.1 200 OK\r\n", "\r\nConnection: close\r\n");
    assert_null(strstr(client.got, "/below/2"));
    assert_true(client.shut && !client.ended);
    client_send(&client, "more", 4);
    server_settle();
    client_finish(&client);
    assert_true(client.ended && !client.cut);
    assert_int_equal(handled, 1);

    client_open(&client);
    answered("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\nConnection: close\r\n");
    assert_true(client.shut);
    server_wait(3); /* the client does not close */
    assert_true(client.ended);

    client_open(&client);
    answered("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 OK\r\n",
             "\r\nConnection: keep-alive\r\n");
    assert_false(client.shut);
}

/* The end cannot be told at once, as when there is no memory for it. */
static void closing_late(void **state)
{
    (void)state;
    client.shut_fails = 40;
    answered(GET("/below/1") "Connection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n", "/below/1");
    server_wait(9);
    assert_false(client.shut || client.ended);
    server_wait(2);
    assert_true(client.shut && !client.ended);
    server_wait(3);
    assert_true(client.ended);
}

/* The client says all it has to say at once, and then no more. */
static void half_closed(void **state)
{
    (void)state;
    client_send(&client, GET("/constant") "\r\n", strlen(GET("/constant") "\r\n"));
    http_server_finish(client.connection);
    client.room = 5000;
    server_settle();
    assert_false(client.ended);
    client.room = SIZE_MAX;
    server_settle();
    assert_true(client.length > sizeof(constant));
    assert_true(client.ended && !client.cut);
}

static void malformed(void **state)
{
    static const struct {
        const char *text;
        const char *beginning;
    } requests[] = {
        {"\x16\x03\x01", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/3.0\r\n", "HTTP/1.1 505 "},
        {"BREW / HTTP/1.1\r\n", "HTTP/1.1 501 "},
        {"POST /body HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx", "HTTP/1.1 400 "},
        {"POST /body HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nabc",
         "HTTP/1.1 400 "},
        {"POST /body HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", "HTTP/1.1 417 "},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        answered(requests[i].text, requests[i].beginning, "\r\nConnection: close\r\n");
        assert_true(client.shut);
        client_finish(&client);
        client_open(&client);
    }
    /* After a HEAD, what is wrong is told in full. */
    client_say(&client, "HEAD / HTTP/1.1\r\n" HOST "\r\n");
    answered("\x16", "HTTP/1.1 400 ", "\r\n\r\na control character");
}

static void bodies(void **state)
{
    char text[4096];

    (void)state;
    answered("POST /body HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "HTTP/1.1 200 ",
             "\r\n\r\nhello");
    answered("POST /body HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "HTTP/1.1 200 ",
             "\r\nContent-Length: 0\r\n");
    answered("GET / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", "HTTP/1.1 200 ", "");
    assert_false(client.shut);
    answered("POST /body HTTP/1.1\r\n" HOST "Content-Length: 3001\r\n\r\n", "HTTP/1.1 413 ",
             "\r\nConnection: close\r\n");
    assert_true(client.shut);
    client_finish(&client);
    client_open(&client);
    memset(text, 'x', sizeof(text));
    memcpy(text, "BB9\r\n", 5);
    text[3100] = '\0';
    client_say(&client, "POST /body HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    answered(text, "HTTP/1.1 413 ", "\r\nConnection: close\r\n");
}

static void expectation(void **state)
{
    (void)state;
    answered("POST /body HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
             "HTTP/1.1 100 Continue\r\n\r\n", "");
    assert_int_equal(client.length, strlen("HTTP/1.1 100 Continue\r\n\r\n"));
    answered("ok", "HTTP/1.1 200 ", "\r\n\r\nok");
    /* Not if it is there already, or not wanted. */
    answered("POST /body HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
             "HTTP/1.1 200 ", "\r\n\r\nok");
    answered("POST /body HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 9999\r\n\r\n",
             "HTTP/1.1 413 ", "\r\nConnection: close\r\n");
}

static void access(void **state)
{
    (void)state;
    answered(GET("/own") "\r\n", "HTTP/1.1 401 ", "\r\nWWW-Authenticate: Basic realm=");
    answered(GET("/own") "X-Requested-With: XMLHttpRequest\r\n\r\n", "HTTP/1.1 401 ", "");
    assert_null(strstr(client.got, "WWW-Authenticate"));
    answered(GET("/read") "\r\n", "HTTP/1.1 401 ", "{\"status\":401,");
    answered(GET("/read") "Authorization: Basic wrong\r\n\r\n", "HTTP/1.1 401 ", "");
    answered(GET("/read") "Authorization: Basic locked\r\n\r\n", "HTTP/1.1 429 ",
             "\r\nRetry-After: 17\r\n");
    answered(GET("/read") "Authorization: Basic reader\r\n\r\n", "HTTP/1.1 200 ",
             "\r\nX-Who: reader\r\n");
    answered("PATCH /read HTTP/1.1\r\n" HOST "Authorization: Basic reader\r\n\r\n", "HTTP/1.1 403 ",
             "{\"status\":403,");
    answered("POST /own HTTP/1.1\r\n" HOST "Authorization: Basic reader\r\n\r\n", "HTTP/1.1 200 ",
             "\r\nX-Who: reader\r\n");
    answered("PATCH /read HTTP/1.1\r\n" HOST "X-Auth-Token: admin\r\n\r\n", "HTTP/1.1 200 ",
             "\r\nX-Who: admin\r\n");
    answered("DELETE /read HTTP/1.1\r\n" HOST "X-Auth-Token: admin\r\n\r\n", "HTTP/1.1 405 ",
             "\r\nAllow: GET, HEAD, PATCH, OPTIONS\r\n");
    /* Who nobody knows is not told what there is. */
    answered("DELETE /read HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 401 ", "");
    answered("OPTIONS /read HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 401 ", "");
    /* On what is public, wrong credentials are none. */
    answered(GET("/body") "Cookie: innkeeper=old\r\n\r\n", "HTTP/1.1 200 ", "\r\nX-Who: \r\n");
    answered(GET("/body") "Cookie: innkeeper=admin\r\n\r\n", "HTTP/1.1 200 ",
             "\r\nX-Who: admin\r\n");
    assert_false(client.shut);
    /* A body that is not read ends the connection. */
    answered("POST /own HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n", "HTTP/1.1 401 ",
             "\r\nConnection: close\r\n");
}

static void origins(void **state)
{
#define POST_BY(credentials) "POST /own HTTP/1.1\r\n" HOST credentials "\r\n"
    (void)state;
    answered(POST_BY("Cookie: innkeeper=admin\r\n"), "HTTP/1.1 403 ", "");
    answered(POST_BY("Cookie: innkeeper=admin\r\nOrigin: https://box\r\n"), "HTTP/1.1 200 ", "");
    answered(POST_BY("Cookie: innkeeper=admin\r\nOrigin: http://box\r\n"), "HTTP/1.1 403 ", "");
    answered(POST_BY("Cookie: innkeeper=admin\r\nOrigin: https://box:8443\r\n"), "HTTP/1.1 403 ",
             "");
    answered(POST_BY("Cookie: innkeeper=admin\r\nOrigin: https://evil\r\n"), "HTTP/1.1 403 ", "");
    answered(POST_BY("Cookie: innkeeper=admin\r\nOrigin: null\r\n"), "HTTP/1.1 403 ", "");
    answered(POST_BY("X-Auth-Token: admin\r\n"), "HTTP/1.1 200 ", "");
    answered(POST_BY("Authorization: Basic admin\r\n"), "HTTP/1.1 200 ", "");
    answered(POST_BY("Authorization: Basic admin\r\nOrigin: https://evil\r\n"), "HTTP/1.1 403 ",
             "");
    answered(GET("/own") "Cookie: innkeeper=admin\r\nOrigin: https://evil\r\n\r\n", "HTTP/1.1 200 ",
             "");
    answered(GET("/own") "Cookie: innkeeper=admin\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 403 ",
             "");
}

static void answers(void **state)
{
    (void)state;
    answered(GET("/constant") "\r\n", "HTTP/1.1 200 ", "\r\nCache-Control: max-age=1\r\n");
    assert_null(strstr(client.got, "no-store"));
    assert_int_equal(client.constant, sizeof(constant));
    answered("HEAD /constant HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 ",
             "\r\nContent-Length: 10000\r\n");
    assert_int_equal(client.constant, sizeof(constant));
    answered(GET("/much") "\r\n", "HTTP/1.1 500 ", "no memory");
    answered(GET("/lines") "\r\n", "HTTP/1.1 500 ", "");
    assert_null(strstr(client.got, "Set-Cookie"));
}

static void uploading(void **state)
{
#define PUT_UPLOAD "PUT /upload HTTP/1.1\r\n" HOST "X-Auth-Token: admin\r\n"
    (void)state;
    answered("PUT /upload HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", "HTTP/1.1 401 ", "{");
    assert_int_equal(upload.begun, 0);
    client_finish(&client);
    client_open(&client);
    answered(PUT_UPLOAD "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n", "HTTP/1.1 100 ", "");
    answered("01234", "", "");
    assert_int_equal(upload.bytes, 5);
    answered("56789", "HTTP/1.1 201 Created\r\n", "");
    assert_int_equal(upload.length, 10);
    assert_int_equal(upload.complete, 1);
    answered(PUT_UPLOAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 201 ",
             "");
    assert_int_equal(upload.length, UINT64_MAX);
    answered(PUT_UPLOAD "Content-Length: 0\r\n\r\n", "HTTP/1.1 201 ", "");
    assert_false(client.shut);
    upload.fails_after = upload.bytes + 3;
    answered(PUT_UPLOAD "Content-Length: 10\r\n\r\n01234", "HTTP/1.1 507 ",
             "\r\nConnection: close\r\n");
    assert_int_equal(upload.ended, 4);
    assert_int_equal(upload.complete, 3);
    client_finish(&client);
    client_open(&client);
    upload.fails_after = SIZE_MAX;
    upload.refuses = true;
    answered(PUT_UPLOAD "Content-Length: 10\r\n\r\n", "HTTP/1.1 409 ", "\r\nConnection: close\r\n");
    assert_int_equal(upload.ended, 4);
}

/* Uploads whose client is gone, silent, or wrong: they all come to their end, once. */
static void broken_uploads(void **state)
{
    (void)state;
    client_say(&client, PUT_UPLOAD "Content-Length: 10\r\n\r\n0");
    client_lose(&client);
    assert_int_equal(upload.ended, 1);
    client_open(&client);
    client_say(&client, PUT_UPLOAD "Content-Length: 10\r\n\r\n0");
    client_finish(&client);
    assert_true(client.ended);
    assert_int_equal(upload.ended, 2);
    client_open(&client);
    answered(PUT_UPLOAD "Transfer-Encoding: chunked\r\n\r\nz", "HTTP/1.1 400 ", "{\"status\":400");
    assert_int_equal(upload.ended, 3);
    client_finish(&client);
    client_open(&client);
    client_say(&client, PUT_UPLOAD "Content-Length: 10\r\n\r\n0");
    server_wait(11);
    assert_true(client_got(&client, "HTTP/1.1 408 ", "{\"status\":408"));
    assert_int_equal(upload.ended, 4);
    assert_int_equal(upload.complete, 0);
}

static void slow_header(void **state)
{
    (void)state;
    client_say(&client, "G");
    for (unsigned i = 0; i < 9; i++) {
        server_wait(1);
        client_say(&client, "E");
        assert_int_equal(client.length, 0);
    }
    server_wait(1);
    assert_true(client_got(&client, "HTTP/1.1 408 ", "\r\nConnection: close\r\n"));
    assert_true(client.shut);
    server_wait(3);
    assert_true(client.ended);
}

static void silent(void **state)
{
    (void)state;
    server_wait(19);
    assert_false(client.shut);
    server_wait(4);
    assert_true(client.ended);
    assert_int_equal(client.length, 0);
    client_open(&client);
    client_say(&client, GET("/") "\r\n");
    server_wait(59);
    assert_false(client.shut);
    server_wait(4);
    assert_true(client.ended);
}

/* One byte a second is too slow, some kilobytes are not. */
static void slow_body(void **state)
{
    static const char bytes[200];

    (void)state;
    client_say(&client, PUT_UPLOAD "Content-Length: 100000\r\n\r\n");
    for (unsigned i = 0; i < 60; i++) {
        server_wait(1);
        client_send(&client, bytes, sizeof(bytes));
        server_settle();
    }
    assert_int_equal(client.length, 0);
    for (unsigned i = 0; i < 25 && !client.shut; i++) {
        server_wait(1);
        client_send(&client, bytes, 1);
        server_settle();
    }
    assert_true(client_got(&client, "HTTP/1.1 408 ", "\r\nConnection: close\r\n"));
}

static void slow_reader(void **state)
{
    (void)state;
    client.room = 0;
    client_say(&client, GET("/constant") "\r\n");
    for (unsigned i = 0; i < 5; i++) {
        server_wait(20);
        client.room = 1500;
        server_settle();
        assert_false(client.ended);
    }
    for (unsigned i = 0; i < 70 && !client.ended; i++) {
        server_wait(1);
        client.room = 1;
    }
    assert_true(client.ended && client.cut);
}

/* A client that sends without reading its answers has them wait, and is not read any further. */
static void deaf(void **state)
{
    (void)state;
    client.room = 0;
    for (unsigned i = 0; i < 100; i++) {
        client_send(&client, GET("/below/1") "\r\n", strlen(GET("/below/1") "\r\n"));
        server_settle();
    }
    assert_int_equal(handled, 1);
    assert_int_equal(client.consumed, strlen(GET("/below/1") "\r\n"));
    assert_true(http_memory_used() < 20000);
    for (unsigned i = 0; i < 3000 && client.connection; i++) {
        client_send(&client, GET("/below/1") "\r\n", strlen(GET("/below/1") "\r\n"));
        server_settle();
    }
    assert_true(client.ended && client.cut);
}

static void crowd(void **state)
{
    static struct client crowd[HTTP_CONNECTIONS_MAX];
    static struct client flood[200];
    unsigned refused = 0;
    struct client *late = malloc(sizeof(*late));

    (void)state;
    client_lose(&client);
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        fake_now += SECOND / 100;
        client_open(&crowd[i]);
        assert_non_null(crowd[i].connection);
    }
    client_say(&crowd[0], GET("/") "\r\n"); /* the first was silent for less long than the second */
    client_open(late);
    client_say(late, GET("/") "\r\n");
    assert_true(client_got(late, "HTTP/1.1 200 ", ""));
    assert_true(crowd[1].ended && crowd[1].cut);
    client_lose(late);
    /* Requests that have just begun stay; when they take their time, they go. */
    client_open(&crowd[1]);
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        client_say(&crowd[i], "G");
    }
    client_open(late);
    assert_null(late->connection);
    fake_now += 2 * SECOND;
    client_open(late);
    assert_non_null(late->connection);
    client_say(late, GET("/") "\r\n");
    assert_true(client_got(late, "HTTP/1.1 200 ", ""));
    /* A flood of them before the server has its turn finds its end, too. */
    client_lose(late);
    for (unsigned i = 0; i < 200; i++) {
        client_open(&flood[i]);
        refused += flood[i].connection == NULL;
    }
    assert_in_range(refused, 180, 199);
    server_settle();
    assert_true(http_server_connections() <= HTTP_CONNECTIONS_MAX);
    server_wait(30);
    assert_int_equal(http_server_connections(), 0);
    free(late);
}

/* Strangers who take their time with bodies and answers make way, too; those with an account do
 * not. */
static void crowd_of_strangers(void **state)
{
    static struct client crowd[HTTP_CONNECTIONS_MAX];
    static struct client late[HTTP_CONNECTIONS_MAX];

    (void)state;
    client_lose(&client);
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        client_open(&crowd[i]);
        if (i == 0) {
            client_say(&crowd[i], PUT_UPLOAD "Content-Length: 5\r\n\r\n");
        } else if (i % 2) {
            client_say(&crowd[i], "POST /body HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n");
        } else {
            crowd[i].room = 100;
            client_say(&crowd[i], GET("/constant") "\r\n");
        }
    }
    client_open(&late[0]);
    assert_null(late[0].connection);
    server_wait(6);
    for (unsigned i = 1; i < HTTP_CONNECTIONS_MAX; i++) {
        client_open(&late[i]);
        assert_non_null(late[i].connection);
        client_say(&late[i], PUT_UPLOAD "Content-Length: 5\r\n\r\n");
    }
    for (unsigned i = 1; i < HTTP_CONNECTIONS_MAX; i++) {
        assert_true(crowd[i].ended);
        assert_false(late[i].ended);
    }
    client_open(&late[0]);
    assert_null(late[0].connection);
    assert_false(crowd[0].ended);
    client_say(&crowd[0], "hello");
    assert_true(client_got(&crowd[0], "HTTP/1.1 201 ", ""));
    client_lose(&crowd[0]);
    for (unsigned i = 1; i < HTTP_CONNECTIONS_MAX; i++) {
        client_lose(&late[i]);
    }
}

/* All answers together have a limit: whoever is too much is told so. */
static void memory(void **state)
{
    static struct client many[8];
    unsigned refused = 0;

    (void)state;
    client_lose(&client);
    for (unsigned i = 0; i < 8; i++) {
        client_open(&many[i]);
        many[i].room = 20;
        client_say(&many[i], GET("/large") "\r\n");
        refused += client_got(&many[i], "HTTP/1.1 500 ", "");
        assert_true(http_memory_used() <= HTTP_MEMORY_MAX);
    }
    assert_in_range(refused, 3, 6);
    for (unsigned i = 0; i < 8; i++) {
        client_lose(&many[i]);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(simple),         TEST(no_such),
        TEST(pipelined),      TEST(byte_by_byte),
        TEST(closing),        TEST(closing_late),
        TEST(half_closed),    TEST(malformed),
        TEST(bodies),         TEST(expectation),
        TEST(access),         TEST(origins),
        TEST(answers),        TEST(uploading),
        TEST(broken_uploads), TEST(slow_header),
        TEST(silent),         TEST(slow_body),
        TEST(slow_reader),    TEST(deaf),
        TEST(crowd),          TEST(crowd_of_strangers),
        TEST(memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
