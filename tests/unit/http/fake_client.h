/*
 * Clients of the HTTP server that are none: what they send is text, and what they get is kept.
 */
#ifndef TESTS_UNIT_HTTP_FAKE_CLIENT_H
#define TESTS_UNIT_HTTP_FAKE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/http/server.h"

#define SECOND UINT64_C(1000000000)

struct client {
    struct http_connection *connection; /* NULL: refused, or ended */
    char got[262144];                   /* with a NUL */
    size_t length;
    size_t room; /* bytes it still takes */
    size_t constant;
    size_t consumed;
    unsigned shut_fails; /* so often */
    bool shut, ended, cut;
};

/* The time of all that is done. */
extern uint64_t fake_now;

/** Connects; it takes what comes. */
void client_open(struct client *client);
/** Sends bytes; nothing happens to them yet. */
void client_send(struct client *client, const void *bytes, size_t length);
/** Sends a text and lets the server go on until it has nothing to do. What it got before is
 * forgotten. */
void client_say(struct client *client, const char *text);
/** Sends no more. */
void client_finish(struct client *client);
/** Is gone. */
void client_lose(struct client *client);
/** The server goes on until it has nothing to do. */
void server_settle(void);
/** Some seconds pass, in steps of a quarter. */
void server_wait(unsigned seconds);
/** What it got begins and goes on like this. */
bool client_got(const struct client *client, const char *beginning, const char *part);

/* Who there is: Basic "admin", "reader" and "locked" (too often wrong) in plain words, the cookie
 * "innkeeper=admin", the token "admin". */

/** The server asks for these sometimes; false: no more. */
extern bool fake_access_holds;

#endif
