/*
 * Keeps what net_status tells. The network's thread.
 */
#ifndef MANAGE_NET_STATUS_H
#define MANAGE_NET_STATUS_H

#include "manage/net/interface.h"

/** Brings it up to date; cheap enough to be called before each sleep. */
void net_status_update(struct net_interface *interface);

#endif
