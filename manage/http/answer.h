/*
 * An answer as the server has it: what a handler made of it (http.h), and how it is sent. Pure but
 * for the heap.
 */
#ifndef MANAGE_HTTP_ANSWER_H
#define MANAGE_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/http/buffer.h"
#include "manage/http/http.h"

#define HTTP_FIELDS_BYTES_MAX 8192u

/* Of the value of Sec-WebSocket-Accept, with its NUL. */
#define HTTP_WEBSOCKET_ACCEPT_SIZE 29u

/* Begins as all zeroes. */
struct http_answer {
    unsigned status; /* 0: 200 */
    bool failed;     /* no memory, or too long */
    struct http_buffer fields;
    bool has_cache_control;
    struct http_buffer body;
    const void *constant; /* the body, if it is not NULL */
    size_t constant_length;

    /* If it becomes a stream. */
    const struct http_stream_handler *stream;
    void *stream_context;
    bool websocket;
    char websocket_accept[HTTP_WEBSOCKET_ACCEPT_SIZE];
};

/* What the server knows besides. */
struct http_sending {
    const char *connection; /* "close": it ends with this answer; NULL: it stays, as usual */
    bool bodiless;          /* HEAD */
    uint64_t date;          /* seconds since 1970-01-01 UTC; 0: nobody knows */
};

/** Its status; 500 if it has failed. */
unsigned http_answer_status(const struct http_answer *answer);
/** Makes it a short text in place of all that there was. */
void http_answer_text(struct http_answer *answer, unsigned status, const char *text);
/** Writes the header, and behind it the body if that is short; false when there is no memory. An
 * answer that has failed is another one after that: 500 and a short text. */
bool http_answer_header(struct http_answer *answer, const struct http_sending *sending,
                        struct http_buffer *header);
/** The body as it is sent, if it is not with the header. */
const char *http_answer_body(const struct http_answer *answer, size_t *length);
/** Gives memory back. */
void http_answer_free(struct http_answer *answer);

#endif
