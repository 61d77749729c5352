#include <errno.h>
#include <string.h>

#include "manage/http/connection.h"

/* What waits to be sent, and what of it is for frames that are not messages. */
#define OUT_MAX     16384u
#define CONTROL_MAX 256u

#define PING_NS       (30 * HTTP_SECOND) /* without a byte from the client, it is asked for one */
#define SILENCE_NS    (60 * HTTP_SECOND) /* without one it is gone */
#define CHECK_NS      HTTP_SECOND        /* between looks whether who has it still may */
#define KEEP_ALIVE_NS (15 * HTTP_SECOND)
#define KEEP_ALIVE    ": keep-alive\n\n" /* a comment, which clients skip */
#define CLOSE_NS      (2 * HTTP_SECOND)  /* for the client to close, too */
#define SEND_NS       (30 * HTTP_SECOND) /* for as many bytes at least: */
#define SEND_BYTES    512u

/* How often a handler can fill what waits in one turn. */
#define FILLS_PER_TURN 4u

void http_stream_open(struct http_connection *connection)
{
    struct http_stream *stream = &connection->stream;

    *stream = (struct http_stream){
        .handler = connection->answer.stream,
        .context = connection->answer.stream_context,
        .is_websocket = connection->answer.websocket,
        .who = connection->request.who,
        .checked = connection->now,
        .heard = connection->now,
        .spoke = connection->now,
    };
    http_connection_enter(connection, HTTP_STREAM);
    if (stream->handler->opened) {
        stream->handler->opened(stream, stream->context);
    }
}

void http_stream_end(struct http_connection *connection)
{
    struct http_stream *stream = &connection->stream;
    const struct http_stream_handler *handler = stream->handler;

    stream->closing = true;
    stream->handler = NULL;
    if (handler) {
        handler->closed(stream, stream->context);
    }
    websocket_free(&stream->websocket);
    http_buffer_free(&stream->out);
}

/* Of messages; control frames have a part of their own. */
static size_t room(const struct http_stream *stream)
{
    size_t kept = CONTROL_MAX + (stream->is_websocket ? WEBSOCKET_HEADER_MAX : 0);

    if (stream->closing || stream->out.length + kept >= OUT_MAX) {
        return 0;
    }
    return OUT_MAX - kept - stream->out.length;
}

size_t http_stream_room(const struct http_stream *stream)
{
    return room(stream);
}

/* A frame is sent whole, or not at all. */
static bool append_frame(struct http_stream *stream, enum websocket_opcode opcode,
                         const void *bytes, size_t length)
{
    uint8_t frame[WEBSOCKET_HEADER_MAX];
    size_t header = websocket_header(opcode, length, frame);
    size_t before = stream->out.length;

    if (before + header + length > OUT_MAX ||
        !http_buffer_append(&stream->out, frame, header, OUT_MAX)) {
        return false;
    }
    if (!http_buffer_append(&stream->out, bytes, length, OUT_MAX)) {
        stream->out.length = before;
        return false;
    }
    return true;
}

int http_stream_send(struct http_stream *stream, bool text, const void *bytes, size_t length)
{
    bool done;

    if (length > room(stream)) {
        return -EAGAIN;
    }
    if (stream->is_websocket) {
        done = append_frame(stream, text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, bytes, length);
    } else {
        done = http_buffer_append(&stream->out, bytes, length, OUT_MAX);
    }
    return done ? 0 : -EAGAIN;
}

/* Says why, if a WebSocket's other side listens; what waits is sent before. */
static void close_stream(struct http_stream *stream, unsigned code)
{
    uint8_t bytes[2] = {(uint8_t)(code >> 8), (uint8_t)code};

    if (stream->closing) {
        return;
    }
    stream->closing = true;
    if (stream->is_websocket) {
        (void)append_frame(stream, WEBSOCKET_CLOSE, bytes, code == WEBSOCKET_NO_CODE ? 0 : 2);
    }
}

void http_stream_close(struct http_stream *stream)
{
    close_stream(stream, WEBSOCKET_NORMAL);
}

/* Without a session any more, or with another role, nobody keeps what they had before. */
static void check_access(struct http_connection *connection)
{
    struct http_stream *stream = &connection->stream;

    if (stream->who.role == ACCESS_NOBODY || connection->now - stream->checked < CHECK_NS) {
        return;
    }
    stream->checked = connection->now;
    if (!access_holds(&stream->who, connection->now)) {
        close_stream(stream, WEBSOCKET_POLICY);
    }
}

static void take_event(struct http_stream *stream, enum websocket_event event)
{
    struct websocket *websocket = &stream->websocket;

    switch (event) {
    case WEBSOCKET_MESSAGE:
        if (!stream->closing && stream->handler->received) {
            const char *bytes = websocket->message.length ? websocket->message.bytes : "";

            stream->handler->received(stream, stream->context, websocket->text,
                                      (const uint8_t *)bytes, websocket->message.length);
        }
        break;
    case WEBSOCKET_PINGED:
        if (!stream->closing) {
            /* If there is no room, the client asks again. */
            (void)append_frame(stream, WEBSOCKET_PONG, websocket->control,
                               websocket->control_length);
        }
        break;
    case WEBSOCKET_CLOSING:
        stream->peer_closing = true;
        close_stream(stream, websocket->code);
        break;
    case WEBSOCKET_VIOLATION:
        stream->peer_closing = true; /* nothing it sends is looked at any more */
        close_stream(stream, websocket->code);
        break;
    case WEBSOCKET_MORE:
    case WEBSOCKET_PONGED:
        break;
    }
}

static void receive(struct http_connection *connection)
{
    struct http_stream *stream = &connection->stream;
    struct http_buffer *input = &connection->input;

    if (input->length) {
        stream->heard = connection->now;
        stream->pinged = false;
    }
    while (input->length) {
        size_t taken = input->length;
        enum websocket_event event = WEBSOCKET_MORE;

        if (stream->is_websocket && !stream->peer_closing) {
            taken = websocket_take(&stream->websocket, input->bytes, taken, &event);
        }
        http_connection_consume(connection, taken);
        take_event(stream, event);
    }
}

static void send(struct http_connection *connection)
{
    struct http_stream *stream = &connection->stream;
    size_t before = connection->pace.moved;

    http_connection_send(connection, &stream->out);
    if (connection->pace.moved != before) {
        stream->spoke = connection->now;
    }
}

/* The handler may have more than what there is room for at once. */
static void serve(struct http_connection *connection)
{
    struct http_stream *stream = &connection->stream;

    for (unsigned i = 0; i < FILLS_PER_TURN; i++) {
        if (!stream->closing && stream->handler->service) {
            stream->handler->service(stream, stream->context);
        }
        if (stream->out.length == 0) {
            return;
        }
        send(connection);
        if (stream->out.length) {
            return;
        }
    }
}

/* Whether the other side is there, in ways that cost it a few bytes. */
static void keep_alive(struct http_connection *connection)
{
    struct http_stream *stream = &connection->stream;
    uint64_t now = connection->now;

    if (!stream->is_websocket) {
        if (now - stream->spoke >= KEEP_ALIVE_NS && stream->out.length == 0 && !stream->closing) {
            (void)http_buffer_append_text(&stream->out, KEEP_ALIVE, OUT_MAX);
            send(connection);
        }
    } else if (now - stream->heard >= SILENCE_NS) {
        http_connection_enter(connection, HTTP_CUT);
    } else if (now - stream->heard >= PING_NS && !stream->pinged && !stream->closing) {
        stream->pinged = append_frame(stream, WEBSOCKET_PING, "", 0);
        send(connection);
    }
}

void http_stream_run(struct http_connection *connection)
{
    struct http_stream *stream = &connection->stream;

    receive(connection);
    check_access(connection);
    serve(connection);
    if (stream->out.length == 0) {
        http_pace_start(&connection->pace, connection->now, SEND_NS);
    } else if (!http_pace_keeps(&connection->pace, connection->now, SEND_NS, SEND_BYTES)) {
        http_connection_enter(connection, HTTP_CUT);
    }
    keep_alive(connection);
    if (connection->state == HTTP_STREAM && connection->input_ended) {
        http_connection_enter(connection, HTTP_ENDED);
    } else if (connection->state == HTTP_STREAM && stream->closing && stream->out.length == 0) {
        if (stream->deadline == 0) {
            stream->deadline = connection->now + CLOSE_NS;
        }
        /* Who closes a WebSocket waits for the other side's word. */
        if (!stream->is_websocket || stream->peer_closing || connection->now >= stream->deadline) {
            http_connection_shut(connection);
        }
    }
    if (connection->state != HTTP_STREAM) {
        http_stream_end(connection);
    }
}
