/* libFuzzer target: what an HTTP client sends, to each of those who read it. However the bytes are
 * cut, the same must come out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manage/http/body.h"
#include "manage/http/parser.h"
#include "manage/http/utf8.h"
#include "manage/http/websocket.h"

/* What came out of bytes: all that is to be the same, one after the other. */
struct outcome {
    char bytes[65536 * 2];
    size_t length;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void add(struct outcome *outcome, const void *bytes, size_t length)
{
    require(length <= sizeof(outcome->bytes) - outcome->length);
    if (length) {
        memcpy(outcome->bytes + outcome->length, bytes, length);
    }
    outcome->length += length;
}

static void add_text(struct outcome *outcome, const char *text)
{
    add(outcome, text, strlen(text) + 1);
}

static void add_number(struct outcome *outcome, uint64_t number)
{
    add(outcome, &number, sizeof(number));
}

/* Cuts bytes into pieces, by a pattern that a seed makes; 0: not at all. */
static size_t piece(unsigned *seed, size_t left)
{
    size_t length;

    if (*seed == 0 || left < 2) {
        return left;
    }
    *seed = *seed * 1103515245u + 12345u;
    length = 1 + (*seed >> 16) % (*seed & 0x100 ? 2 : 40);
    return length < left ? length : left;
}

/* Every segment is text and neither empty nor "." nor "..", as routes and handlers rely on. */
static void check_path(const char *path)
{
    struct utf8 utf8 = {0};

    require(utf8_check(&utf8, path, strlen(path)) && utf8_complete(&utf8));
    if (strcmp(path, "/") == 0 || strcmp(path, "*") == 0) {
        return;
    }
    while (*path) {
        size_t length;

        require(*path++ == '/');
        for (length = 0; path[length] && path[length] != '/'; length++) {
            require((unsigned char)path[length] >= ' ' && path[length] != 0x7f);
        }
        require(length > 0);
        require(!(length == 1 && path[0] == '.'));
        require(!(length == 2 && path[0] == '.' && path[1] == '.'));
        path += length;
    }
}

static void add_header(struct outcome *outcome, const struct http_parser *parser)
{
    add_number(outcome, parser->state);
    if (parser->state == HTTP_PARSER_BAD) {
        require(parser->status >= 400 && parser->status < 600 && parser->reason);
        add_number(outcome, parser->status);
        return;
    }
    if (parser->state != HTTP_PARSER_DONE) {
        return;
    }
    require(parser->method < HTTP_METHODS && parser->field_count <= HTTP_FIELDS_MAX);
    require(!(parser->chunked && parser->has_length) && parser->length <= HTTP_LENGTH_MAX);
    require(parser->host && parser->query);
    check_path(parser->path);
    add_number(outcome, parser->method);
    add_number(outcome, parser->length);
    add_number(outcome, parser->chunked | parser->keep_alive << 1 | parser->expects_continue << 2);
    add_text(outcome, parser->path);
    add_text(outcome, parser->query);
    add_text(outcome, parser->host);
    for (unsigned i = 0; i < parser->field_count; i++) {
        require(parser->fields[i].name[0]);
        require(!strpbrk(parser->fields[i].value, "\r\n"));
        add_text(outcome, parser->fields[i].name);
        add_text(outcome, parser->fields[i].value);
    }
}

/* A header, then its body, as the server reads them. */
static void read_request(const uint8_t *data, size_t size, unsigned seed, struct outcome *outcome)
{
    struct http_parser *parser = malloc(sizeof(*parser));
    struct http_body body;
    size_t at = 0;

    http_parser_start(parser);
    while (at < size && parser->state <= HTTP_PARSER_FIELDS) {
        size_t length = piece(&seed, size - at);
        size_t taken = http_parse(parser, data + at, length);

        require(taken <= length && (taken == length || parser->state > HTTP_PARSER_FIELDS));
        at += taken;
    }
    add_header(outcome, parser);
    add_number(outcome, at);
    http_body_start(&body, parser->chunked, parser->length);
    while (parser->state == HTTP_PARSER_DONE && at < size && body.state < HTTP_BODY_DONE) {
        size_t length = piece(&seed, size - at);
        size_t content;
        size_t taken = http_body_take(&body, data + at, length, &content);

        require(taken <= length && content <= taken && taken > 0);
        add(outcome, data + at + taken - content, content);
        at += taken;
    }
    add_number(outcome, body.state);
    add_number(outcome, at);
    free(parser);
}

static void read_frames(const uint8_t *data, size_t size, unsigned seed, struct outcome *outcome)
{
    struct websocket websocket = {0};
    enum websocket_event event = WEBSOCKET_MORE;
    size_t at = 0;

    while (at < size && event != WEBSOCKET_VIOLATION) {
        size_t length = piece(&seed, size - at);
        size_t taken = websocket_take(&websocket, data + at, length, &event);

        require(taken <= length && taken > 0 && (taken == length || event != WEBSOCKET_MORE));
        at += taken;
        if (event == WEBSOCKET_MORE) {
            continue;
        }
        add_number(outcome, event);
        require(websocket.message.length <= WEBSOCKET_MESSAGE_MAX);
        require(websocket.control_length <= WEBSOCKET_CONTROL_MAX);
        if (event == WEBSOCKET_MESSAGE) {
            struct utf8 utf8 = {0};

            require(!websocket.text ||
                    (utf8_check(&utf8, websocket.message.bytes, websocket.message.length) &&
                     utf8_complete(&utf8)));
            add(outcome, websocket.message.bytes, websocket.message.length);
        } else if (event == WEBSOCKET_PINGED) {
            add(outcome, websocket.control, websocket.control_length);
        } else if (event != WEBSOCKET_PONGED) {
            add_number(outcome, websocket.code);
        }
    }
    /* Text that is none is found when it comes; how much of it was taken by then is the same only
     * if all that comes before was. */
    websocket_free(&websocket);
    require(http_memory_used() == 0);
}

static void compare(void (*read)(const uint8_t *, size_t, unsigned, struct outcome *),
                    const uint8_t *data, size_t size)
{
    static struct outcome whole;
    static struct outcome cut;

    whole.length = 0;
    read(data, size, 0, &whole);
    for (unsigned seed = 1; seed < 4; seed++) {
        cut.length = 0;
        read(data, size, seed, &cut);
        require(cut.length == whole.length && memcmp(cut.bytes, whole.bytes, cut.length) == 0);
    }
}

static void read_query(const uint8_t *data, size_t size)
{
    char *query = malloc(size + 1);
    struct http_request request = {.query = query};
    char value[16];

    memcpy(query, data, size);
    query[size] = '\0';
    if (http_query(&request, "key", value, sizeof(value))) {
        require(strlen(value) < sizeof(value));
    }
    free(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        compare(read_request, data + 1, size - 1);
        break;
    case 1:
        compare(read_frames, data + 1, size - 1);
        break;
    default:
        read_query(data + 1, size - 1);
        break;
    }
    return 0;
}
