/*
 * The HTTP server on lwIP: a port at which it listens, by TCP or whatever layer is over that. The
 * network's thread.
 */
#ifndef MANAGE_HTTP_LISTENER_H
#define MANAGE_HTTP_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

struct altcp_pcb;

/** Serves at `port` what connects to `pcb`, new and unbound (NULL: there was no memory for it).
 * `secure`: it is TLS. 0, or -ENOMEM: the pcb is gone. */
int http_listen(struct altcp_pcb *pcb, uint16_t port, bool secure);

#endif
