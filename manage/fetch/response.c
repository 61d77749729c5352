#include "manage/fetch/response.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STATUS_OK          200u
#define STATUS_CONTINUE    100u
#define STATUS_REDIRECTION 300u
#define STATUS_ERROR       400u

static bool __attribute__((format(printf, 2, 3)))
fail(struct response *response, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(response->reason, sizeof(response->reason), format, arguments);
    va_end(arguments);
    response->state = RESPONSE_FAILED;
    return false;
}

void response_init(struct response *response, const struct response_sink *sink)
{
    memset(response, 0, sizeof(*response));
    response->sink = *sink;
    response->content_length = UINT64_MAX;
}

static int to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool equal_without_case(const char *a, const char *b)
{
    while (*a != '\0' && to_lower(*a) == to_lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* HTTP/1.x, a space, three digits, and words for people. */
static bool read_status(struct response *response)
{
    const char *line = response->line;

    if (strncmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) || line[8] != ' ' ||
        !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) ||
        (line[12] != ' ' && line[12] != '\0')) {
        return fail(response, "the server does not speak HTTP/1.1");
    }
    response->status = (unsigned)(line[9] - '0') * 100 + (unsigned)(line[10] - '0') * 10 +
                       (unsigned)(line[11] - '0');
    snprintf(response->status_line, sizeof(response->status_line), "%s", line + 9);
    response->state = RESPONSE_FIELDS;
    return true;
}

static bool read_length(struct response *response, const char *value)
{
    uint64_t length = 0;
    const char *c = value;

    for (; is_digit(*c); c++) {
        if (__builtin_mul_overflow(length, 10u, &length) ||
            __builtin_add_overflow(length, (uint64_t)(*c - '0'), &length)) {
            break;
        }
    }
    if (c == value || *c != '\0' || length == UINT64_MAX ||
        (response->content_length != UINT64_MAX && response->content_length != length)) {
        return fail(response, "the server's Content-Length makes no sense: %.40s", value);
    }
    response->content_length = length;
    return true;
}

static bool read_field(struct response *response)
{
    char *colon = strchr(response->line, ':');
    const char *value;

    if (!colon || colon == response->line) {
        return fail(response, "the server sends a header field without a name");
    }
    *colon = '\0';
    value = colon + 1;
    while (*value == ' ' || *value == '\t') {
        value++;
    }
    if (equal_without_case(response->line, "content-length")) {
        return read_length(response, value);
    }
    if (equal_without_case(response->line, "transfer-encoding")) {
        response->chunked = equal_without_case(value, "chunked");
        return response->chunked ||
               fail(response, "the server sends it encoded (%.40s), which was not asked for",
                    value);
    }
    if (equal_without_case(response->line, "content-encoding") &&
        !equal_without_case(value, "identity")) {
        return fail(response, "the server sends it encoded (%.40s), which was not asked for",
                    value);
    }
    if (equal_without_case(response->line, "location")) {
        snprintf(response->location, sizeof(response->location), "%s", value);
    }
    return true;
}

static bool begin_body(struct response *response)
{
    uint64_t length = response->chunked ? UINT64_MAX : response->content_length;

    if (response->status < STATUS_OK && response->status >= STATUS_CONTINUE) {
        response->state = RESPONSE_STATUS; /* the real answer follows */
        response->content_length = UINT64_MAX;
        response->chunked = false;
        return true;
    }
    if (response->status >= STATUS_REDIRECTION && response->status < STATUS_ERROR &&
        response->location[0] != '\0') {
        return fail(response, "the server answers %s, to %s: give that address",
                    response->status_line, response->location);
    }
    if (response->status != STATUS_OK) {
        return fail(response, "the server answers %s", response->status_line);
    }
    if (response->sink.begin(response->sink.context, length, response->reason,
                             sizeof(response->reason)) != 0) {
        response->state = RESPONSE_FAILED;
        return false;
    }
    response->left = length;
    response->state = response->chunked ? RESPONSE_CHUNK_SIZE
                      : length == 0     ? RESPONSE_COMPLETE
                                        : RESPONSE_BODY;
    return true;
}

static int hex_digit(char c)
{
    int lower = to_lower(c);

    if (is_digit(c)) {
        return c - '0';
    }
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool begin_chunk(struct response *response)
{
    const char *c = response->line;

    response->left = 0;
    for (; hex_digit(*c) >= 0; c++) {
        if (response->left >> 56 != 0) {
            break;
        }
        response->left = response->left << 4 | (uint64_t)hex_digit(*c);
    }
    if (c == response->line || (*c != '\0' && *c != ';' && *c != ' ')) {
        return fail(response, "the server sends a chunk whose size makes no sense");
    }
    response->state = response->left > 0 ? RESPONSE_CHUNK : RESPONSE_TRAILER;
    response->outside = 0; /* that many for each chunk */
    return true;
}

static bool take_line(struct response *response)
{
    bool empty = response->length == 0;

    response->length = 0;
    switch (response->state) {
    case RESPONSE_STATUS:
        return read_status(response);
    case RESPONSE_FIELDS:
        return empty ? begin_body(response) : read_field(response);
    case RESPONSE_CHUNK_SIZE:
        return begin_chunk(response);
    case RESPONSE_CHUNK_END:
        response->state = RESPONSE_CHUNK_SIZE;
        return empty || fail(response, "the server sends a chunk that is longer than it said");
    case RESPONSE_TRAILER:
        response->state = empty ? RESPONSE_COMPLETE : RESPONSE_TRAILER;
        return true;
    default:
        return false;
    }
}

/* A byte of what is read by lines. */
static bool take_byte(struct response *response, uint8_t byte)
{
    if (++response->outside > RESPONSE_HEADER_MAX) {
        return fail(response, "the server's header is too long");
    }
    if (byte != '\n') {
        if (response->length + 1 < RESPONSE_LINE_SIZE) {
            response->line[response->length++] = (char)byte;
        }
        return true;
    }
    if (response->length > 0 && response->line[response->length - 1] == '\r') {
        response->length--;
    }
    response->line[response->length] = '\0';
    if (strlen(response->line) != response->length) {
        return fail(response, "the server sends a header with a NUL");
    }
    return take_line(response);
}

/* Bytes of the body; how many are. */
static size_t take_body(struct response *response, const uint8_t *bytes, size_t length)
{
    size_t part = length < response->left ? length : (size_t)response->left;

    if (response->sink.data(response->sink.context, bytes, part, response->reason,
                            sizeof(response->reason)) != 0) {
        response->state = RESPONSE_FAILED;
        return part;
    }
    if (response->left != UINT64_MAX) {
        response->left -= part;
    }
    if (response->left == 0) {
        response->state =
            response->state == RESPONSE_CHUNK ? RESPONSE_CHUNK_END : RESPONSE_COMPLETE;
    }
    return part;
}

bool response_take(struct response *response, const uint8_t *bytes, size_t length)
{
    while (length > 0 && response->state != RESPONSE_COMPLETE &&
           response->state != RESPONSE_FAILED) {
        size_t part = 1;

        if (response->state == RESPONSE_BODY || response->state == RESPONSE_CHUNK) {
            part = take_body(response, bytes, length);
        } else {
            (void)take_byte(response, *bytes);
        }
        bytes += part;
        length -= part;
    }
    return response->state != RESPONSE_FAILED;
}

bool response_end(struct response *response)
{
    if (response->state == RESPONSE_BODY && response->left == UINT64_MAX) {
        response->state = RESPONSE_COMPLETE;
    }
    if (response->state == RESPONSE_STATUS && response->outside == 0) {
        return fail(response, "the server ended the connection without an answer");
    }
    if (response->state != RESPONSE_COMPLETE && response->state != RESPONSE_FAILED) {
        return fail(response, "the connection broke before all had come");
    }
    return response->state == RESPONSE_COMPLETE;
}
