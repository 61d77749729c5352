/*
 * Who may use the management interface: accounts with roles, passwords (kept as salted PBKDF2
 * hashes), sessions with tokens, and patience with those who guess. Pure: time and randomness are
 * passed in or come from kernel/random.h.
 *
 * All of it in the network's thread.
 */
#ifndef MANAGE_ACCESS_ACCESS_H
#define MANAGE_ACCESS_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes of strings with their final NUL. */
#define ACCESS_NAME_SIZE     32
#define ACCESS_PASSWORD_SIZE 128
#define ACCESS_PASSWORD_MIN  8u /* bytes */
#define ACCESS_TOKEN_SIZE    44 /* 32 random bytes in base64url */
#define ACCESS_SESSION_SIZE  17 /* a session's id, which is no secret */
#define ACCESS_PEER_SIZE     48
#define ACCESS_ACCOUNTS_MAX  16u
#define ACCESS_SESSIONS_MAX  64u
#define ACCESS_COOKIE        "innkeeper"

enum access_role { ACCESS_NOBODY, ACCESS_READ_ONLY, ACCESS_ADMINISTRATOR };

struct access_identity {
    enum access_role role;
    char name[ACCESS_NAME_SIZE];
    char session[ACCESS_SESSION_SIZE]; /* "" with Basic */
    bool by_cookie; /* a browser's: requests that change something need an Origin of our own */
};

enum access_result {
    ACCESS_GRANTED,
    ACCESS_NO_CREDENTIALS,
    ACCESS_WRONG,
    ACCESS_TOO_MANY, /* wrong too often: not even looked at, try again later */
};

/** Who sends these fields (NULL where they are not there): X-Auth-Token, else Authorization
 * (Basic), else Cookie; the cookie of a session that has ended is ACCESS_NO_CREDENTIALS. A session
 * that is used lives on. On ACCESS_TOO_MANY *retry_after is in seconds. A password that was not
 * seen before takes some 10 ms, others run meanwhile. */
enum access_result access_identify(const char *authorization, const char *x_auth_token,
                                   const char *cookie, const char *peer, uint64_t now,
                                   struct access_identity *who, unsigned *retry_after);

struct access_session {
    char id[ACCESS_SESSION_SIZE];
    char user[ACCESS_NAME_SIZE];
    char peer[ACCESS_PEER_SIZE];
    uint64_t created; /* ns since boot */
    uint64_t used;
};

/** Makes a session; `token` is told this once only. When there are too many the one unused for
 * longest ends. */
enum access_result access_open_session(const char *name, const char *password, const char *peer,
                                       uint64_t now, struct access_session *session,
                                       char token[ACCESS_TOKEN_SIZE], unsigned *retry_after);
/** The session's index-th, in no particular order; false past the last. Expired ones are gone. */
bool access_session(unsigned index, uint64_t now, struct access_session *session);
bool access_find_session(const char *id, uint64_t now, struct access_session *session);
/** 0 or -ENOENT. */
int access_close_session(const char *id);
/** Whether somebody who was identified some time ago still may what they might then: the session
 * has not ended, the account is as it was. For connections that stay. It is no use of the session.
 */
bool access_holds(const struct access_identity *who, uint64_t now);
/** Seconds without a request after which a session ends (Redfish SessionTimeout, 30 .. 86400). */
unsigned access_session_timeout(void);
/** 0 or -EINVAL. */
int access_set_session_timeout(unsigned seconds);

struct access_account {
    char name[ACCESS_NAME_SIZE];
    enum access_role role;
    bool enabled;
    bool locked; /* for a while, after wrong passwords */
};

bool access_account(unsigned index, uint64_t now, struct access_account *account);
bool access_find_account(const char *name, uint64_t now, struct access_account *account);
/* 0, or a negative errno and why in `reason`: -EEXIST, -ENOENT, -EINVAL (name or password not
 * fit), -ENOSPC, -EPERM (the last administrator cannot go). Sessions of an account whose password,
 * role or state changes end, except `keep` (NULL: none). */
int access_add_account(const char *name, const char *password, enum access_role role, bool enabled,
                       char *reason, size_t size);
int access_remove_account(const char *name, char *reason, size_t size);
int access_set_password(const char *name, const char *password, const char *keep, char *reason,
                        size_t size);
int access_set_role(const char *name, enum access_role role, bool enabled, const char *keep,
                    char *reason, size_t size);

/* Since the start. */
struct access_counters {
    uint64_t wrong;    /* passwords */
    uint64_t too_many; /* that were not even looked at */
    unsigned sessions; /* there are */
};

void access_count(uint64_t now, struct access_counters *counters);

/** Logs an action with who did it and from where, as the audit trail wants it:
 * "audit: USER@PEER: TEXT". */
void access_audit(const struct access_identity *who, const char *peer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Takes the accounts of the kernel's command line and of a description file, or makes "admin"
 * with a random password, which is shown on the machine's own console only. Before the server
 * starts. */
void access_start(void);

/** Has a new random password made for an account, and shown on the machine's own console, by the
 * next access_run. Any thread. 0; -ENODEV or -EBUSY and why in `reason`. */
int access_request_password(const char *name, char *reason, size_t size);
/** Does what was asked for since. */
void access_run(void);

#endif
