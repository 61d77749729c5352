#include "manage/http/answer.h"

#include <stdio.h>
#include <string.h>

#include "manage/http/date.h"
#include "manage/http/fields.h"

/* The fields of handlers, and those of the server. */
#define HEADER_MAX (HTTP_FIELDS_BYTES_MAX + 2048u)

#define LINE_SIZE  128u
#define JOINED_MAX 3072u

static const struct {
    unsigned status;
    const char *phrase;
} phrases[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

static const char *phrase(unsigned status)
{
    for (unsigned i = 0; i < sizeof(phrases) / sizeof(*phrases); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "";
}

void http_status(struct http_answer *answer, unsigned status)
{
    answer->status = status;
}

unsigned http_answer_status(const struct http_answer *answer)
{
    if (answer->failed) {
        return 500;
    }
    return answer->status ? answer->status : 200;
}

/* A value that would end its line, and begin another of somebody's choice, is none. */
static bool is_value(const char *value)
{
    for (; *value; value++) {
        if ((*value >= 0 && *value < ' ' && *value != '\t') || *value == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool add(struct http_buffer *to, const char *name, const char *value, size_t max)
{
    return http_buffer_append_text(to, name, max) && http_buffer_append_text(to, ": ", max) &&
           http_buffer_append_text(to, value, max) && http_buffer_append_text(to, "\r\n", max);
}

void http_add_field(struct http_answer *answer, const char *name, const char *value)
{
    if (!is_value(value) || !add(&answer->fields, name, value, HTTP_FIELDS_BYTES_MAX)) {
        answer->failed = true;
    }
    if (http_equal(name, "Cache-Control")) {
        answer->has_cache_control = true;
    }
}

char *http_extend(struct http_answer *answer, size_t length)
{
    char *end = http_buffer_extend(&answer->body, length, HTTP_ANSWER_MAX);

    if (!end) {
        answer->failed = true;
    }
    return end;
}

void http_shorten(struct http_answer *answer, size_t length)
{
    answer->body.length -= length;
    answer->body.bytes[answer->body.length] = '\0';
}

void http_write(struct http_answer *answer, const void *bytes, size_t length)
{
    char *end = http_extend(answer, length);

    if (end && length) {
        memcpy(end, bytes, length);
    }
}

void http_body_constant(struct http_answer *answer, const void *bytes, size_t length)
{
    http_buffer_free(&answer->body);
    answer->constant = bytes;
    answer->constant_length = length;
}

const char *http_answer_body(const struct http_answer *answer, size_t *length)
{
    if (answer->constant) {
        *length = answer->constant_length;
        return answer->constant;
    }
    *length = answer->body.length;
    return answer->body.length ? answer->body.bytes : "";
}

const char *http_body(const struct http_answer *answer, size_t *length)
{
    return http_answer_body(answer, length);
}

void http_clear_body(struct http_answer *answer)
{
    http_buffer_free(&answer->body);
    answer->constant = NULL;
    answer->constant_length = 0;
}

void http_answer_free(struct http_answer *answer)
{
    http_buffer_free(&answer->fields);
    http_buffer_free(&answer->body);
    *answer = (struct http_answer){0};
}

void http_answer_text(struct http_answer *answer, unsigned status, const char *text)
{
    http_clear_body(answer);
    http_status(answer, status);
    http_add_field(answer, "Content-Type", "text/plain; charset=utf-8");
    http_write(answer, text, strlen(text));
    http_write(answer, "\n", 1);
}

void http_answer_events(struct http_answer *answer, const struct http_stream_handler *handler,
                        void *context)
{
    http_clear_body(answer);
    http_add_field(answer, "Content-Type", "text/event-stream");
    answer->stream = handler;
    answer->stream_context = context;
}

/* Neither has a body, nor a length of one (RFC 9110, 8.6). */
static bool has_length(const struct http_answer *answer, unsigned status)
{
    return status >= 200 && status != 204 && status != 304 && !answer->stream;
}

/* Not Strict-Transport-Security: with a self-made certificate, another at each boot, a browser that
 * has been told of it lets nobody in any more. */
static bool add_security(const struct http_answer *answer, struct http_buffer *header)
{
    return (answer->has_cache_control || add(header, "Cache-Control", "no-store", HEADER_MAX)) &&
           add(header, "X-Content-Type-Options", "nosniff", HEADER_MAX);
}

static bool add_websocket(const struct http_answer *answer, struct http_buffer *header)
{
    return add(header, "Upgrade", "websocket", HEADER_MAX) &&
           add(header, "Connection", "Upgrade", HEADER_MAX) &&
           add(header, "Sec-WebSocket-Accept", answer->websocket_accept, HEADER_MAX);
}

static bool add_date(const struct http_sending *sending, struct http_buffer *header)
{
    char date[HTTP_DATE_SIZE];

    if (sending->date == 0) {
        return true;
    }
    http_date(sending->date, date);
    return add(header, "Date", date, HEADER_MAX);
}

/* A short body goes with the header, which is one packet and one of TLS's records less. */
static void join(struct http_answer *answer, struct http_buffer *header)
{
    const struct http_buffer *body = &answer->body;

    if (!answer->constant && body->length <= JOINED_MAX &&
        http_buffer_append(header, body->bytes, body->length, HEADER_MAX + JOINED_MAX)) {
        http_buffer_free(&answer->body);
    }
}

bool http_answer_header(struct http_answer *answer, const struct http_sending *sending,
                        struct http_buffer *header)
{
    char line[LINE_SIZE];
    unsigned status;
    size_t length;

    if (answer->failed) {
        http_answer_free(answer);
        http_answer_text(answer, 500, "there is no memory for the answer");
    }
    status = http_answer_status(answer);
    (void)http_answer_body(answer, &length);
    snprintf(line, sizeof(line), "HTTP/1.1 %u %s\r\n", status, phrase(status));
    if (!http_buffer_append_text(header, line, HEADER_MAX) || !add_date(sending, header) ||
        !add_security(answer, header)) {
        return false;
    }
    if (status == 101) {
        if (!add_websocket(answer, header)) {
            return false;
        }
    } else if (sending->connection && !add(header, "Connection", sending->connection, HEADER_MAX)) {
        return false;
    }
    if (has_length(answer, status)) {
        snprintf(line, sizeof(line), "%zu", length);
        if (!add(header, "Content-Length", line, HEADER_MAX)) {
            return false;
        }
    }
    if (!has_length(answer, status) || sending->bodiless) {
        http_clear_body(answer);
    }
    if (!http_buffer_append(header, answer->fields.bytes, answer->fields.length, HEADER_MAX) ||
        !http_buffer_append_text(header, "\r\n", HEADER_MAX)) {
        return false;
    }
    join(answer, header);
    return true;
}
