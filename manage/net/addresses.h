/*
 * The interface's addresses: as text, and in the log when they change. The network's thread.
 */
#ifndef MANAGE_NET_ADDRESSES_H
#define MANAGE_NET_ADDRESSES_H

#include <lwip/netif.h>

#include "manage/net/net.h"

/** Has every address that comes or goes from now on logged and noticed. */
void net_addresses_watch(void);

/** True if one has come or gone since this was last asked. */
bool net_addresses_changed(void);

/** Fills in the addresses of a status, and nothing else. */
void net_addresses_describe(const struct netif *netif, struct net_status *status);

#endif
