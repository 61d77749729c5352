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

/** The UDP port of SNTP servers. */
extern uint16_t net_ntp_port;
/** The wall clock, for SNTP: seconds since 1970-01-01 UTC (of which 2^32 make an era) and us. */
void net_clock_set(uint32_t seconds, uint32_t us);
void net_clock_get(uint32_t *seconds, uint32_t *us);

#endif
