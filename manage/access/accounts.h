/*
 * The accounts, and what it takes to be taken for the owner of one.
 */
#ifndef MANAGE_ACCESS_ACCOUNTS_H
#define MANAGE_ACCESS_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "manage/access/access.h"
#include "manage/access/password_hash.h"

/** Forgets all accounts and sessions and who was wrong how often. Before anything else. */
void accounts_init(void);

/** As access_add_account, with the hash of a password. */
int accounts_add(const char *name, const struct password_hash *hash, enum access_role role,
                 bool enabled, char *reason, size_t size);

/** Whether the password is that of an account that is enabled, by which the caller is `*role`. On
 * ACCESS_TOO_MANY *retry_after is in seconds. */
enum access_result accounts_check(const char *name, const char *password, const char *peer,
                                  uint64_t now, enum access_role *role, unsigned *retry_after);

/** The role that an account gives now; ACCESS_NOBODY if there is none of that name. */
enum access_role accounts_role(const char *name);

#endif
