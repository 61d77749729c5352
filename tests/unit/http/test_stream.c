/* WebSockets and server-sent events of the HTTP server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/http/buffer.h"
#include "manage/http/date.h"
#include "manage/http/utf8.h"
#include "manage/http/websocket.h"
#include "tests/unit/http/fake_client.h"
#include "tests/unit/support/cmocka.h"

#define HANDSHAKE                                                                        \
    "GET /socket HTTP/1.1\r\nHost: box\r\nX-Auth-Token: admin\r\nUpgrade: websocket\r\n" \
    "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define EVENTS "GET /events HTTP/1.1\r\nHost: box\r\nX-Auth-Token: admin\r\n"

static struct client client;

/* What the handler has seen. */
static struct {
    struct http_stream *stream;
    unsigned opened, closed, serviced;
    unsigned messages;
    bool text;
    char last[70000];
    size_t length;
    size_t to_send; /* bytes that `service` sends as there is room */
} seen;

static void opened(struct http_stream *stream, void *context)
{
    assert_ptr_equal(context, &seen);
    seen.stream = stream;
    seen.opened++;
}

static void received(struct http_stream *stream, void *context, bool text, const uint8_t *bytes,
                     size_t length)
{
    assert_ptr_equal(stream, seen.stream);
    assert_ptr_equal(context, &seen);
    assert_int_equal(bytes[length], 0);
    seen.messages++;
    seen.text = text;
    seen.length = length;
    memcpy(seen.last, bytes, length + 1);
    if (length == 5 && memcmp(bytes, "close", 5) == 0) {
        http_stream_close(stream);
    }
}

static void service(struct http_stream *stream, void *context)
{
    assert_ptr_equal(context, &seen);
    seen.serviced++;
    while (seen.to_send && http_stream_room(stream)) {
        static const char bytes[4096];
        size_t length = http_stream_room(stream);

        length = length < seen.to_send ? length : seen.to_send;
        length = length < sizeof(bytes) ? length : sizeof(bytes);
        assert_int_equal(http_stream_send(stream, false, bytes, length), 0);
        seen.to_send -= length;
    }
}

static void closed(struct http_stream *stream, void *context)
{
    assert_non_null(stream);
    assert_ptr_equal(context, &seen);
    seen.closed++;
    seen.stream = NULL;
}

static const struct http_stream_handler handler = {
    .opened = opened, .received = received, .service = service, .closed = closed};

static void open_socket(const struct http_request *request, struct http_answer *answer)
{
    (void)http_answer_websocket(request, answer, &handler, &seen);
}

static void open_events(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    http_answer_events(answer, &handler, &seen);
}

static const struct http_route routes[] = {
    {.path = "/socket",
     .methods = HTTP_ALLOW(HTTP_GET) | HTTP_ALLOW(HTTP_POST),
     .access = HTTP_READ,
     .handle = open_socket},
    {.path = "/events",
     .methods = HTTP_ALLOW(HTTP_GET),
     .access = HTTP_READ,
     .handle = open_events},
};

static const struct http_route_table tables[] = {{routes, 2}};

static int setup(void **state)
{
    (void)state;
    http_server_set_routes(tables, 1);
    memset(&seen, 0, sizeof(seen));
    fake_access_holds = true;
    client_open(&client);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (client.connection) {
        client_lose(&client);
    }
    return http_server_connections() || http_memory_used() || seen.opened > seen.closed ? -1 : 0;
}

/* Sends a frame as a client does, masked. */
static void send_frame(unsigned first, const void *bytes, size_t length)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t *frame = malloc(length + 14);
    size_t used = 0;

    frame[used++] = (uint8_t)first;
    if (length < 126) {
        frame[used++] = (uint8_t)(0x80 | length);
    } else if (length < 65536) {
        frame[used++] = 0x80 | 126;
        frame[used++] = (uint8_t)(length >> 8);
        frame[used++] = (uint8_t)length;
    } else {
        frame[used++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) {
            frame[used++] = (uint8_t)(length >> shift);
        }
    }
    memcpy(frame + used, mask, 4);
    used += 4;
    for (size_t i = 0; i < length; i++) {
        frame[used++] = ((const uint8_t *)bytes)[i] ^ mask[i % 4];
    }
    client_send(&client, frame, used);
    free(frame);
}

/* Sends one, and lets the server go on. */
static void frame(unsigned first, const char *text)
{
    client.length = 0;
    client.got[0] = '\0';
    send_frame(first, text, strlen(text));
    server_settle();
}

static void got_close(unsigned code)
{
    assert_true(client.length >= 4);
    assert_int_equal((uint8_t)client.got[client.length - 4], 0x88);
    assert_int_equal(client.got[client.length - 3], 2);
    assert_int_equal(
        (uint8_t)client.got[client.length - 2] << 8 | (uint8_t)client.got[client.length - 1], code);
}

static void open_websocket(void)
{
    client_say(&client, HANDSHAKE "\r\n");
    assert_true(client_got(&client, "HTTP/1.1 101 Switching Protocols\r\n",
                           "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_non_null(strstr(client.got, "\r\nUpgrade: websocket\r\n"));
    assert_non_null(strstr(client.got, "\r\nConnection: Upgrade\r\n"));
    assert_null(strstr(client.got, "Content-Length"));
    assert_int_equal(seen.opened, 1);
    assert_int_equal(http_server_streams(), 1);
}

static void handshakes(void **state)
{
    static const struct {
        const char *what;
        const char *beginning;
    } wrong[] = {
        {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
         "HTTP/1.1 400 "},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
         "HTTP/1.1 426 "},
        {"Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
         "HTTP/1.1 426 "},
        {"Upgrade: websocket\r\nConnection: keep-alive\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
         "HTTP/1.1 400 "},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n",
         "HTTP/1.1 400 "},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQxx\r\n",
         "HTTP/1.1 400 "},
        {"", "HTTP/1.1 426 "},
    };
    char text[512];

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        snprintf(text, sizeof(text),
                 "GET /socket HTTP/1.1\r\nHost: box\r\nX-Auth-Token: admin\r\n%s\r\n",
                 wrong[i].what);
        client_say(&client, text);
        if (!client_got(&client, wrong[i].beginning, "")) {
            fail_msg("%s: %s", text, client.got);
        }
    }
    assert_int_equal(seen.opened, 0);
    open_websocket();
}

static void messages(void **state)
{
    (void)state;
    open_websocket();
    frame(0x81, "hello");
    assert_true(seen.text);
    assert_string_equal(seen.last, "hello");
    frame(0x82, "binary");
    assert_false(seen.text);
    frame(0x81, "");
    assert_int_equal(seen.length, 0);
    assert_int_equal(seen.messages, 3);
    /* In fragments, a ping between them. */
    frame(0x01, "one ");
    frame(0x89, "ping");
    assert_memory_equal(client.got, "\x8a\x04ping", 6);
    frame(0x00, "two ");
    frame(0x80, "three");
    assert_string_equal(seen.last, "one two three");
    frame(0x8a, "an answer that nobody wanted");
    assert_int_equal(client.length, 0);
    assert_int_equal(seen.messages, 4);
    /* The server's. */
    assert_int_equal(http_stream_send(seen.stream, true, "hi", 2), 0);
    server_settle();
    assert_memory_equal(client.got, "\x81\x02hi", 4);
    client.length = 0;
    assert_int_equal(http_stream_send(seen.stream, false, seen.last, 300), 0);
    server_settle();
    assert_int_equal(client.length, 304);
    assert_memory_equal(client.got, "\x82\x7e\x01\x2c", 4);
}

static void long_messages(void **state)
{
    char *bytes = malloc(70000);

    (void)state;
    memset(bytes, 'm', 70000);
    open_websocket();
    send_frame(0x82, bytes, 126);
    server_settle();
    assert_int_equal(seen.length, 126);
    send_frame(0x82, bytes, 60000);
    server_settle();
    assert_int_equal(seen.length, 60000);
    send_frame(0x02, bytes, 60000);
    server_settle();
    send_frame(0x80, bytes, 5536);
    server_settle();
    assert_int_equal(seen.length, 65536);
    assert_memory_equal(seen.last, bytes, 65536);
    client.length = 0;
    send_frame(0x02, bytes, 60000);
    server_settle();
    send_frame(0x80, bytes, 5537);
    server_settle();
    got_close(1009);
    assert_int_equal(seen.messages, 3);
    free(bytes);
}

/* All that is wrong closes the connection with the right code. */
static void violations(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        unsigned code;
    } wrong[] = {
        {"\x81\x01x", 3, 1002},                         /* not masked */
        {"\xc1\x80\0\0\0\0", 6, 1002},                  /* a reserved bit */
        {"\x83\x80\0\0\0\0", 6, 1002},                  /* an opcode that is none */
        {"\x8b\x80\0\0\0\0", 6, 1002},                  /* likewise */
        {"\x80\x80\0\0\0\0", 6, 1002},                  /* goes on with nothing */
        {"\x09\x80\0\0\0\0", 6, 1002},                  /* a ping in fragments */
        {"\x89\xfe\0\x7e\0\0\0\0", 8, 1002},            /* a long ping */
        {"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 12, 1002}, /* a message in a message */
        {"\x82\xfe\0\x05\0\0\0\0", 8, 1002},            /* a length in more bytes than it needs */
        {"\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 14, 1002},
        {"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, 1002},
        {"\x82\xff\0\0\0\0\0\x01\0\x01\0\0\0\0", 14, 1009},
        {"\x81\x82\0\0\0\0\xc3\x28", 8, 1007},     /* no UTF-8 */
        {"\x81\x81\0\0\0\0\xc3", 7, 1007},         /* half a character at the end */
        {"\x88\x81\0\0\0\0x", 7, 1002},            /* half a code */
        {"\x88\x82\0\0\0\0\x03\xed", 8, 1002},     /* 1005 */
        {"\x88\x83\0\0\0\0\x03\xe8\xff", 9, 1007}, /* a reason that is no text */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        for (unsigned pieces = 0; pieces < 2; pieces++) {
            seen.opened = seen.closed = 0;
            open_websocket();
            client.length = 0;
            for (size_t j = 0; pieces && j < wrong[i].length; j++) {
                client_send(&client, wrong[i].bytes + j, 1);
                server_settle();
            }
            if (!pieces) {
                client_send(&client, wrong[i].bytes, wrong[i].length);
                server_settle();
            }
            got_close(wrong[i].code);
            assert_true(client.shut);
            assert_int_equal(seen.closed, 1);
            client_finish(&client);
            client_open(&client);
        }
    }
    assert_int_equal(seen.messages, 0);
}

static void split_text(void **state)
{
    (void)state;
    open_websocket();
    frame(0x01, "\xc3");
    frame(0x80, "\xa4");
    assert_string_equal(seen.last, "\xc3\xa4");
}

static void closing(void **state)
{
    (void)state;
    open_websocket();
    frame(0x88, "\x03\xe9");
    got_close(1001);
    assert_true(client.shut);
    assert_int_equal(seen.closed, 1);
    client_finish(&client);
    assert_true(client.ended && !client.cut);
    /* Without a code. */
    client_open(&client);
    seen.opened = seen.closed = 0;
    open_websocket();
    frame(0x88, "");
    assert_int_equal(client.length, 2);
    assert_memory_equal(client.got, "\x88\x00", 2);
    client_finish(&client);
    /* The server closes, and waits for the client to do so, but not for ever. */
    for (unsigned i = 0; i < 2; i++) {
        client_open(&client);
        seen.opened = seen.closed = 0;
        open_websocket();
        frame(0x81, "close");
        got_close(1000);
        assert_int_equal(http_stream_room(seen.stream), 0);
        assert_int_equal(http_stream_send(seen.stream, true, "x", 1), -EAGAIN);
        assert_false(client.shut);
        frame(0x81, "not looked at");
        assert_string_equal(seen.last, "close");
        if (i == 0) {
            frame(0x88, "\x03\xe8");
        } else {
            server_wait(3);
        }
        assert_true(client.shut);
        assert_int_equal(seen.closed, 1);
        client_finish(&client);
    }
    client_open(&client);
}

static void lost(void **state)
{
    (void)state;
    open_websocket();
    client_lose(&client);
    assert_int_equal(seen.closed, 1);
    client_open(&client);
    seen.opened = seen.closed = 0;
    open_websocket();
    client_finish(&client);
    assert_int_equal(seen.closed, 1);
    assert_true(client.ended);
    /* Gone before the answer was sent. */
    client_open(&client);
    seen.opened = seen.closed = 0;
    client.room = 10;
    client_say(&client, HANDSHAKE "\r\n");
    client_lose(&client);
    assert_int_equal(seen.opened, 0);
    assert_int_equal(seen.closed, 1);
}

static void silence(void **state)
{
    (void)state;
    open_websocket();
    client.length = 0;
    server_wait(29);
    assert_int_equal(client.length, 0);
    server_wait(2);
    assert_int_equal(client.length, 2);
    assert_memory_equal(client.got, "\x89\x00", 2);
    frame(0x8a, "");
    server_wait(31);
    assert_memory_equal(client.got, "\x89\x00", 2);
    server_wait(30);
    assert_true(client.ended && client.cut);
    assert_int_equal(seen.closed, 1);
}

static void may_no_more(void **state)
{
    (void)state;
    open_websocket();
    server_wait(3);
    assert_false(client.shut);
    fake_access_holds = false;
    server_wait(2);
    got_close(1008);
}

/* What is to be sent waits for the reader, in a bounded place; pings are answered meanwhile. */
static void slow_reader(void **state)
{
    (void)state;
    open_websocket();
    client.length = 0;
    client.room = 0;
    seen.to_send = 200000;
    server_settle();
    assert_int_equal(http_stream_room(seen.stream), 0);
    assert_true(http_memory_used() < 40000);
    frame(0x89, "are you there");
    for (unsigned i = 0; i < 50; i++) {
        client.room = 5000;
        server_wait(1);
    }
    assert_int_equal(seen.to_send, 0);
    assert_true(client.length > 200000);
    seen.to_send = 100000;
    client.room = 0;
    for (unsigned i = 0; i < 70 && client.connection; i++) {
        client.room = 1;
        frame(0x8a, "");
        server_wait(1);
    }
    assert_true(client.cut);
    assert_int_equal(seen.closed, 1);
}

static void events(void **state)
{
    (void)state;
    client_say(&client, EVENTS "\r\n");
    assert_true(
        client_got(&client, "HTTP/1.1 200 OK\r\n", "\r\nContent-Type: text/event-stream\r\n"));
    assert_non_null(strstr(client.got, "\r\nConnection: close\r\n"));
    assert_null(strstr(client.got, "Content-Length"));
    client.length = 0;
    assert_int_equal(http_stream_send(seen.stream, true, "data: x\n\n", 9), 0);
    server_settle();
    assert_string_equal(client.got, "data: x\n\n");
    client.length = 0;
    server_wait(16);
    assert_string_equal(client.got, ": keep-alive\n\n");
    client_send(&client, "nobody reads this", 17);
    http_stream_close(seen.stream);
    server_settle();
    assert_true(client.shut);
    assert_int_equal(seen.closed, 1);
    client_finish(&client);
    /* A HEAD is no stream. */
    client_open(&client);
    seen.opened = seen.closed = 0;
    client_say(&client, "HEAD /events HTTP/1.1\r\nHost: box\r\nX-Auth-Token: admin\r\n\r\n");
    assert_true(client_got(&client, "HTTP/1.1 200 OK\r\n", ""));
    assert_int_equal(seen.opened, 0);
    assert_int_equal(seen.closed, 1);
}

static void too_many(void **state)
{
    static struct client many[HTTP_STREAMS_MAX + 1];

    (void)state;
    for (unsigned i = 0; i <= HTTP_STREAMS_MAX; i++) {
        client_open(&many[i]);
        client_say(&many[i], EVENTS "\r\n");
    }
    assert_int_equal(seen.opened, HTTP_STREAMS_MAX);
    assert_int_equal(seen.closed, 1);
    assert_true(client_got(&many[HTTP_STREAMS_MAX], "HTTP/1.1 503 ", ""));
    for (unsigned i = 0; i <= HTTP_STREAMS_MAX; i++) {
        client_lose(&many[i]);
    }
    assert_int_equal(http_server_streams(), 0);
}

static void dates(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *text;
    } known[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    char text[HTTP_DATE_SIZE];

    (void)state;
    for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++) {
        http_date(known[i].seconds, text);
        assert_string_equal(text, known[i].text);
    }
}

static bool is_utf8(const char *text)
{
    struct utf8 utf8 = {0};

    return utf8_check(&utf8, text, strlen(text)) && utf8_complete(&utf8);
}

static void utf8(void **state)
{
    static const char *const good[] = {
        "",
        "a\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
    };
    static const char *const bad[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xc2",
        "\xc2\xc2",     "\xe0\x9f\xbf",     "\xe0\xa0",         "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",         "\xe2\x28\xa1",     "\xf0\x90\x80",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(is_utf8(good[i]));
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(is_utf8(bad[i]));
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(handshakes),        TEST(messages),         TEST(long_messages), TEST(violations),
        TEST(split_text),        TEST(closing),          TEST(lost),          TEST(silence),
        TEST(may_no_more),       TEST(slow_reader),      TEST(events),        TEST(too_many),
        cmocka_unit_test(dates), cmocka_unit_test(utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
