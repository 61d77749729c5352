/*
 * Names and passwords that were found right lately, with the addresses that they came from: a
 * client that sends them with each request costs a slow hash only once. Kept is a hash with a key
 * that nobody knows, and an address that was wrong is never looked up, so this is no way to guess
 * fast. Pure.
 */
#ifndef MANAGE_ACCESS_VERIFIED_H
#define MANAGE_ACCESS_VERIFIED_H

#include <stdbool.h>

#include "manage/access/backoff.h"

/** Forgets all, and makes a new key. */
void verified_init(void);
/** Forgets all. */
void verified_forget(void);
void verified_add(const char *name, const char *password, backoff_peer peer);
bool verified_find(const char *name, const char *password, backoff_peer peer);

#endif
