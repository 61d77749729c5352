#include "manage/access/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/base64.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>

#include "kernel/log.h"
#include "kernel/random.h"
#include "manage/access/accounts.h"

#define TOKEN_BYTES      32u
#define TOKEN_HASH_SIZE  32u
#define TIMEOUT_DEFAULT  1800u
#define TIMEOUT_MIN      30u /* as Redfish has it */
#define TIMEOUT_MAX      86400u
#define NS_PER_SECOND    UINT64_C(1000000000)
#define SESSIONS_OF_USER (ACCESS_SESSIONS_MAX / 2) /* so that nobody ends all the others' */

/* What a token hashes to is kept, not the token: to find it tells by its time nothing that helps to
 * make one. */
struct session {
    bool open;
    struct access_session public;
    uint8_t token_hash[TOKEN_HASH_SIZE];
};

static struct session sessions[ACCESS_SESSIONS_MAX];
static unsigned timeout = TIMEOUT_DEFAULT;

void sessions_init(void)
{
    mbedtls_platform_zeroize(sessions, sizeof(sessions));
    timeout = TIMEOUT_DEFAULT;
}

static void end(struct session *session)
{
    mbedtls_platform_zeroize(session, sizeof(*session));
}

static void expire(uint64_t now)
{
    for (unsigned i = 0; i < ACCESS_SESSIONS_MAX; i++) {
        struct session *session = &sessions[i];

        if (session->open && now - session->public.used >= timeout * NS_PER_SECOND) {
            log_info("audit: %s@%s: session %s has expired", session->public.user,
                     session->public.peer, session->public.id);
            end(session);
        }
    }
}

static void hash_token(const char *token, uint8_t hash[TOKEN_HASH_SIZE])
{
    (void)mbedtls_sha256_ret((const unsigned char *)token, strlen(token), hash, 0);
}

bool sessions_use(const char *token, uint64_t now, struct access_session *session)
{
    uint8_t hash[TOKEN_HASH_SIZE];

    expire(now);
    hash_token(token, hash);
    for (unsigned i = 0; i < ACCESS_SESSIONS_MAX; i++) {
        if (sessions[i].open &&
            mbedtls_ct_memcmp(sessions[i].token_hash, hash, sizeof(hash)) == 0) {
            sessions[i].public.used = now;
            *session = sessions[i].public;
            return true;
        }
    }
    return false;
}

void sessions_end(const char *user, const char *keep)
{
    for (unsigned i = 0; i < ACCESS_SESSIONS_MAX; i++) {
        const struct access_session *public = &sessions[i].public;

        if (sessions[i].open && strcmp(public->user, user) == 0 &&
            (!keep || strcmp(public->id, keep) != 0)) {
            end(&sessions[i]);
        }
    }
}

/* The one unused for longest, of that user (NULL: of all). */
static struct session *oldest(const char *user, unsigned *count)
{
    struct session *found = NULL;

    *count = 0;
    for (unsigned i = 0; i < ACCESS_SESSIONS_MAX; i++) {
        struct session *session = &sessions[i];

        if (session->open && (!user || strcmp(session->public.user, user) == 0)) {
            (*count)++;
            if (!found || session->public.used < found->public.used) {
                found = session;
            }
        }
    }
    return found;
}

static struct session *make_room(const char *user)
{
    unsigned count;
    struct session *session = oldest(user, &count);

    if (count >= SESSIONS_OF_USER) {
        end(session);
        return session;
    }
    session = oldest(NULL, &count);
    if (count == ACCESS_SESSIONS_MAX) {
        end(session);
        return session;
    }
    for (session = sessions; session->open; session++) {
    }
    return session;
}

static void make_token(char token[ACCESS_TOKEN_SIZE])
{
    uint8_t bytes[TOKEN_BYTES];
    unsigned char text[ACCESS_TOKEN_SIZE + 1]; /* with an '=' */
    size_t length;

    random_bytes(bytes, sizeof(bytes));
    (void)mbedtls_base64_encode(text, sizeof(text), &length, bytes, sizeof(bytes));
    memcpy(token, text, ACCESS_TOKEN_SIZE - 1);
    token[ACCESS_TOKEN_SIZE - 1] = '\0';
    for (char *c = token; *c; c++) {
        if (*c == '+') {
            *c = '-';
        } else if (*c == '/') {
            *c = '_';
        }
    }
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    mbedtls_platform_zeroize(text, sizeof(text));
}

enum access_result access_open_session(const char *name, const char *password, const char *peer,
                                       uint64_t now, struct access_session *session,
                                       char token[ACCESS_TOKEN_SIZE], unsigned *retry_after)
{
    enum access_role role;
    enum access_result result = accounts_check(name, password, peer, now, &role, retry_after);
    struct session *place;

    if (result != ACCESS_GRANTED) {
        return result;
    }
    expire(now);
    place = make_room(name);
    make_token(token);
    *place = (struct session){.open = true, .public = {.created = now, .used = now}};
    snprintf(place->public.id, sizeof(place->public.id), "%08x%08x", random_u32(), random_u32());
    snprintf(place->public.user, sizeof(place->public.user), "%s", name);
    snprintf(place->public.peer, sizeof(place->public.peer), "%s", peer);
    hash_token(token, place->token_hash);
    *session = place->public;
    log_info("audit: %s@%s: session %s begins", session->user, session->peer, session->id);
    return ACCESS_GRANTED;
}

bool access_session(unsigned index, uint64_t now, struct access_session *session)
{
    expire(now);
    for (unsigned i = 0; i < ACCESS_SESSIONS_MAX; i++) {
        if (sessions[i].open && index-- == 0) {
            *session = sessions[i].public;
            return true;
        }
    }
    return false;
}

static struct session *find(const char *id)
{
    for (unsigned i = 0; i < ACCESS_SESSIONS_MAX; i++) {
        if (sessions[i].open && strcmp(sessions[i].public.id, id) == 0) {
            return &sessions[i];
        }
    }
    return NULL;
}

bool access_find_session(const char *id, uint64_t now, struct access_session *session)
{
    const struct session *found;

    expire(now);
    found = find(id);
    if (found) {
        *session = found->public;
    }
    return found != NULL;
}

int access_close_session(const char *id)
{
    struct session *session = find(id);

    if (!session) {
        return -ENOENT;
    }
    log_info("audit: %s@%s: session %s ends", session->public.user, session->public.peer,
             session->public.id);
    end(session);
    return 0;
}

unsigned access_session_timeout(void)
{
    return timeout;
}

int access_set_session_timeout(unsigned seconds)
{
    if (seconds < TIMEOUT_MIN || seconds > TIMEOUT_MAX) {
        return -EINVAL;
    }
    timeout = seconds;
    return 0;
}

bool access_holds(const struct access_identity *who, uint64_t now)
{
    struct access_session session;

    if (who->session[0] && !access_find_session(who->session, now, &session)) {
        return false;
    }
    return who->role != ACCESS_NOBODY && accounts_role(who->name) >= who->role;
}
