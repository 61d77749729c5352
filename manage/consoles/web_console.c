#include "manage/consoles/web_console.h"

#include <stdio.h>
#include <string.h>

#include "guest/json.h"
#include "kernel/memory/heap.h"
#include "kernel/time.h"
#include "manage/consoles/attachment.h"
#include "manage/machine.h"

#define PREFIX       "/console/"
#define CHUNK_SIZE   4096u  /* of output, in one message */
#define TYPED_SIZE   16384u /* what was typed and the guest has not taken yet */
#define COMMAND_SIZE 256u
#define CHECK_NS     UINT64_C(2000000000) /* between two looks at whether this still may be */

struct web_console {
    struct attachment attachment;
    struct access_identity who;
    char peer[ACCESS_PEER_SIZE];
    char vm[DESCRIPTION_NAME_SIZE];
    uint64_t checked; /* ns since boot */
    bool told;        /* the client knows whether it is the writer */
    uint64_t lost;    /* typed bytes, which the client does not know of */
    size_t typed_length;
    uint8_t typed[TYPED_SIZE];
};

static bool find_vm(const char *name, uint64_t *id)
{
    static struct machine_vm vm; /* too large for a stack */

    *id = 0;
    if (!machine()->find_vm(name, &vm)) {
        return false;
    }
    *id = vm.id;
    return true;
}

static void open_console(struct http_stream *stream, void *context)
{
    struct web_console *console = context;

    (void)stream;
    (void)attachment_update(&console->attachment);
}

/* The VM is there, and who opened this still may. */
static bool is_valid(struct web_console *console)
{
    uint64_t now = time_ns();
    uint64_t id;

    if (now - console->checked < CHECK_NS) {
        return true;
    }
    console->checked = now;
    return access_holds(&console->who, now) && find_vm(console->vm, &id) &&
           id == console->attachment.vm;
}

static void type_ahead(struct web_console *console)
{
    size_t taken = attachment_type(&console->attachment, console->typed, console->typed_length);

    console->typed_length -= taken;
    memmove(console->typed, console->typed + taken, console->typed_length);
}

static void tell(struct http_stream *stream, struct web_console *console)
{
    char text[64];

    console->told &= !attachment_update(&console->attachment);
    if (!console->told) {
        snprintf(text, sizeof(text), "{\"writer\":%s}",
                 console->attachment.writer ? "true" : "false");
        console->told = http_stream_send(stream, true, text, strlen(text)) == 0;
    }
    if (console->lost) {
        snprintf(text, sizeof(text), "{\"lost\":%lu}", console->lost);
        if (http_stream_send(stream, true, text, strlen(text)) == 0) {
            console->lost = 0;
        }
    }
}

/* As far as the client takes it: what it does not is read again later. */
static void show(struct http_stream *stream, struct web_console *console)
{
    static uint8_t bytes[CHUNK_SIZE];

    for (;;) {
        size_t room = http_stream_room(stream);
        uint64_t next;
        size_t count;

        if (room == 0) {
            return;
        }
        count = attachment_peek(&console->attachment, bytes,
                                room < sizeof(bytes) ? room : sizeof(bytes), &next);
        if (count == 0 || http_stream_send(stream, false, bytes, count)) {
            return;
        }
        console->attachment.position = next;
    }
}

static void service_console(struct http_stream *stream, void *context)
{
    struct web_console *console = context;

    if (!is_valid(console)) {
        http_stream_close(stream);
        return;
    }
    tell(stream, console);
    if (console->typed_length) {
        type_ahead(console);
    }
    show(stream, console);
}

static bool wants_to_take(const uint8_t *text, size_t length)
{
    struct json json;
    struct json_error error;
    bool take = false;

    if (length > COMMAND_SIZE || json_parse(&json, (const char *)text, length, &error)) {
        return false;
    }
    if (json_type(&json, 0) == JSMN_OBJECT) {
        json_value key = 1;

        for (unsigned i = 0; i < json_size(&json, 0); i++, key = json_next(&json, key + 1)) {
            char name[8];

            if (json_string(&json, key, name, sizeof(name)) >= 0 && strcmp(name, "take") == 0) {
                (void)json_bool(&json, key + 1, &take);
            }
        }
    }
    json_free(&json);
    return take;
}

static void receive(struct http_stream *stream, void *context, bool text, const uint8_t *bytes,
                    size_t length)
{
    struct web_console *console = context;
    size_t room = TYPED_SIZE - console->typed_length;

    if (text) {
        if (wants_to_take(bytes, length) && console->attachment.may_write) {
            attachment_take(&console->attachment);
            access_audit(&console->who, console->peer, "types at the console of %s", console->vm);
        }
        tell(stream, console);
        return;
    }
    if (!console->attachment.writer) {
        return;
    }
    if (length > room) {
        console->lost += length - room;
        length = room;
    }
    memcpy(console->typed + console->typed_length, bytes, length);
    console->typed_length += length;
    type_ahead(console);
}

static void close_console(struct http_stream *stream, void *context)
{
    struct web_console *console = context;

    (void)stream;
    attachment_end(&console->attachment);
    kfree(console);
}

static const struct http_stream_handler handler = {.opened = open_console,
                                                   .received = receive,
                                                   .service = service_console,
                                                   .closed = close_console};

static void refuse(struct http_answer *answer, unsigned status, const char *text)
{
    http_status(answer, status);
    http_add_field(answer, "Content-Type", "text/plain; charset=utf-8");
    http_write(answer, text, strlen(text));
}

static void attach(const struct http_request *request, struct http_answer *answer)
{
    const char *name = request->path + strlen(PREFIX);
    struct web_console *console;
    uint64_t id;

    if (strncmp(request->path, PREFIX, strlen(PREFIX)) != 0 || !find_vm(name, &id)) {
        refuse(answer, 404, "There is no such VM.\n");
        return;
    }
    console = kzalloc(sizeof(*console));
    if (!console) {
        refuse(answer, 503, "There is no memory for it.\n");
        return;
    }
    attachment_begin(&console->attachment, id, request->who.role == ACCESS_ADMINISTRATOR);
    console->who = request->who;
    console->checked = request->now;
    snprintf(console->peer, sizeof(console->peer), "%s", request->peer);
    snprintf(console->vm, sizeof(console->vm), "%s", name);
    if (!http_answer_websocket(request, answer, &handler, console)) {
        kfree(console);
        return;
    }
    access_audit(&request->who, request->peer, "opens the console of %s", name);
}

const struct http_route web_console_routes[WEB_CONSOLE_ROUTES] = {
    {.path = "/console",
     .below = true,
     .methods = HTTP_ALLOW(HTTP_GET),
     .access = HTTP_OWN,
     .handle = attach},
};
