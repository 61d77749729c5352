/*
 * A client and what the server has of it, of which either sends a pattern: so it can be told from
 * what has come whether that is what was sent.
 */
#ifndef FUZZ_TLS_PEER_H
#define FUZZ_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include <lwip/altcp.h>
#include <mbedtls/ssl.h>

#include "tests/fuzz/tls/wire.h"

#define CLIENTS 4u
#define CROWD   28u /* more than may be in their handshake at once */
#define PEERS   (CLIENTS + CROWD)

/* What the server does when it is called next. */
enum mood { TAKES, REFUSES, CLOSES, ABORTS };

struct peer {
    struct wire wire;
    bool is_client; /* else it just sends bytes */
    mbedtls_ssl_context client;
    bool shaken; /* the client's handshake is done */
    bool notified;
    size_t client_sent, client_got; /* bytes of the pattern */

    struct altcp_pcb *upper; /* NULL: the server does not have it */
    size_t server_sent, server_got;
    size_t held; /* got, and not used */
    bool holds;
    enum mood mood;
    bool told_end;
    bool shut; /* the server sends no more */
};

extern struct peer peers[PEERS];

/** Has the server listen, and a first client get a ticket, by which others resume. Once. */
void peers_start(void);
/** It comes, if it is not there. */
void peer_come(struct peer *peer, bool is_client, bool resumes);
/** Nothing of it is left. */
void peer_leave(struct peer *peer);

void server_writes(struct peer *peer, size_t length);
void server_uses(struct peer *peer);
void server_acts(struct peer *peer, unsigned what);

void client_writes(struct peer *peer, size_t length);
void client_reads(struct peer *peer);
/** Bit 0 of `how`: in TLS; bit 1: in TCP. */
void client_ends(struct peer *peer, unsigned how);
/** Everything goes its way: what was sent has to arrive. */
void peer_settle(struct peer *peer);

#endif
