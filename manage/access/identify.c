#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/base64.h>
#include <mbedtls/platform_util.h>

#include "manage/access/access.h"
#include "manage/access/accounts.h"
#include "manage/access/sessions.h"

#define CREDENTIALS_SIZE (ACCESS_NAME_SIZE + ACCESS_PASSWORD_SIZE)

static bool by_token(const char *token, uint64_t now, struct access_identity *who)
{
    struct access_session session;

    if (!sessions_use(token, now, &session)) {
        return false;
    }
    who->role = accounts_role(session.user);
    memcpy(who->name, session.user, sizeof(who->name));
    memcpy(who->session, session.id, sizeof(who->session));
    return true;
}

/* What follows "Basic " (RFC 7617); NULL if it is something else. */
static const char *basic_credentials(const char *authorization)
{
    static const char scheme[] = "BASIC ";

    for (const char *c = scheme; *c; c++, authorization++) {
        bool lower = *authorization >= 'a' && *authorization <= 'z';

        if ((lower ? *authorization - ('a' - 'A') : *authorization) != *c) {
            return NULL;
        }
    }
    while (*authorization == ' ') {
        authorization++;
    }
    return authorization;
}

static enum access_result by_password(const char *encoded, const char *peer, uint64_t now,
                                      struct access_identity *who, unsigned *retry_after)
{
    char text[CREDENTIALS_SIZE];
    enum access_result result = ACCESS_WRONG;
    size_t length;
    char *password;

    if (mbedtls_base64_decode((unsigned char *)text, sizeof(text) - 1, &length,
                              (const unsigned char *)encoded, strlen(encoded)) != 0) {
        return ACCESS_WRONG;
    }
    text[length] = '\0';
    password = strchr(text, ':');
    if (password && strlen(text) == length) {
        *password++ = '\0';
        result = accounts_check(text, password, peer, now, &who->role, retry_after);
        if (result == ACCESS_GRANTED) {
            snprintf(who->name, sizeof(who->name), "%s", text);
        }
    }
    mbedtls_platform_zeroize(text, sizeof(text));
    return result;
}

/* The value of our cookie in a Cookie field (RFC 6265, 4.2.1); false if it is not there. */
static bool find_cookie(const char *cookie, char token[ACCESS_TOKEN_SIZE])
{
    static const char name[] = ACCESS_COOKIE "=";

    while (*cookie) {
        size_t length = 0;

        while (cookie[length] && cookie[length] != ';') {
            length++;
        }
        if (strncmp(cookie, name, sizeof(name) - 1) == 0 &&
            length - (sizeof(name) - 1) == ACCESS_TOKEN_SIZE - 1) {
            memcpy(token, cookie + sizeof(name) - 1, ACCESS_TOKEN_SIZE - 1);
            token[ACCESS_TOKEN_SIZE - 1] = '\0';
            return true;
        }
        cookie += length;
        while (*cookie == ';' || *cookie == ' ') {
            cookie++;
        }
    }
    return false;
}

enum access_result access_identify(const char *authorization, const char *x_auth_token,
                                   const char *cookie, const char *peer, uint64_t now,
                                   struct access_identity *who, unsigned *retry_after)
{
    char token[ACCESS_TOKEN_SIZE];

    *who = (struct access_identity){.role = ACCESS_NOBODY};
    *retry_after = 0;
    if (x_auth_token) {
        return by_token(x_auth_token, now, who) ? ACCESS_GRANTED : ACCESS_WRONG;
    }
    if (authorization) {
        const char *encoded = basic_credentials(authorization);

        return encoded ? by_password(encoded, peer, now, who, retry_after) : ACCESS_WRONG;
    }
    /* A browser sends it as long as it has it, asked or not: one of a session that has ended is as
     * good as none. */
    if (cookie && find_cookie(cookie, token) && by_token(token, now, who)) {
        who->by_cookie = true;
        return ACCESS_GRANTED;
    }
    return ACCESS_NO_CREDENTIALS;
}
