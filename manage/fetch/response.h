/*
 * A server's answer to GET (RFC 9112), read as it comes: the status, the fields that matter, and a
 * body with Content-Length, in chunks, or until the connection ends. Pure.
 */
#ifndef MANAGE_FETCH_RESPONSE_H
#define MANAGE_FETCH_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESPONSE_HEADER_MAX  16384u /* bytes in front of a body, and behind one in chunks */
#define RESPONSE_LINE_SIZE   1024u  /* of longer lines, the rest is not looked at */
#define RESPONSE_REASON_SIZE 320u

enum response_state {
    RESPONSE_STATUS,
    RESPONSE_FIELDS,
    RESPONSE_BODY,
    RESPONSE_CHUNK_SIZE,
    RESPONSE_CHUNK,
    RESPONSE_CHUNK_END,
    RESPONSE_TRAILER,
    RESPONSE_COMPLETE,
    RESPONSE_FAILED
};

/* Who wants the body. Both return 0, or a negative errno and why in `reason`: then it ends. */
struct response_sink {
    /* Comes first, of an answer that is as it should be: length UINT64_MAX if it is not known. */
    int (*begin)(void *context, uint64_t length, char *reason, size_t size);
    int (*data)(void *context, const uint8_t *bytes, size_t length, char *reason, size_t size);
    void *context;
};

struct response {
    struct response_sink sink;
    enum response_state state;
    char line[RESPONSE_LINE_SIZE];
    size_t length;  /* of the line */
    size_t outside; /* bytes outside of the body */
    unsigned status;
    char status_line[80];
    char location[160];
    uint64_t content_length; /* UINT64_MAX: not told */
    bool chunked;
    uint64_t left; /* of the body, or of the chunk */
    char reason[RESPONSE_REASON_SIZE];
};

void response_init(struct response *response, const struct response_sink *sink);
/** Takes what has come. False if it is RESPONSE_FAILED now; `reason` says why. What follows the
 * body is not looked at. */
bool response_take(struct response *response, const uint8_t *bytes, size_t length);
/** Nothing more comes. True if it is complete; else `reason` says why not. */
bool response_end(struct response *response);

#endif
