/* Consoles over WebSockets: who sees what, and who types. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/time.h"
#include "manage/consoles/web_console.h"
#include "manage/machine.h"
#include "tests/unit/support/cmocka.h"

#define RING_SIZE 65536u
#define VM_ID     7u

/* The machine, with one VM. */

static bool vm_is_there;
static uint64_t vm_id;
static uint8_t output[3 * RING_SIZE]; /* all that was ever sent */
static uint64_t output_length;
static const void *writer;
static char guest_input[65536];
static size_t guest_length;
static size_t guest_room;

static bool find_vm(const char *name, struct machine_vm *vm)
{
    if (!vm_is_there || strcmp(name, "linux") != 0) {
        return false;
    }
    vm->id = vm_id;
    return true;
}

static size_t read_console(uint64_t id, uint64_t *position, uint8_t *bytes, size_t size)
{
    uint64_t oldest = output_length > RING_SIZE ? output_length - RING_SIZE : 0;

    assert_int_equal(id, VM_ID);
    *position = *position < oldest ? oldest : *position;
    size = size < output_length - *position ? size : output_length - *position;
    memcpy(bytes, output + *position, size);
    *position += size;
    return size;
}

static bool console_claim(uint64_t id, const void *claimer, bool take)
{
    (void)id;
    writer = !writer || take ? claimer : writer;
    return writer == claimer;
}

static bool console_is_writer(uint64_t id, const void *claimer)
{
    (void)id;
    return writer == claimer;
}

static void console_release(uint64_t id, const void *claimer)
{
    (void)id;
    writer = writer == claimer ? NULL : writer;
}

static size_t type_console(uint64_t id, const void *claimer, const uint8_t *bytes, size_t length)
{
    assert_int_equal(id, VM_ID);
    assert_ptr_equal(claimer, writer);
    length = length < guest_room ? length : guest_room;
    memcpy(guest_input + guest_length, bytes, length);
    guest_length += length;
    guest_room -= length;
    return length;
}

const struct machine *machine(void)
{
    static const struct machine this = {.find_vm = find_vm,
                                        .console_read = read_console,
                                        .console_claim = console_claim,
                                        .console_is_writer = console_is_writer,
                                        .console_release = console_release,
                                        .console_type = type_console};

    return &this;
}

static uint64_t now;

uint64_t time_ns(void)
{
    return now;
}

static bool still_may;

bool access_holds(const struct access_identity *who, uint64_t when)
{
    assert_string_equal(who->name, "admin");
    assert_int_equal(when, now);
    return still_may;
}

void access_audit(const struct access_identity *who, const char *peer, const char *format, ...)
{
    (void)who;
    (void)format;
    assert_string_equal(peer, "10.0.2.2");
}

/* The server. */

struct http_stream {
    const struct http_stream_handler *handler;
    void *context;
    size_t room;
    bool refuse; /* as when there is no memory */
    bool closed;
    char binary[3 * RING_SIZE];
    size_t binary_length;
    char text[256];
};

struct http_answer {
    unsigned status;
    struct http_stream *stream; /* NULL: it is no WebSocket */
};

void http_status(struct http_answer *answer, unsigned status)
{
    answer->status = status;
}

void http_add_field(struct http_answer *answer, const char *name, const char *value)
{
    (void)answer;
    (void)name;
    (void)value;
}

void http_write(struct http_answer *answer, const void *bytes, size_t length)
{
    (void)answer;
    (void)bytes;
    (void)length;
}

bool http_answer_websocket(const struct http_request *request, struct http_answer *answer,
                           const struct http_stream_handler *handler, void *context)
{
    (void)request;
    if (!answer->stream) {
        answer->status = 426;
        return false;
    }
    answer->stream->handler = handler;
    answer->stream->context = context;
    return true;
}

size_t http_stream_room(const struct http_stream *stream)
{
    return stream->room;
}

int http_stream_send(struct http_stream *stream, bool text, const void *bytes, size_t length)
{
    if (length > stream->room || stream->refuse) {
        return -EAGAIN;
    }
    if (text) {
        size_t used = strlen(stream->text);

        snprintf(stream->text + used, sizeof(stream->text) - used, "%s;", (const char *)bytes);
        return 0;
    }
    stream->room -= length;
    memcpy(stream->binary + stream->binary_length, bytes, length);
    stream->binary_length += length;
    return 0;
}

void http_stream_close(struct http_stream *stream)
{
    stream->closed = true;
}

static struct http_stream streams[3];

static unsigned ask(const char *path, enum access_role role, struct http_stream *stream)
{
    struct http_answer answer = {.status = 200, .stream = stream};
    struct http_request request = {
        .path = path, .peer = "10.0.2.2", .who = {.role = role, .name = "admin"}, .now = now};

    web_console_routes[0].handle(&request, &answer);
    return answer.status;
}

static void service(unsigned index)
{
    streams[index].handler->service(&streams[index], streams[index].context);
}

static void open_as(unsigned index, enum access_role role)
{
    streams[index].room = 1000000;
    assert_int_equal(ask("/console/linux", role, &streams[index]), 200);
    streams[index].handler->opened(&streams[index], streams[index].context);
    service(index);
}

static void send_to(unsigned index, bool text, const char *bytes)
{
    streams[index].handler->received(&streams[index], streams[index].context, text,
                                     (const uint8_t *)bytes, strlen(bytes));
}

static void close_stream(unsigned index)
{
    streams[index].handler->closed(&streams[index], streams[index].context);
}

static void told(unsigned index, const char *expected)
{
    assert_string_equal(streams[index].text, expected);
    streams[index].text[0] = '\0';
}

static void print(const char *text)
{
    memcpy(output + output_length, text, strlen(text));
    output_length += strlen(text);
}

static int init(void **state)
{
    (void)state;
    memset(streams, 0, sizeof(streams));
    vm_is_there = true;
    vm_id = VM_ID;
    output_length = 0;
    writer = NULL;
    guest_length = 0;
    guest_room = sizeof(guest_input);
    still_may = true;
    now = 5000000000;
    return 0;
}

static void test_refusals(void **state)
{
    (void)state;
    assert_int_equal(ask("/console", ACCESS_ADMINISTRATOR, &streams[0]), 404);
    assert_int_equal(ask("/console/other", ACCESS_ADMINISTRATOR, &streams[0]), 404);
    assert_int_equal(ask("/console/linux/x", ACCESS_ADMINISTRATOR, &streams[0]), 404);
    assert_int_equal(ask("/console/linux", ACCESS_ADMINISTRATOR, NULL), 426);
    assert_null(writer);
}

static void test_there_and_back(void **state)
{
    (void)state;
    print("login: ");
    open_as(0, ACCESS_ADMINISTRATOR);
    told(0, "{\"writer\":true};");
    assert_memory_equal(streams[0].binary, "login: ", 7);
    send_to(0, false, "root\r");
    assert_int_equal(guest_length, 5);
    assert_memory_equal(guest_input, "root\r", 5);
    print("root\r\n# ");
    service(0);
    assert_memory_equal(streams[0].binary, "login: root\r\n# ", 15);
    assert_int_equal(streams[0].binary_length, 15);
    told(0, "");
    close_stream(0);
    assert_null(writer);
}

/* What a slow client does not take is kept for it, and what the ring has lost is skipped. */
static void test_slow(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * RING_SIZE; i++) {
        output[output_length++] = (uint8_t)(i ^ i >> 8);
    }
    open_as(0, ACCESS_ADMINISTRATOR);
    assert_int_equal(streams[0].binary_length, RING_SIZE);
    assert_memory_equal(streams[0].binary, output + RING_SIZE, RING_SIZE);
    streams[0].binary_length = 0;
    print("0123456789");
    streams[0].room = 4;
    service(0);
    streams[0].room = 100;
    streams[0].refuse = true;
    service(0);
    streams[0].refuse = false;
    service(0);
    assert_int_equal(streams[0].binary_length, 10);
    assert_memory_equal(streams[0].binary, "0123456789", 10);
    close_stream(0);
}

static void test_writers(void **state)
{
    (void)state;
    open_as(0, ACCESS_ADMINISTRATOR);
    open_as(1, ACCESS_ADMINISTRATOR);
    open_as(2, ACCESS_READ_ONLY);
    told(0, "{\"writer\":true};");
    told(1, "{\"writer\":false};");
    told(2, "{\"writer\":false};");
    send_to(1, false, "x");
    send_to(2, false, "x");
    assert_int_equal(guest_length, 0);
    send_to(1, true, "{\"take\":true}");
    told(1, "{\"writer\":true};");
    service(0);
    told(0, "{\"writer\":false};");
    send_to(1, false, "y");
    send_to(0, false, "x");
    assert_int_equal(guest_length, 1);
    send_to(2, true, "{\"take\":true}");
    told(2, "");
    service(1);
    told(1, "");
    close_stream(1);
    service(2);
    service(0); /* nobody is the writer: another one is */
    told(2, "");
    told(0, "{\"writer\":true};");
    close_stream(0);
    service(2);
    assert_null(writer);
    close_stream(2);
}

static void test_wrong_commands(void **state)
{
    static const char *const wrong[] = {
        "",
        "{",
        "{}",
        "[\"take\", true]",
        "{\"take\":false}",
        "{\"take\":1}",
        "take",
        "\"take\"",
        "{\"taken\":true}",
        "{\"take\":{\"take\":true}}",
        "{\"x\":{\"take\":true}}",
    };

    (void)state;
    open_as(0, ACCESS_ADMINISTRATOR);
    open_as(1, ACCESS_ADMINISTRATOR);
    told(1, "{\"writer\":false};");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        send_to(1, true, wrong[i]);
        told(1, "");
    }
    send_to(1, true, " {\"a\":[{}], \"take\" : true }");
    told(1, "{\"writer\":true};");
    close_stream(1);
    close_stream(0);
}

/* The guest takes what was typed as it can; what is too much is told of. */
static void test_typed_ahead(void **state)
{
    static char text[12001];

    (void)state;
    for (unsigned i = 0; i < 12000; i++) {
        text[i] = (char)('a' + i % 23);
    }
    open_as(0, ACCESS_ADMINISTRATOR);
    told(0, "{\"writer\":true};");
    guest_room = 16;
    send_to(0, false, text);
    assert_int_equal(guest_length, 16);
    send_to(0, false, text);
    service(0);
    told(0, "{\"lost\":7600};");
    service(0);
    told(0, "");
    for (unsigned i = 0; i < 100; i++) {
        guest_room = 256;
        service(0);
    }
    assert_int_equal(guest_length, 16384 + 16);
    assert_memory_equal(guest_input, text, 12000);
    assert_memory_equal(guest_input + 12000, text, 4400);
    close_stream(0);
}

static void test_ends(void **state)
{
    (void)state;
    open_as(0, ACCESS_ADMINISTRATOR);
    still_may = false;
    now += 1000000000;
    service(0);
    assert_false(streams[0].closed);
    now += 1000000000;
    service(0);
    assert_true(streams[0].closed);
    close_stream(0);

    init(NULL);
    open_as(0, ACCESS_ADMINISTRATOR);
    vm_id = VM_ID + 1; /* another one of that name */
    now += 2000000000;
    service(0);
    assert_true(streams[0].closed);
    close_stream(0);

    init(NULL);
    open_as(0, ACCESS_ADMINISTRATOR);
    vm_is_there = false;
    now += 2000000000;
    service(0);
    assert_true(streams[0].closed);
    close_stream(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_refusals, init),
        cmocka_unit_test_setup(test_there_and_back, init),
        cmocka_unit_test_setup(test_slow, init),
        cmocka_unit_test_setup(test_writers, init),
        cmocka_unit_test_setup(test_wrong_commands, init),
        cmocka_unit_test_setup(test_typed_ahead, init),
        cmocka_unit_test_setup(test_ends, init),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
