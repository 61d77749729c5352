/*
 * TLS as a layer of lwIP's connections (altcp): a server uses these functions as it uses those of
 * plain TCP. The network's thread.
 *
 * lwIP has such a layer of its own, but in that one a peer can run into assertions, accepted
 * connections wait for their handshake in the server, and the end is not told to the peer.
 *
 * The accept callback comes when a handshake is done, which has to be within 15 seconds. As with
 * lwIP's layer, the sent callback's length is 0: it tells that there is room again.
 */
#ifndef MANAGE_NET_TLS_LAYER_H
#define MANAGE_NET_TLS_LAYER_H

#include <lwip/altcp.h>
#include <mbedtls/ssl.h>

/** A connection to listen with, as altcp_tcp_alloc makes one. `config` (struct mbedtls_ssl_config)
 * has to stay. NULL if there is no memory. */
struct altcp_pcb *tls_layer_alloc(void *config, u8_t ip_type);

#endif
