/*
 * The body of a request as it is sent: sized or in chunks (RFC 9112, 6 and 7). Pure.
 */
#ifndef MANAGE_HTTP_BODY_H
#define MANAGE_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes between the data of two chunks, and those of all trailers. */
#define HTTP_CHUNK_LINE_MAX 256u
#define HTTP_TRAILERS_MAX   4096u

enum http_body_state {
    HTTP_BODY_SIZE,      /* at the line with a chunk's size */
    HTTP_BODY_EXTENSION, /* in the rest of that line */
    HTTP_BODY_SIZE_END,  /* at its LF */
    HTTP_BODY_DATA,
    HTTP_BODY_DATA_END, /* at the CR after a chunk's data */
    HTTP_BODY_DATA_LF,
    HTTP_BODY_TRAILER,     /* in a trailer, or at its beginning */
    HTTP_BODY_TRAILER_END, /* at its LF */
    HTTP_BODY_DONE,
    HTTP_BODY_BAD
};

struct http_body {
    enum http_body_state state;
    bool chunked;
    uint64_t left;   /* of the data, or of the chunk */
    unsigned digits; /* of the chunk's size */
    size_t line;     /* bytes of this line, or of all trailers */
    bool trailer_empty;
};

void http_body_start(struct http_body *body, bool chunked, uint64_t length);

/** Takes bytes up to the end of the next piece of data; returns how many. The piece is the last
 * *data_length of those. Nothing is taken when the body is done or bad. */
size_t http_body_take(struct http_body *body, const void *bytes, size_t length,
                      size_t *data_length);

#endif
