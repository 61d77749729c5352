/*
 * What goes with an address: the name by mDNS, and the time by NTP. The network's thread.
 */
#ifndef MANAGE_NET_SERVICES_H
#define MANAGE_NET_SERVICES_H

#include <lwip/netif.h>

#include "manage/net/settings.h"

/** Starts them; NTP only if there is a server by the settings or by DHCP. `settings` stays. 0, or
 * -ENOMEM. */
int net_services_start(struct netif *netif, const struct net_settings *settings);

#endif
