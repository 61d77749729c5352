#include "manage/http/connection.h"

#include <string.h>

#include "kernel/memory/heap.h"

/* How long clients may take. */
#define FIRST_BYTE_NS (20 * HTTP_SECOND) /* of a new connection; with TLS's handshake */
#define IDLE_NS       (60 * HTTP_SECOND) /* between requests */
#define HEADER_NS     (10 * HTTP_SECOND) /* from its first byte to its last */
#define SHUT_NS       (30 * HTTP_SECOND) /* until its end can be told */
#define LINGER_NS     (2 * HTTP_SECOND)  /* until it ends, too */
#define CONTENT_NS    (10 * HTTP_SECOND) /* for as many bytes at least: */
#define CONTENT_BYTES 1024u
#define ANSWER_NS     (30 * HTTP_SECOND)
#define ANSWER_BYTES  1024u

/* Requests in one turn, if a client sends several at once. */
#define REQUESTS_PER_TURN 4u

void http_pace_start(struct http_pace *pace, uint64_t now, uint64_t ns)
{
    pace->until = now + ns;
    pace->moved = 0;
}

bool http_pace_keeps(struct http_pace *pace, uint64_t now, uint64_t ns, size_t least)
{
    if (now < pace->until) {
        return true;
    }
    if (pace->moved < least) {
        return false;
    }
    http_pace_start(pace, now, ns);
    return true;
}

void http_connection_enter(struct http_connection *connection, enum http_state state)
{
    connection->state = state;
    connection->since = connection->now;
    switch (state) {
    case HTTP_WAITING:
        connection->deadline = connection->now + (connection->requests ? IDLE_NS : FIRST_BYTE_NS);
        break;
    case HTTP_HEADER:
        connection->deadline = connection->now + HEADER_NS;
        break;
    case HTTP_CONTENT:
        http_pace_start(&connection->pace, connection->now, CONTENT_NS);
        break;
    case HTTP_ANSWER:
    case HTTP_STREAM:
        http_pace_start(&connection->pace, connection->now, ANSWER_NS);
        break;
    case HTTP_LINGER:
        connection->deadline = connection->now + (connection->shut ? LINGER_NS : SHUT_NS);
        break;
    case HTTP_ENDED:
    case HTTP_CUT:
        break;
    }
}

void http_connection_consume(struct http_connection *connection, size_t length)
{
    if (length) {
        http_buffer_take(&connection->input, length);
        connection->transport->consumed(connection->context, length);
    }
}

void http_connection_send(struct http_connection *connection, struct http_buffer *buffer)
{
    size_t sent = 0;

    if (buffer->length) {
        sent =
            connection->transport->send(connection->context, buffer->bytes, buffer->length, false);
    }
    if (sent) {
        http_buffer_take(buffer, sent);
        connection->pace.moved += sent;
    }
}

void http_connection_shut(struct http_connection *connection)
{
    connection->shut = connection->transport->shut(connection->context);
    http_connection_enter(connection, HTTP_LINGER);
}

/* What a request had besides its answer. */
static void free_request(struct http_connection *connection)
{
    kfree(connection->parser);
    connection->parser = NULL;
    http_buffer_free(&connection->content);
    connection->route = NULL;
}

/* A stream that was promised and will not be. */
static void drop_stream(struct http_connection *connection)
{
    const struct http_stream_handler *handler = connection->answer.stream;

    connection->answer.stream = NULL;
    if (handler) {
        handler->closed(&connection->stream, connection->answer.stream_context);
    }
}

void http_connection_clear(struct http_connection *connection)
{
    (void)http_end_upload(connection, false);
    drop_stream(connection);
    http_stream_end(connection);
    free_request(connection);
    http_answer_free(&connection->answer);
    http_buffer_free(&connection->header);
    http_buffer_free(&connection->input);
}

/* Nothing but the next request can begin a turn. */
static bool wait(struct http_connection *connection)
{
    if (connection->input.length) {
        connection->parser = kmalloc(sizeof(*connection->parser));
        if (!connection->parser) {
            http_connection_enter(connection, HTTP_CUT);
            return false;
        }
        http_parser_start(connection->parser);
        http_connection_enter(connection, HTTP_HEADER);
        return true;
    }
    if (connection->input_ended) {
        http_connection_enter(connection, HTTP_ENDED);
    } else if (connection->now >= connection->deadline) {
        http_connection_shut(connection);
    }
    return false;
}

static bool read_header(struct http_connection *connection)
{
    struct http_parser *parser = connection->parser;
    size_t taken = http_parse(parser, connection->input.bytes, connection->input.length);

    http_connection_consume(connection, taken);
    if (parser->state == HTTP_PARSER_DONE) {
        http_begin_request(connection);
        return true;
    }
    if (parser->state == HTTP_PARSER_BAD) {
        http_refuse(connection, parser->status, parser->reason);
        return true;
    }
    if (connection->input_ended) {
        http_connection_enter(connection, HTTP_ENDED);
    } else if (connection->now >= connection->deadline) {
        http_refuse(connection, 408, "the request took too long");
        return true;
    }
    return false;
}

/* More of the body. False if the request has been refused. */
static bool take_content(struct http_connection *connection, const char *bytes, size_t length)
{
    if (connection->upload) {
        if (connection->upload->data(connection->upload_context, bytes, length)) {
            http_handle_request(connection);
            return false;
        }
        return true;
    }
    if (!http_buffer_append(&connection->content, bytes, length, http_content_max(connection))) {
        bool too_long = length > http_content_max(connection) - connection->content.length;

        http_refuse(connection, too_long ? 413 : 503,
                    too_long ? "the body is too long" : "there is no memory for the body");
        return false;
    }
    return true;
}

static bool read_content(struct http_connection *connection)
{
    struct http_buffer *input = &connection->input;
    size_t length;
    size_t taken = http_body_take(&connection->body, input->bytes, input->length, &length);

    if (length && !take_content(connection, input->bytes + taken - length, length)) {
        return true;
    }
    http_connection_consume(connection, taken);
    connection->pace.moved += taken;
    if (connection->body.state == HTTP_BODY_DONE) {
        http_handle_request(connection);
        return true;
    }
    if (connection->body.state == HTTP_BODY_BAD) {
        http_refuse(connection, 400, "the body's chunks are none");
        return true;
    }
    if (taken) {
        return true;
    }
    /* What says that the client should send the body. */
    http_connection_send(connection, &connection->header);
    if (connection->input_ended) {
        http_connection_enter(connection, HTTP_ENDED);
    } else if (!http_pace_keeps(&connection->pace, connection->now, CONTENT_NS, CONTENT_BYTES)) {
        http_refuse(connection, 408, "the body took too long");
        return true;
    }
    return false;
}

/* True when all is sent. */
static bool send_answer(struct http_connection *connection)
{
    size_t length;
    const char *body = http_answer_body(&connection->answer, &length);

    http_connection_send(connection, &connection->header);
    if (connection->header.length) {
        return false;
    }
    if (connection->body_sent < length) {
        size_t sent = connection->transport->send(connection->context, body + connection->body_sent,
                                                  length - connection->body_sent,
                                                  connection->answer.constant != NULL);

        connection->body_sent += sent;
        connection->pace.moved += sent;
    }
    return connection->body_sent == length;
}

static bool answer(struct http_connection *connection)
{
    /* Neither is needed any more, and a slow reader might keep them for long. */
    free_request(connection);
    if (!send_answer(connection)) {
        if (!http_pace_keeps(&connection->pace, connection->now, ANSWER_NS, ANSWER_BYTES)) {
            http_connection_enter(connection, HTTP_CUT);
        }
        return false;
    }
    connection->requests++;
    if (connection->answer.stream) {
        http_stream_open(connection);
    } else if (connection->close) {
        http_connection_shut(connection);
    } else {
        http_connection_enter(connection, HTTP_WAITING);
    }
    http_answer_free(&connection->answer);
    return true;
}

static bool linger(struct http_connection *connection)
{
    http_connection_consume(connection, connection->input.length);
    if (!connection->shut && connection->transport->shut(connection->context)) {
        connection->shut = true;
        http_connection_enter(connection, HTTP_LINGER);
    }
    if (connection->input_ended || connection->now >= connection->deadline) {
        http_connection_enter(connection, HTTP_ENDED);
    }
    return false;
}

/* True if it can go on at once. */
static bool step(struct http_connection *connection)
{
    switch (connection->state) {
    case HTTP_WAITING:
        return wait(connection);
    case HTTP_HEADER:
        return read_header(connection);
    case HTTP_CONTENT:
        return read_content(connection);
    case HTTP_ANSWER:
        return answer(connection);
    case HTTP_STREAM:
        http_stream_run(connection);
        return false;
    case HTTP_LINGER:
        return linger(connection);
    case HTTP_ENDED:
    case HTTP_CUT:
        break;
    }
    return false;
}

bool http_connection_run(struct http_connection *connection, uint64_t now)
{
    unsigned before = connection->requests;
    bool more = true;

    connection->now = now;
    while (more && connection->requests - before < REQUESTS_PER_TURN) {
        more = step(connection);
    }
    connection->transport->flush(connection->context);
    return more;
}
