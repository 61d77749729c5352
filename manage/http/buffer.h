/*
 * Bytes that grow at one end and are taken from the other. All buffers of the server together have
 * a limit. Pure but for the heap.
 */
#ifndef MANAGE_HTTP_BUFFER_H
#define MANAGE_HTTP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* What all buffers can take, in bytes: bodies that come and go are most of it. */
#define HTTP_MEMORY_MAX ((size_t)16 * 1024 * 1024)

/* Begins as all zeroes. A NUL follows the bytes, if there are any. */
struct http_buffer {
    char *bytes;
    size_t length;
    size_t size; /* of the memory */
    char *memory;
};

/** Appends; false, with nothing changed, when there is no memory or it would be longer than `max`.
 */
bool http_buffer_append(struct http_buffer *buffer, const void *bytes, size_t length, size_t max);
bool http_buffer_append_text(struct http_buffer *buffer, const char *text, size_t max);
/** Appends bytes that the caller fills in, where this points to; NULL as above. */
char *http_buffer_extend(struct http_buffer *buffer, size_t length, size_t max);
/** Takes so many of the first bytes away. */
void http_buffer_take(struct http_buffer *buffer, size_t length);
/** Gives its memory back; it is empty then. */
void http_buffer_free(struct http_buffer *buffer);

/** Bytes that all buffers have now. */
size_t http_memory_used(void);

#endif
