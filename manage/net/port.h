/*
 * What lwIP needs of the kernel, besides the clock (sys_now).
 */
#ifndef MANAGE_NET_PORT_H
#define MANAGE_NET_PORT_H

#include <stdint.h>

/** A random number that cannot be guessed. */
uint32_t net_random(void);

/** An assertion of lwIP's does not hold: the network ends here, and the rest of the machine goes
 * on.
 */
_Noreturn void net_broken(const char *text, const char *file, int line);

struct tcp_pcb;
struct tcp_hdr;

/** Looks at what has come for a connection; not 0: lwIP does not get it. A new connection between
 * the two ports of one that has just ended takes that one's place (RFC 1122, section 4.2.2.13) when
 * its SYN is repeated; lwIP alone would have it wait for two minutes. */
int net_tcp_look(struct tcp_pcb *pcb, const struct tcp_hdr *header);

/** The UDP port of SNTP servers. */
extern uint16_t net_ntp_port;
/** The wall clock, for SNTP: seconds since 1970-01-01 UTC (of which 2^32 make an era) and us. */
void net_clock_set(uint32_t seconds, uint32_t us);
void net_clock_get(uint32_t *seconds, uint32_t *us);

#endif
