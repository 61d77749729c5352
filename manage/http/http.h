/*
 * What a route of the HTTP server sees: a request that was read and checked, and an answer to be
 * written. Pure: handlers can be called by a test as the server calls them.
 *
 * All of it in the network's thread.
 */
#ifndef MANAGE_HTTP_HTTP_H
#define MANAGE_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/access/access.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD, /* handled as GET; the server leaves the body out */
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS, /* the server answers it */
    HTTP_METHODS
};

#define HTTP_ALLOW(method) (1u << (method))

struct http_field {
    const char *name; /* as sent; compared without case */
    const char *value;
};

struct http_request {
    enum http_method method;
    const char *path;  /* decoded, normalised: begins with '/', no empty, "." or ".." segment and no
                          '/' at its end unless it is "/" */
    const char *query; /* as sent, after the '?'; "" if there is none */
    const struct http_field *fields;
    unsigned field_count;
    const char *body; /* whole, with a NUL past its end; of an upload: "" */
    size_t body_length;
    bool secure;                /* came by TLS */
    const char *peer;           /* the client's address, "10.0.2.2" */
    struct access_identity who; /* who asks; who.role is ACCESS_NOBODY on public routes without
                                   credentials */
    uint64_t now;               /* ns since boot */
};

/** Value of a header field, NULL if it is not there. */
const char *http_field(const struct http_request *request, const char *name);
/** Decodes the value of a key of the query into `value`; false if it is not there or too long.
 * A key without '=' has the value "". */
bool http_query(const struct http_request *request, const char *key, char *value, size_t size);

/* The answer. Its body grows as it is written; when there is no memory or it exceeds
 * HTTP_ANSWER_MAX the client gets 500 instead, and the handler need not care. */
#define HTTP_ANSWER_MAX ((size_t)4 * 1024 * 1024)

struct http_answer;

/** 200 if not called. */
void http_status(struct http_answer *answer, unsigned status);
/** Adds a header field. Content-Length, Connection, Date and what is for security
 * (X-Content-Type-Options, Cache-Control: no-store where no Cache-Control is given) are the
 * server's. `name` must last; `value` is copied. */
void http_add_field(struct http_answer *answer, const char *name, const char *value);
/** Appends to the body. */
void http_write(struct http_answer *answer, const void *bytes, size_t length);
/** The same with bytes that the caller fills in, where this points to; NULL: there is no memory. */
char *http_extend(struct http_answer *answer, size_t length);
/** Drops so many of the last bytes of the body. */
void http_shorten(struct http_answer *answer, size_t length);
/** Makes the body these bytes, which are not copied and last as long as the kernel. */
void http_body_constant(struct http_answer *answer, const void *bytes, size_t length);
/** What has been written so far, for ETags. */
const char *http_body(const struct http_answer *answer, size_t *length);
/** Drops what was written of the body. */
void http_clear_body(struct http_answer *answer);

/* A body too large for memory at once: it is handed on as it comes. */
struct http_upload {
    /** Called when the header has been read: `length` is that of the body, UINT64_MAX if it is
     * chunked. Returns the context for the others; NULL: refused, the answer is complete and the
     * body is not read. */
    void *(*begin)(const struct http_request *request, uint64_t length, struct http_answer *answer);
    /** More bytes. 0, or a negative errno: the rest is not read, and `end` is called next. */
    int (*data)(void *context, const void *bytes, size_t length);
    /** All has come (`complete`; `answer` wants to be written), or the client is gone or `data` has
     * failed (write the answer: it is sent if there still is anybody). Frees the context. */
    void (*end)(void *context, const struct http_request *request, bool complete,
                struct http_answer *answer);
};

/* A connection that stays: a WebSocket or server-sent events. */
struct http_stream;

struct http_stream_handler {
    /** The other side is there; `who` stays as it was for all of the connection. */
    void (*opened)(struct http_stream *stream, void *context);
    /** A whole message (WebSocket only), NUL past its end. */
    void (*received)(struct http_stream *stream, void *context, bool text, const uint8_t *bytes,
                     size_t length);
    /** Called often, at least whenever the network's thread was woken (net_wake) and when there is
     * room again: sends what there is. */
    void (*service)(struct http_stream *stream, void *context);
    /** The connection is gone: `stream` is nobody's, free `context`. Comes once, and without
     * `opened` if the client went before. */
    void (*closed)(struct http_stream *stream, void *context);
};

/** The answer is a WebSocket (RFC 6455), if the request asks for one rightly; else 400 or 426 is
 * answered and false returned: `context` stays the caller's. */
bool http_answer_websocket(const struct http_request *request, struct http_answer *answer,
                           const struct http_stream_handler *handler, void *context);
/** The answer is text/event-stream. */
void http_answer_events(struct http_answer *answer, const struct http_stream_handler *handler,
                        void *context);
/** Bytes that can be sent now. */
size_t http_stream_room(const struct http_stream *stream);
/** Sends a message (WebSocket), or appends to the event stream as it is. 0, or -EAGAIN: not enough
 * room, nothing was sent. */
int http_stream_send(struct http_stream *stream, bool text, const void *bytes, size_t length);
/** Ends it; `closed` follows, not within this call. */
void http_stream_close(struct http_stream *stream);

/* Who may use a route. */
enum http_access {
    HTTP_PUBLIC, /* anybody */
    HTTP_READ,   /* any account for GET and HEAD, administrators for all else */
    HTTP_OWN,    /* any account; the handler decides */
};

/* The first route that fits is taken. */
struct http_route {
    const char *path;
    bool below;       /* takes all paths below `path`, too */
    unsigned methods; /* HTTP_ALLOW of each; HEAD comes with GET. Others get 405 with Allow */
    enum http_access access;
    size_t body_max; /* bytes; 413 beyond. Not for uploads */
    void (*handle)(const struct http_request *request, struct http_answer *answer);
    const struct http_upload *upload; /* for PUT and POST instead of `handle`; NULL: none */
    /** Whether this route answers errors of the server in front of it (401, 403, 404, 405, 413 …)
     * in its own way; NULL: a short text. */
    void (*error)(const struct http_request *request, struct http_answer *answer, unsigned status,
                  const char *reason);
};

#endif
