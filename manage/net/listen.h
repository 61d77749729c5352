/*
 * Ports at which TCP connections are taken, and who gives way when there are too many. The
 * network's thread.
 */
#ifndef MANAGE_NET_LISTEN_H
#define MANAGE_NET_LISTEN_H

#include <lwip/altcp.h>

/** Has `pcb`, new and unbound (NULL: there was no memory for it), listen at `port`. What listens,
 * to which altcp_accept is to be told who takes connections; NULL: no memory, and the pcb is gone.
 */
struct altcp_pcb *net_listen(struct altcp_pcb *pcb, u16_t port);

/** Has connections that were begun and not finished be the first to go when there is no room for a
 * new one. To be called after frames were received. */
void net_rank_connections(void);

#endif
