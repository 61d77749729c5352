/*
 * Sessions: a token given out once stands for name and password.
 */
#ifndef MANAGE_ACCESS_SESSIONS_H
#define MANAGE_ACCESS_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "manage/access/access.h"

/** Forgets all. */
void sessions_init(void);

/** The session of a token is used; false if there is none. */
bool sessions_use(const char *token, uint64_t now, struct access_session *session);

/** Ends the sessions of an account but `keep` (NULL: all). */
void sessions_end(const char *user, const char *keep);

#endif
