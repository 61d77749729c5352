/*
 * The echo service (RFC 862) on TCP and UDP port 7, and by TLS on port 4433 if there is TLS: sends
 * back what it gets. For tests.
 */
#ifndef MANAGE_NET_ECHO_H
#define MANAGE_NET_ECHO_H

/** Starts it. 0, or -ENOMEM. The network's thread. */
int net_echo_start(void);

#endif
