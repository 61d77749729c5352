#include "tests/unit/http/fake_client.h"

#include <stdio.h>
#include <string.h>

#include "kernel/time.h"
#include "tests/unit/support/cmocka.h"

uint64_t fake_now = 1000 * SECOND;
bool fake_access_holds = true;

uint64_t boot_wall_clock(void)
{
    return 784111777;
}

uint64_t wall_clock_ns(void)
{
    return 784111777 * SECOND;
}

static enum access_result identify_as(struct access_identity *who, const char *name, bool by_cookie)
{
    if (strcmp(name, "admin") != 0 && strcmp(name, "reader") != 0) {
        return ACCESS_WRONG;
    }
    who->role = strcmp(name, "admin") == 0 ? ACCESS_ADMINISTRATOR : ACCESS_READ_ONLY;
    who->by_cookie = by_cookie;
    snprintf(who->name, sizeof(who->name), "%s", name);
    return ACCESS_GRANTED;
}

enum access_result access_identify(const char *authorization, const char *x_auth_token,
                                   const char *cookie, const char *peer, uint64_t now,
                                   struct access_identity *who, unsigned *retry_after)
{
    assert_int_equal(now, fake_now);
    assert_string_equal(peer, "10.0.2.2");
    if (x_auth_token) {
        return identify_as(who, x_auth_token, false);
    }
    if (authorization && strcmp(authorization, "Basic locked") == 0) {
        *retry_after = 17;
        return ACCESS_TOO_MANY;
    }
    if (authorization && strncmp(authorization, "Basic ", 6) == 0) {
        return identify_as(who, authorization + 6, false);
    }
    if (cookie && strncmp(cookie, "innkeeper=", 10) == 0) {
        return identify_as(who, cookie + 10, true);
    }
    return ACCESS_NO_CREDENTIALS;
}

bool access_holds(const struct access_identity *who, uint64_t now)
{
    assert_int_equal(now, fake_now);
    return who->role != ACCESS_NOBODY && fake_access_holds;
}

static size_t take(void *context, const void *bytes, size_t length, bool constant)
{
    struct client *client = context;

    assert_false(client->shut || client->ended);
    assert_true(length > 0);
    if (length > client->room) {
        length = client->room;
    }
    assert_true(client->length + length < sizeof(client->got));
    memcpy(client->got + client->length, bytes, length);
    client->length += length;
    client->got[client->length] = '\0';
    client->room -= length;
    client->constant += constant ? length : 0;
    return length;
}

static void flush(void *context)
{
    assert_false(((struct client *)context)->ended);
}

static void consumed(void *context, size_t length)
{
    ((struct client *)context)->consumed += length;
}

static bool shut(void *context)
{
    struct client *client = context;

    assert_false(client->shut || client->ended);
    if (client->shut_fails) {
        client->shut_fails--;
        return false;
    }
    client->shut = true;
    return true;
}

static void end(void *context, bool cut)
{
    struct client *client = context;

    assert_false(client->ended);
    client->ended = true;
    client->cut = cut;
    client->connection = NULL;
}

static const struct http_transport transport = {
    .send = take, .flush = flush, .consumed = consumed, .shut = shut, .end = end};

void client_open(struct client *client)
{
    memset(client, 0, sizeof(*client));
    client->room = SIZE_MAX;
    client->connection = http_server_open(&transport, client, "10.0.2.2", true, fake_now);
}

void client_send(struct client *client, const void *bytes, size_t length)
{
    assert_non_null(client->connection);
    (void)http_server_receive(client->connection, bytes, length);
}

void server_settle(void)
{
    while (http_server_run(fake_now)) {
    }
}

void client_say(struct client *client, const char *text)
{
    client->length = 0;
    client->got[0] = '\0';
    client_send(client, text, strlen(text));
    server_settle();
}

void client_finish(struct client *client)
{
    if (client->connection) {
        http_server_finish(client->connection);
    }
    server_settle();
}

void client_lose(struct client *client)
{
    http_server_lose(client->connection);
    client->connection = NULL;
    server_settle();
}

void server_wait(unsigned seconds)
{
    for (unsigned i = 0; i < 4 * seconds; i++) {
        fake_now += SECOND / 4;
        server_settle();
    }
}

bool client_got(const struct client *client, const char *beginning, const char *part)
{
    return strncmp(client->got, beginning, strlen(beginning)) == 0 &&
           strstr(client->got, part) != NULL;
}
