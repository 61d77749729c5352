/*
 * The network interface as lwIP knows it, over a driver's. The network's thread only.
 */
#ifndef MANAGE_NET_INTERFACE_H
#define MANAGE_NET_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

#include <lwip/netif.h>

#include "drivers/nic.h"
#include "manage/net/settings.h"

struct net_interface {
    struct netif netif;
    struct nic *nic;
    uint64_t dropped; /* frames that came when there was no memory for them */
};

/** Makes it lwIP's interface, without a link as yet, and gives it its addresses or has it ask for
 * them. 0, or -ENOMEM. */
int net_interface_start(struct net_interface *interface, struct nic *nic,
                        const struct net_settings *settings);

/** Hands lwIP up to `budget` frames that have come; true if there may be more. */
bool net_interface_receive(struct net_interface *interface, unsigned budget);

/** Tells lwIP of the link if that has changed. */
void net_interface_update_link(struct net_interface *interface);

#endif
