/*
 * Names and passwords that were found right lately: a client that sends them with each request
 * costs a slow hash only once. Kept is a hash with a key that nobody knows. It is for clients that
 * had the right password before, so it is no way to guess fast. Pure.
 */
#ifndef MANAGE_ACCESS_VERIFIED_H
#define MANAGE_ACCESS_VERIFIED_H

#include <stdbool.h>

/** Forgets all, and makes a new key. */
void verified_init(void);
/** Forgets all. */
void verified_forget(void);
void verified_add(const char *name, const char *password);
bool verified_find(const char *name, const char *password);

#endif
