/*
 * A TLS connection between two of lwIP's layered connections (altcp): the upper one is a server's,
 * the lower one is TCP's. Used by layer.c only; the network's thread.
 *
 * Whatever is called above may close or abort the connection. So all that calls up does so between
 * tls_connection_enter and tls_connection_leave, looks at `upper` afterwards, and its memory
 * stays until the last leave.
 */
#ifndef MANAGE_NET_TLS_CONNECTION_H
#define MANAGE_NET_TLS_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <lwip/altcp.h>
#include <mbedtls/ssl.h>

/* All together. A connection takes about 45 KiB. */
#define TLS_CONNECTIONS 40u
/* Of these, those that have not finished their handshake: another one ends the oldest. */
#define TLS_HANDSHAKES 24u

struct tls_connection {
    mbedtls_ssl_context ssl;
    struct altcp_pcb *upper; /* NULL once it is gone */
    altcp_accept_fn accept;  /* who is told when the handshake is done */
    void *accept_argument;

    struct pbuf *encrypted; /* received and not looked at yet */
    struct pbuf *decrypted; /* not taken by the upper one yet */
    /* The peer may send as much as it is told it may again. What it has sent and is not told of
     * is in `encrypted`, or has been handed up and is not used there. */
    uint32_t untold;
    uint32_t in_use; /* handed up, or in `decrypted` */

    uint64_t deadline; /* ns since boot: for the handshake, and for the rest when closing */
    bool open;         /* the handshake is done */
    bool notified;     /* the peer is told in TLS that no more is sent */
    bool shut;         /* and in TCP */
    bool closing;      /* the upper one has closed it, and the rest is being sent */
    bool peer_closed;  /* nothing will come any more */
    bool told_closed;  /* and the upper one knows */
    bool aborted;      /* TCP's is gone, of which lwIP wants to be told */
    unsigned entered;
};

/** A connection for a new lower one, which gets callbacks by the caller. NULL: there is no room, or
 * no memory. */
struct tls_connection *tls_connection_new(const mbedtls_ssl_config *config,
                                          struct altcp_pcb *upper);

/** How many there are. */
unsigned tls_connection_count(void);

void tls_connection_enter(struct tls_connection *connection);
/** What lwIP is to be told by who called it: ERR_ABRT or `error`. */
err_t tls_connection_leave(struct tls_connection *connection, err_t error);

/** Goes on with what is there: handshake, data, the end. Entered. */
err_t tls_connection_advance(struct tls_connection *connection);
/** Sends what is left of the last record; true if nothing is. Entered or from above. */
bool tls_connection_flush(struct tls_connection *connection);
/** Tells the peer of what has been used. */
void tls_connection_open_window(struct tls_connection *connection);
/** Closes the lower connection and frees the upper one; what has been sent still arrives. */
void tls_connection_finish(struct tls_connection *connection);
/** It cannot go on: likewise, and the upper one's owner is told if there is one yet. Entered. */
void tls_connection_fail(struct tls_connection *connection);
/** The upper one is gone: the connection too, with its last leave. */
void tls_connection_drop(struct tls_connection *connection);

#endif
