#include "manage/http/server.h"

#include <stdio.h>
#include <string.h>

#include "kernel/memory/heap.h"
#include "manage/http/connection.h"

/* Those that end make room for others a moment later. */
#define PLACES (HTTP_CONNECTIONS_MAX + 8u)

/* More than what a client can send before it is told that some of it is taken. */
#define INPUT_MAX 65536u

/* A request's header may be on its way for that long before it has to make way for a new client;
 * body and answer of somebody without an account for that long. */
#define HEADER_GRACE_NS   HTTP_SECOND
#define STRANGER_GRACE_NS (5 * HTTP_SECOND)

static struct http_connection *connections[PLACES];
static const struct http_route_table *tables;
static unsigned table_count;
static uint64_t answers[HTTP_STATUS_MAX - HTTP_STATUS_MIN];

void http_server_set_routes(const struct http_route_table *route_tables, unsigned count)
{
    tables = route_tables;
    table_count = count;
}

static bool fits(const struct http_route *route, const char *path)
{
    size_t length = strlen(route->path);

    if (!route->below) {
        return strcmp(path, route->path) == 0;
    }
    return strncmp(path, route->path, length) == 0 &&
           (path[length] == '\0' || path[length] == '/' || strcmp(route->path, "/") == 0);
}

const struct http_route *http_find_route(const char *path)
{
    for (unsigned i = 0; i < table_count; i++) {
        for (unsigned j = 0; j < tables[i].count; j++) {
            if (fits(&tables[i].routes[j], path)) {
                return &tables[i].routes[j];
            }
        }
    }
    return NULL;
}

static bool is_ending(const struct http_connection *connection)
{
    return !connection->transport || connection->state >= HTTP_ENDED;
}

/* How little a connection would be missed; 0: it stays. */
static unsigned uselessness(const struct http_connection *connection, uint64_t now)
{
    switch (connection->state) {
    case HTTP_LINGER:
        return 3;
    case HTTP_WAITING:
        return connection->input.length ? 0 : 2;
    case HTTP_HEADER:
        return now - connection->since >= HEADER_GRACE_NS ? 1 : 0;
    case HTTP_CONTENT:
    case HTTP_ANSWER:
        return connection->request.who.role == ACCESS_NOBODY &&
                       now - connection->since >= STRANGER_GRACE_NS
                   ? 1
                   : 0;
    case HTTP_STREAM:
    case HTTP_ENDED:
    case HTTP_CUT:
        break;
    }
    return 0;
}

/* Cuts the connection off that does nothing, and has for longest. False: there is none. */
static bool make_room(uint64_t now)
{
    struct http_connection *worst = NULL;
    unsigned most = 0;

    for (unsigned i = 0; i < PLACES; i++) {
        struct http_connection *connection = connections[i];
        unsigned useless;

        if (!connection || is_ending(connection)) {
            continue;
        }
        useless = uselessness(connection, now);
        if (useless > most || (useless == most && worst && connection->since < worst->since)) {
            worst = connection;
            most = useless;
        }
    }
    if (worst) {
        http_connection_enter(worst, HTTP_CUT);
    }
    return worst != NULL;
}

struct http_connection *http_server_open(const struct http_transport *transport, void *context,
                                         const char *peer, bool secure, uint64_t now)
{
    struct http_connection *connection;
    unsigned place = 0;
    unsigned used = 0;

    for (unsigned i = 0; i < PLACES; i++) {
        if (!connections[i]) {
            place = i;
        } else {
            used += !is_ending(connections[i]);
        }
    }
    if (connections[place] || (used >= HTTP_CONNECTIONS_MAX && !make_room(now))) {
        return NULL;
    }
    connection = kzalloc(sizeof(*connection));
    if (!connection) {
        return NULL;
    }
    connection->transport = transport;
    connection->context = context;
    connection->secure = secure;
    connection->now = now;
    snprintf(connection->peer, sizeof(connection->peer), "%s", peer);
    http_connection_enter(connection, HTTP_WAITING);
    connections[place] = connection;
    return connection;
}

bool http_server_receive(struct http_connection *connection, const void *bytes, size_t length)
{
    if (!http_buffer_append(&connection->input, bytes, length, INPUT_MAX)) {
        http_connection_enter(connection, HTTP_CUT);
        return false;
    }
    return true;
}

void http_server_finish(struct http_connection *connection)
{
    connection->input_ended = true;
}

void http_server_lose(struct http_connection *connection)
{
    connection->transport = NULL;
    connection->context = NULL;
}

/* True if there is more to do at once. */
static bool run(struct http_connection *connection, uint64_t now)
{
    return !is_ending(connection) && http_connection_run(connection, now);
}

bool http_server_run(uint64_t now)
{
    bool more = false;

    for (unsigned i = 0; i < PLACES; i++) {
        struct http_connection *connection = connections[i];

        if (!connection) {
            continue;
        }
        more |= run(connection, now);
        if (is_ending(connection)) {
            http_connection_clear(connection);
            if (connection->transport) {
                connection->transport->end(connection->context, connection->state == HTTP_CUT);
            }
            connections[i] = NULL;
            kfree(connection);
        }
    }
    return more;
}

void http_server_count(unsigned status)
{
    if (status >= HTTP_STATUS_MIN && status < HTTP_STATUS_MAX) {
        answers[status - HTTP_STATUS_MIN]++;
    }
}

uint64_t http_server_answers(unsigned status)
{
    return status >= HTTP_STATUS_MIN && status < HTTP_STATUS_MAX ? answers[status - HTTP_STATUS_MIN]
                                                                 : 0;
}

unsigned http_server_connections(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < PLACES; i++) {
        count += connections[i] != NULL;
    }
    return count;
}

unsigned http_server_streams(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < PLACES; i++) {
        count += connections[i] && connections[i]->stream.handler != NULL;
    }
    return count;
}
