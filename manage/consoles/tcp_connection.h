/*
 * A client at a VM's console over TCP. The network's thread.
 */
#ifndef MANAGE_CONSOLES_TCP_CONNECTION_H
#define MANAGE_CONSOLES_TCP_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_CONNECTIONS 16u

struct tcp_pcb;

/** A client has connected; false: there are too many. */
bool tcp_connection_open(struct tcp_pcb *pcb, uint64_t vm, bool telnet);

/** Moves what has come, in both directions. */
void tcp_connections_run(void);

/** The VM is gone: so are its clients. */
void tcp_connections_end(uint64_t vm);

#endif
