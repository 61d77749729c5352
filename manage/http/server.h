/*
 * The HTTP server, without what carries its bytes: that is called the transport here, TCP or TLS or
 * a test. Connections take bytes when they come, and all else happens in http_server_run. Pure but
 * for the heap and the wall clock.
 *
 * What clients can take is bounded: connections, streams, memory (buffer.h), and time for each part
 * of a request and for taking the answer. All of it in the network's thread.
 */
#ifndef MANAGE_HTTP_SERVER_H
#define MANAGE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/http/http.h"

/* There can be more of TLS's (manage/net/tls/connection.h): some have to finish their handshake. */
#define HTTP_CONNECTIONS_MAX 32u
#define HTTP_STREAMS_MAX     20u /* of the connections */

struct http_connection;

struct http_transport {
    /** Takes as many of the bytes as there is room for; how many. Those of `constant` last for
     * ever. */
    size_t (*send)(void *context, const void *bytes, size_t length, bool constant);
    /** What was sent should go now. */
    void (*flush)(void *context);
    /** So many of the bytes that have come are done with: others can come in their place. */
    void (*consumed)(void *context, size_t length);
    /** No more is sent, and the other side is told after what was. False: not now, for want of
     * memory; it is asked again. */
    bool (*shut)(void *context);
    /** The end, called by http_server_run: forget the connection. `cut`: at once, else what was
     * sent still arrives. */
    void (*end)(void *context, bool cut);
};

struct http_route_table {
    const struct http_route *routes;
    unsigned count;
};

/** What the server serves; asked in this order. The tables last. */
void http_server_set_routes(const struct http_route_table *tables, unsigned count);

/** A client is there; `peer` is its address. NULL: there are too many, or no memory; forget it. May
 * end another one, which does nothing, in the next http_server_run. */
struct http_connection *http_server_open(const struct http_transport *transport, void *context,
                                         const char *peer, bool secure, uint64_t now);
/** Bytes have come from it; false: too many, the connection ends in the next http_server_run. */
bool http_server_receive(struct http_connection *connection, const void *bytes, size_t length);
/** It sends no more. */
void http_server_finish(struct http_connection *connection);
/** It is gone, and so is the context: nothing of the transport is called for it any more. */
void http_server_lose(struct http_connection *connection);

/** Goes on with all connections, at `now` (ns since boot): to be called after any of the above,
 * when there may be room to send, when somebody has something for a stream, and four times a
 * second. True: there is more to do at once, but others come first. */
bool http_server_run(uint64_t now);

/* Statuses of answers are from .. up to here. */
#define HTTP_STATUS_MIN 100u
#define HTTP_STATUS_MAX 600u

/** Answers with that status since the start. */
uint64_t http_server_answers(unsigned status);

/** Connections and streams there are. */
unsigned http_server_connections(void);
unsigned http_server_streams(void);

#endif
