/*
 * The header of an HTTP/1.1 request (RFC 9110, 9112): takes bytes as they come, in pieces of any
 * size, and is strict where leniency lets two readers of the same bytes see different requests.
 * Pure.
 */
#ifndef MANAGE_HTTP_PARSER_H
#define MANAGE_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/http/http.h"

#define HTTP_HEADER_MAX 8192u /* bytes, with the first line */
#define HTTP_LINE_MAX   4096u /* of the first line */
#define HTTP_FIELDS_MAX 64u

#define HTTP_LENGTH_MAX (UINT64_C(1) << 60)

enum http_parser_state { HTTP_PARSER_LINE, HTTP_PARSER_FIELDS, HTTP_PARSER_DONE, HTTP_PARSER_BAD };

struct http_parser {
    enum http_parser_state state;
    size_t used; /* of `bytes` */
    size_t line; /* where the line that is read now begins in it */
    bool return_seen;
    bool empty_line_skipped;

    /* When it is done. All but the status and the numbers point into `bytes`. */
    enum http_method method;
    unsigned minor; /* of the version */
    char *path;
    const char *query;
    const char *host; /* "" if there is none */
    struct http_field fields[HTTP_FIELDS_MAX];
    unsigned field_count;
    bool has_length;
    uint64_t length;
    bool chunked;
    bool expects_continue;
    bool keep_alive; /* the client wants it, or does not say */

    /* When it is bad: what to answer. */
    unsigned status;
    const char *reason;

    char bytes[HTTP_HEADER_MAX];
};

void http_parser_start(struct http_parser *parser);

/** Takes bytes until the header is done or bad; returns how many. What it does not take is the
 * body's. */
size_t http_parse(struct http_parser *parser, const void *bytes, size_t length);

#endif
