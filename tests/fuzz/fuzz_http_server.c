/* libFuzzer target: clients of the whole HTTP server, who do whatever they like whenever they like.
 * The input is a list of what happens: see act(). */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/time.h"
#include "manage/http/buffer.h"
#include "manage/http/http.h"
#include "manage/http/server.h"

/* Those who act one by one, and those who come as a crowd. */
#define ACTORS  16u
#define CLIENTS (HTTP_CONNECTIONS_MAX + ACTORS)
#define SECOND  UINT64_C(1000000000)
/* Turns after which a server that still has something to do has it for ever. */
#define TURNS_MAX 100000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct client {
    struct http_connection *connection;
    size_t room;
    size_t sent, consumed;
    size_t got;
    char first[9]; /* bytes that it got */
    bool shut, finished;
};

static struct client clients[CLIENTS];
static uint64_t now;
static unsigned uploads, streams;
static bool access_is_lost;
static unsigned crowd; /* the last of it that came */

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* What the server asks of others. */

uint64_t boot_wall_clock(void)
{
    return 1;
}

uint64_t wall_clock_ns(void)
{
    return now;
}

enum access_result access_identify(const char *authorization, const char *x_auth_token,
                                   const char *cookie, const char *peer, uint64_t time,
                                   struct access_identity *who, unsigned *retry_after)
{
    require(time == now && strcmp(peer, "peer") == 0);
    if (x_auth_token) {
        who->role = *x_auth_token == 'r' ? ACCESS_READ_ONLY : ACCESS_ADMINISTRATOR;
        return ACCESS_GRANTED;
    }
    if (cookie) {
        who->role = ACCESS_ADMINISTRATOR;
        who->by_cookie = true;
        return ACCESS_GRANTED;
    }
    *retry_after = 1;
    return authorization ? ACCESS_TOO_MANY : ACCESS_NO_CREDENTIALS;
}

bool access_holds(const struct access_identity *who, uint64_t time)
{
    require(who->role != ACCESS_NOBODY && time == now);
    return !access_is_lost;
}

/* Routes. */

static void echo(const struct http_request *request, struct http_answer *answer)
{
    require(request->body && request->body[request->body_length] == '\0');
    require(request->body_length <= 4000);
    http_add_field(answer, "X-Path", request->path);
    http_write(answer, request->body, request->body_length);
}

static void large(const struct http_request *request, struct http_answer *answer)
{
    static const char bytes[60000];

    (void)request;
    http_body_constant(answer, bytes, sizeof(bytes));
}

static void fail(const struct http_request *request, struct http_answer *answer, unsigned status,
                 const char *reason)
{
    require(status >= 400 && request->path);
    http_write(answer, reason, strlen(reason));
}

static void *begin(const struct http_request *request, uint64_t length, struct http_answer *answer)
{
    (void)request;
    http_status(answer, 409);
    if (length == 7) {
        return NULL;
    }
    uploads++;
    return malloc(1); /* found out if it is never freed, or twice */
}

static int data(void *context, const void *bytes, size_t length)
{
    *(char *)context = ((const char *)bytes)[length - 1];
    return *(char *)context == '!' ? -EIO : 0;
}

static void end(void *context, const struct http_request *request, bool complete,
                struct http_answer *answer)
{
    require(request->path && uploads > 0);
    uploads--;
    free(context);
    http_status(answer, complete ? 201 : 507);
}

static void opened(struct http_stream *stream, void *context)
{
    *(char *)context = 1;
    (void)http_stream_send(stream, true, "welcome", 7);
}

static void received(struct http_stream *stream, void *context, bool text, const uint8_t *bytes,
                     size_t length)
{
    require(*(char *)context == 1 && bytes[length] == '\0');
    if (length == 1) {
        http_stream_close(stream);
    }
    (void)http_stream_send(stream, text, bytes, length);
}

static void service(struct http_stream *stream, void *context)
{
    size_t room = http_stream_room(stream);

    require(*(char *)context == 1);
    if (room) {
        static const char bytes[20000];

        require(http_stream_send(stream, false, bytes, room + 1) == -EAGAIN);
        require(http_stream_send(stream, false, bytes, room / 4) == 0);
    }
}

static void closed(struct http_stream *stream, void *context)
{
    require(stream && streams > 0);
    streams--;
    free(context);
}

static const struct http_stream_handler handler = {
    .opened = opened, .received = received, .service = service, .closed = closed};

static void socket(const struct http_request *request, struct http_answer *answer)
{
    char *context = calloc(1, 1);

    if (http_answer_websocket(request, answer, &handler, context)) {
        streams++;
    } else {
        free(context);
    }
}

static void events(const struct http_request *request, struct http_answer *answer)
{
    (void)request;
    streams++;
    http_answer_events(answer, &handler, calloc(1, 1));
}

#define ANY \
    (HTTP_ALLOW(HTTP_GET) | HTTP_ALLOW(HTTP_POST) | HTTP_ALLOW(HTTP_PUT) | HTTP_ALLOW(HTTP_PATCH))

static const struct http_upload upload = {.begin = begin, .data = data, .end = end};
static const struct http_route routes[] = {
    {.path = "/e", .below = true, .methods = ANY, .body_max = 4000, .handle = echo},
    {.path = "/l", .methods = HTTP_ALLOW(HTTP_GET), .handle = large},
    {.path = "/r", .methods = ANY, .access = HTTP_READ, .handle = echo, .error = fail},
    {.path = "/u",
     .methods = HTTP_ALLOW(HTTP_PUT) | HTTP_ALLOW(HTTP_POST),
     .access = HTTP_OWN,
     .upload = &upload,
     .error = fail},
    {.path = "/w", .methods = ANY, .access = HTTP_OWN, .handle = socket},
    {.path = "/s", .methods = ANY, .access = HTTP_PUBLIC, .handle = events},
};
static const struct http_route_table table = {routes, sizeof(routes) / sizeof(*routes)};

/* The transport. */

static size_t take(void *context, const void *bytes, size_t length, bool constant)
{
    struct client *client = context;

    (void)constant;
    require(client->connection && !client->shut && length > 0);
    if (length > client->room) {
        length = client->room;
    }
    for (size_t i = 0; i < length; i++) {
        char byte = ((const volatile char *)bytes)[i];

        if (client->got + i < sizeof(client->first)) {
            client->first[client->got + i] = byte;
        }
    }
    client->got += length;
    client->room -= length;
    return length;
}

static void flush(void *context)
{
    require(((struct client *)context)->connection != NULL);
}

static void consumed(void *context, size_t length)
{
    struct client *client = context;

    client->consumed += length;
    require(client->consumed <= client->sent);
}

static bool shut(void *context)
{
    struct client *client = context;

    require(client->connection && !client->shut);
    client->shut = client->room > 100;
    return client->shut;
}

static void forget(struct client *client)
{
    /* Whatever it got begins as an answer. */
    require(client->got < sizeof(client->first) || memcmp(client->first, "HTTP/1.1 ", 9) == 0);
    memset(client, 0, sizeof(*client));
}

static void finish(void *context, bool cut)
{
    struct client *client = context;

    (void)cut;
    require(client->connection != NULL);
    forget(client);
}

static const struct http_transport transport = {
    .send = take, .flush = flush, .consumed = consumed, .shut = shut, .end = finish};

static void run(void)
{
    unsigned turns = 0;

    while (http_server_run(now)) {
        require(++turns < TURNS_MAX);
    }
    require(http_memory_used() <= HTTP_MEMORY_MAX);
}

/* It comes. If the server is full somebody has to go, who is idle, or it is not let in. */
static void come(struct client *client, bool secure)
{
    memset(client, 0, sizeof(*client));
    client->connection = http_server_open(&transport, client, "peer", secure, now);
    client->room = 100000;
    require(http_server_connections() <= CLIENTS);
}

static void receive(struct client *client, const uint8_t *bytes, size_t length)
{
    if (client->connection && !client->finished) {
        client->sent += length;
        (void)http_server_receive(client->connection, bytes, length);
    }
}

/* Many come at once and say the same, the beginning of a request perhaps, or nothing. */
static void come_together(unsigned count, const uint8_t *bytes, size_t length)
{
    for (unsigned i = 0; i < count; i++) {
        struct client *client = &clients[ACTORS + crowd++ % (CLIENTS - ACTORS)];

        if (!client->connection) {
            come(client, false);
            receive(client, bytes, length);
        }
    }
}

/* What happens: a byte that says what, and to which client, and what that needs. Returns what is
 * left of the list. */
static size_t act(const uint8_t *bytes, size_t left)
{
    struct client *client = &clients[bytes[0] >> 4];
    uint8_t argument = left > 1 ? bytes[1] : 0;
    size_t length;

    switch (bytes[0] & 15) {
    case 0: /* nothing but a turn */
        run();
        return left - 1;
    case 8: /* a crowd, whose words are as long as the client's number */
        length = (size_t)bytes[0] >> 4;
        if (left < 2 + length) {
            return 0;
        }
        come_together(argument % CLIENTS, bytes + 2, length);
        return left - 2 - length;
    case 1: /* time passes */
        now += argument * SECOND / 4;
        run();
        return left < 2 ? 0 : left - 2;
    case 2: /* it reads */
        client->room += client->connection ? argument * 64u : 0;
        return left < 2 ? 0 : left - 2;
    case 3: /* it says no more */
        if (client->connection) {
            client->finished = true;
            http_server_finish(client->connection);
        }
        return left - 1;
    case 4: /* it is gone */
        if (client->connection) {
            http_server_lose(client->connection);
            forget(client);
        }
        return left - 1;
    case 5: /* it reads all there is */
        client->room = client->connection ? SIZE_MAX : 0;
        return left - 1;
    case 6:
        access_is_lost = argument & 1;
        return left < 2 ? 0 : left - 2;
    default: /* it says something; it comes if it was not there */
        if (!client->connection) {
            come(client, argument & 1);
        }
        length = left < 2 ? 0 : left - 2;
        if (length > argument) {
            length = argument;
        }
        receive(client, bytes + 2, length);
        return left < 2 ? 0 : left - 2 - length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t left = size;

    now = 1000 * SECOND;
    access_is_lost = false;
    crowd = 0;
    http_server_set_routes(&table, 1);
    while (left) {
        left = act(bytes + (size - left), left);
    }
    run();
    /* Whoever is there, and silent, ends by itself. Streams would stay if somebody listened. */
    for (unsigned i = 0; i < 600 && http_server_connections() > http_server_streams(); i++) {
        now += SECOND;
        run();
    }
    require(http_server_connections() == http_server_streams());
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (clients[i].connection) {
            http_server_lose(clients[i].connection);
            forget(&clients[i]);
        }
    }
    run();
    require(http_server_connections() == 0 && http_memory_used() == 0);
    require(uploads == 0 && streams == 0);
    return 0;
}
