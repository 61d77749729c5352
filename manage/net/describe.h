/*
 * The network's state as rows of text. Pure.
 */
#ifndef MANAGE_NET_DESCRIBE_H
#define MANAGE_NET_DESCRIBE_H

#include "manage/net/net.h"

/** Writes the row of that number (from 0 up); false past the last. */
bool net_describe(const struct net_status *status, unsigned row, char *text, size_t size);

#endif
