/*
 * A connection of the HTTP server from its inside: the states of a request, in which its parts take
 * turns.
 */
#ifndef MANAGE_HTTP_CONNECTION_H
#define MANAGE_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/http/answer.h"
#include "manage/http/body.h"
#include "manage/http/buffer.h"
#include "manage/http/parser.h"
#include "manage/http/server.h"
#include "manage/http/websocket.h"

#define HTTP_SECOND UINT64_C(1000000000)

enum http_state {
    HTTP_WAITING, /* for a request's first byte */
    HTTP_HEADER,
    HTTP_CONTENT, /* the body of a request */
    HTTP_ANSWER,
    HTTP_STREAM,
    HTTP_LINGER, /* all is sent: whatever still comes is dropped, until the other side is done */
    HTTP_ENDED,  /* what was sent arrives */
    HTTP_CUT
};

/* Whether as many bytes move as must in some time. */
struct http_pace {
    uint64_t until;
    size_t moved;
};

struct http_stream {
    const struct http_stream_handler *handler; /* NULL: none is open */
    void *context;
    bool is_websocket;
    bool closing; /* nothing is sent any more, but for what waits */
    bool peer_closing;
    bool pinged;
    struct access_identity who;
    uint64_t checked;  /* when it was last known that they still may */
    uint64_t heard;    /* when bytes came last */
    uint64_t spoke;    /* when bytes were sent last */
    uint64_t deadline; /* when closing */
    struct websocket websocket;
    struct http_buffer out;
};

struct http_connection {
    const struct http_transport *transport; /* NULL: lost */
    void *context;
    char peer[ACCESS_PEER_SIZE];
    bool secure;

    enum http_state state;
    uint64_t now;
    uint64_t since;    /* when the state began */
    uint64_t deadline; /* of some states */
    struct http_pace pace;
    unsigned requests; /* that were answered */

    struct http_buffer input; /* has come, and is not looked at */
    bool input_ended;

    struct http_parser *parser; /* while there is a request */
    struct http_request request;
    const struct http_route *route;
    struct http_body body;
    struct http_buffer content;
    const struct http_upload *upload; /* where the body goes instead, until its end */
    void *upload_context;

    struct http_answer answer;
    struct http_buffer header; /* of the answer, what is not sent of it */
    size_t body_sent;
    bool close; /* with this answer */
    bool shut;  /* the other side has been told that no more comes */

    struct http_stream stream;
};

/* connection.c */

/** Goes on as far as it can, within bounds; true if there is more to do at once. */
bool http_connection_run(struct http_connection *connection, uint64_t now);
void http_connection_enter(struct http_connection *connection, enum http_state state);
/** Takes bytes off the input. */
void http_connection_consume(struct http_connection *connection, size_t length);
/** Sends from a buffer what there is room for. */
void http_connection_send(struct http_connection *connection, struct http_buffer *buffer);
/** Sends no more, and lingers. */
void http_connection_shut(struct http_connection *connection);
/** Ends whatever the connection is in, and gives its memory back but for itself. */
void http_connection_clear(struct http_connection *connection);

/** A pace of at least `least` bytes in `ns` begins. */
void http_pace_start(struct http_pace *pace, uint64_t now, uint64_t ns);
/** False if too little has moved. */
bool http_pace_keeps(struct http_pace *pace, uint64_t now, uint64_t ns, size_t least);

/* dispatch.c */

/** A header is there: finds out who asks for what, and whether they may. */
void http_begin_request(struct http_connection *connection);
/** Bytes that its body can have. */
size_t http_content_max(const struct http_connection *connection);
/** Ends the upload, if there is one; true if there was, and the answer is written. */
bool http_end_upload(struct http_connection *connection, bool complete);
/** The request is whole: has it answered. */
void http_handle_request(struct http_connection *connection);
/** An answer of the server's own, in the manner of the route if there is one. */
void http_refuse(struct http_connection *connection, unsigned status, const char *reason);
/** The answer is written: its header is made, and it is to be sent. */
void http_start_answer(struct http_connection *connection);

/* stream.c */

/** The answer that began it is sent. */
void http_stream_open(struct http_connection *connection);
void http_stream_run(struct http_connection *connection);
/** Tells the handler of its end, if there is a stream. */
void http_stream_end(struct http_connection *connection);

/* server.c */

/** An answer has been made. */
void http_server_count(unsigned status);
/** The first route that fits; NULL if there is none. */
const struct http_route *http_find_route(const char *path);

#endif
