#include "manage/http/parser.h"

#include <string.h>

#include "manage/http/fields.h"
#include "manage/http/target.h"

static const char *const methods[HTTP_METHODS] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS",
};

/* Of these there can be one only: if there were two, who reads the first and who reads the last
 * would see different requests. */
static const char *const singletons[] = {
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Content-Type",
    "Authorization",
    "X-Auth-Token",
    "Cookie",
    "Origin",
    "Expect",
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
};

void http_parser_start(struct http_parser *parser)
{
    memset(parser, 0, offsetof(struct http_parser, bytes));
}

static void refuse(struct http_parser *parser, unsigned status, const char *reason)
{
    parser->state = HTTP_PARSER_BAD;
    parser->status = status;
    parser->reason = reason;
}

/* "HTTP/1.1": the last word of the first line. False after a refusal. */
static bool take_version(struct http_parser *parser, const char *version)
{
    if (strncmp(version, "HTTP/", 5) != 0 || version[5] < '0' || version[5] > '9' ||
        version[6] != '.' || version[7] < '0' || version[7] > '9' || version[8] != '\0') {
        refuse(parser, 400, "the request's first line does not end in an HTTP version");
        return false;
    }
    if (version[5] != '1') {
        refuse(parser, 505, "this server speaks HTTP/1.1");
        return false;
    }
    parser->minor = version[7] == '0' ? 0 : 1;
    return true;
}

static bool take_method(struct http_parser *parser, const char *method)
{
    for (const char *c = method; c == method || *c; c++) {
        if (!http_is_token_character(*c)) {
            refuse(parser, 400, "the method is none");
            return false;
        }
    }
    for (unsigned i = 0; i < HTTP_METHODS; i++) {
        if (strcmp(method, methods[i]) == 0) {
            parser->method = (enum http_method)i;
            return true;
        }
    }
    refuse(parser, 501, "there is no such method here");
    return false;
}

static void take_first_line(struct http_parser *parser, char *line)
{
    struct http_target target;
    char *text = strchr(line, ' ');
    char *version = text ? strchr(text + 1, ' ') : NULL;

    if (!version) {
        refuse(parser, 400, "the request's first line is not METHOD TARGET VERSION");
        return;
    }
    *text++ = '\0';
    *version++ = '\0';
    if (!take_version(parser, version) || !take_method(parser, line)) {
        return;
    }
    if (!http_target_parse(text, &target) ||
        (strcmp(target.path, "*") == 0 && parser->method != HTTP_OPTIONS)) {
        refuse(parser, 400, "the request's target is none");
        return;
    }
    parser->path = target.path;
    parser->query = target.query;
    parser->host = target.host;
    parser->state = HTTP_PARSER_FIELDS;
}

/* A field's name and value, which get NULs in place. */
static void take_field(struct http_parser *parser, char *line)
{
    char *colon = strchr(line, ':');
    char *value;
    char *end;

    if (*line == ' ' || *line == '\t') {
        refuse(parser, 400, "a header field is folded");
        return;
    }
    if (!colon || colon == line) {
        refuse(parser, 400, "a header field is not NAME: VALUE");
        return;
    }
    *colon = '\0';
    for (const char *c = line; *c; c++) {
        if (!http_is_token_character(*c)) { /* a blank before the colon, too */
            refuse(parser, 400, "the name of a header field is none");
            return;
        }
    }
    for (value = colon + 1; *value == ' ' || *value == '\t'; value++) {
    }
    for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--) {
    }
    *end = '\0';
    if (parser->field_count == HTTP_FIELDS_MAX) {
        refuse(parser, 431, "too many header fields");
        return;
    }
    parser->fields[parser->field_count++] = (struct http_field){.name = line, .value = value};
}

static bool is_repeated(const struct http_parser *parser)
{
    for (unsigned i = 0; i < sizeof(singletons) / sizeof(*singletons); i++) {
        unsigned seen = 0;

        for (unsigned j = 0; j < parser->field_count; j++) {
            seen += http_equal(parser->fields[j].name, singletons[i]);
        }
        if (seen > 1) {
            return true;
        }
    }
    return false;
}

static const char *find(const struct http_parser *parser, const char *name)
{
    return http_find_field(parser->fields, parser->field_count, name);
}

/* Nothing but digits, and no sign. */
static bool parse_length(const char *text, uint64_t *length)
{
    *length = 0;
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        *length = *length * 10 + (uint64_t)(*text - '0');
        if (*length > HTTP_LENGTH_MAX) {
            return false;
        }
    }
    return true;
}

/* How long the body is: by one field or the other (RFC 9112, 6). */
static void take_body_length(struct http_parser *parser)
{
    const char *length = find(parser, "Content-Length");
    const char *encoding = find(parser, "Transfer-Encoding");

    if (encoding) {
        if (length || parser->minor == 0) {
            refuse(parser, 400, "Transfer-Encoding with Content-Length or HTTP/1.0");
        } else if (!http_equal(encoding, "chunked")) {
            refuse(parser, 501, "of transfer encodings there is chunked only");
        }
        parser->chunked = true;
    } else if (length) {
        parser->has_length = true;
        if (!parse_length(length, &parser->length)) {
            refuse(parser, 400, "Content-Length is no number");
        }
    }
}

static void take_host(struct http_parser *parser)
{
    const char *host = find(parser, "Host");

    if (!host && parser->minor > 0) {
        refuse(parser, 400, "Host is missing");
    } else if (host && !http_is_host(host)) {
        refuse(parser, 400, "Host is none");
    }
    if (!parser->host) {
        parser->host = host ? host : "";
    }
}

static void take_expectation(struct http_parser *parser)
{
    const char *expect = find(parser, "Expect");

    if (expect && parser->minor > 0) {
        parser->expects_continue = true;
        if (!http_equal(expect, "100-continue")) {
            refuse(parser, 417, "only 100-continue can be expected");
        }
    }
}

static void take_connection(struct http_parser *parser)
{
    bool close = parser->minor == 0;

    for (unsigned i = 0; i < parser->field_count; i++) {
        if (http_equal(parser->fields[i].name, "Connection")) {
            if (http_list_has(parser->fields[i].value, "close")) {
                parser->keep_alive = false;
                return;
            }
            if (http_list_has(parser->fields[i].value, "keep-alive")) {
                close = false;
            }
        }
    }
    parser->keep_alive = !close;
}

/* The empty line is there: what the fields mean together. */
static void finish(struct http_parser *parser)
{
    parser->state = HTTP_PARSER_DONE;
    if (is_repeated(parser)) {
        refuse(parser, 400, "a header field is there twice that can be there once only");
        return;
    }
    take_connection(parser);
    take_host(parser);
    if (parser->state == HTTP_PARSER_DONE) {
        take_body_length(parser);
    }
    if (parser->state == HTTP_PARSER_DONE) {
        take_expectation(parser);
    }
}

/* A line is there, its NUL in place of its end. */
static void take_line(struct http_parser *parser)
{
    char *line = &parser->bytes[parser->line];
    bool empty = *line == '\0';

    parser->line = parser->used;
    if (parser->state == HTTP_PARSER_LINE) {
        /* Some clients send one after a body (RFC 9112, 2.2). */
        if (empty && !parser->empty_line_skipped) {
            parser->empty_line_skipped = true;
            return;
        }
        take_first_line(parser, line);
    } else if (empty) {
        finish(parser);
    } else {
        take_field(parser, line);
    }
}

/* One byte. A line ends in CR LF, neither of which is anywhere else, and there are no other control
 * characters but tabs in fields. */
static void take(struct http_parser *parser, char c)
{
    if (parser->used == HTTP_HEADER_MAX) {
        refuse(parser, 431, "the header is too long");
        return;
    }
    if (parser->return_seen) {
        if (c != '\n') {
            refuse(parser, 400, "a CR without LF");
            return;
        }
        parser->return_seen = false;
        parser->bytes[parser->used++] = '\0';
        take_line(parser);
        return;
    }
    if (c == '\r') {
        parser->return_seen = true;
        return;
    }
    if ((c >= 0 && c < ' ' && (c != '\t' || parser->state == HTTP_PARSER_LINE)) || c == 0x7f) {
        refuse(parser, 400, c == '\n' ? "an LF without CR" : "a control character in the header");
        return;
    }
    if (parser->state == HTTP_PARSER_LINE && c < 0) {
        refuse(parser, 400, "the request's first line is not ASCII");
        return;
    }
    parser->bytes[parser->used++] = c;
    if (parser->state == HTTP_PARSER_LINE && parser->used - parser->line > HTTP_LINE_MAX) {
        refuse(parser, 414, "the request's first line is too long");
    }
}

size_t http_parse(struct http_parser *parser, const void *bytes, size_t length)
{
    const char *next = bytes;
    size_t taken = 0;

    while (taken < length && parser->state <= HTTP_PARSER_FIELDS) {
        take(parser, next[taken++]);
    }
    return taken;
}
