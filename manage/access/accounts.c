#include "manage/access/accounts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/platform_util.h>

#include "kernel/log.h"
#include "kernel/random.h"
#include "manage/access/backoff.h"
#include "manage/access/sessions.h"
#include "manage/access/verified.h"

#define KNOWN_PEERS 16u /* of an account */

struct account {
    char name[ACCESS_NAME_SIZE]; /* "": none */
    enum access_role role;
    bool enabled;
    struct password_hash hash;
    backoff_peer known[KNOWN_PEERS]; /* that had the right password, lately; 0: none */
    unsigned next_known;
};

static struct account accounts[ACCESS_ACCOUNTS_MAX];
static struct backoff backoff;
static struct access_counters counters;

void accounts_init(void)
{
    uint64_t key;

    random_bytes(&key, sizeof(key));
    backoff_init(&backoff, key);
    mbedtls_platform_zeroize(accounts, sizeof(accounts));
    counters = (struct access_counters){0};
    sessions_init();
    verified_init();
}

static struct account *find(const char *name)
{
    for (unsigned i = 0; i < ACCESS_ACCOUNTS_MAX; i++) {
        if (accounts[i].name[0] && strcmp(accounts[i].name, name) == 0) {
            return &accounts[i];
        }
    }
    return NULL;
}

enum access_role accounts_role(const char *name)
{
    const struct account *account = find(name);

    return account && account->enabled ? account->role : ACCESS_NOBODY;
}

static bool knows(const struct account *account, backoff_peer peer)
{
    bool found = false;

    for (unsigned i = 0; i < KNOWN_PEERS; i++) {
        found |= account->known[i] == peer;
    }
    return found && peer != 0;
}

/* What every check takes. */
static uint32_t most_iterations(void)
{
    uint32_t most = PASSWORD_ITERATIONS_MIN;

    for (unsigned i = 0; i < ACCESS_ACCOUNTS_MAX; i++) {
        if (accounts[i].name[0] && accounts[i].hash.iterations > most) {
            most = accounts[i].hash.iterations;
        }
    }
    return most;
}

/* Takes as long for a name that nobody has. */
static bool password_is_right(const struct account *account, const char *password)
{
    static const struct password_hash nobody = {.iterations = PASSWORD_ITERATIONS_MIN,
                                                .salt_length = PASSWORD_SALT_MIN};
    const struct password_hash *hash = account ? &account->hash : &nobody;
    bool right = password_hash_matches(hash, password, most_iterations());

    return right && account && account->enabled;
}

static void remember(struct account *account, const char *password, backoff_peer peer)
{
    if (!knows(account, peer)) {
        account->known[account->next_known] = peer;
        account->next_known = (account->next_known + 1) % KNOWN_PEERS;
    }
    verified_add(account->name, password);
}

enum access_result accounts_check(const char *name, const char *password, const char *peer,
                                  uint64_t now, enum access_role *role, unsigned *retry_after)
{
    backoff_peer from = backoff_peer_of(peer);
    struct account *account = find(name);
    bool known = account && knows(account, from);

    *role = ACCESS_NOBODY;
    *retry_after = backoff_wait(&backoff, from, now);
    if (*retry_after > 0) {
        counters.too_many++;
        return ACCESS_TOO_MANY;
    }
    if (known && account->enabled && verified_find(name, password)) {
        *role = account->role;
        return ACCESS_GRANTED;
    }
    if (!known && !backoff_take_try(&backoff, name, now)) {
        *retry_after = 1;
        counters.too_many++;
        return ACCESS_TOO_MANY;
    }
    if (!password_is_right(account, password)) {
        counters.wrong++;
        backoff_failed(&backoff, from, now);
        log_warn("audit: -@%s: wrong password for %s", peer, account ? name : "an unknown name");
        return ACCESS_WRONG;
    }
    if (!known) {
        backoff_return_try(&backoff, name);
    }
    log_info("audit: %s@%s: password accepted", name, peer);
    remember(account, password, from);
    *role = account->role;
    return ACCESS_GRANTED;
}

void access_count(uint64_t now, struct access_counters *to)
{
    struct access_session session;

    *to = counters;
    while (access_session(to->sessions, now, &session)) {
        to->sessions++;
    }
}

static void describe(const struct account *from, uint64_t now, struct access_account *account)
{
    memcpy(account->name, from->name, sizeof(account->name));
    account->role = from->role;
    account->enabled = from->enabled;
    account->locked = backoff_no_tries(&backoff, from->name, now);
}

bool access_account(unsigned index, uint64_t now, struct access_account *account)
{
    for (unsigned i = 0; i < ACCESS_ACCOUNTS_MAX; i++) {
        if (accounts[i].name[0] && index-- == 0) {
            describe(&accounts[i], now, account);
            return true;
        }
    }
    return false;
}

bool access_find_account(const char *name, uint64_t now, struct access_account *account)
{
    const struct account *found = find(name);

    if (found) {
        describe(found, now, account);
    }
    return found != NULL;
}

static bool is_name(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < length; i++) {
        char c = name[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return length > 0 && length < ACCESS_NAME_SIZE;
}

static int refuse(int error, const char *why, char *reason, size_t size)
{
    snprintf(reason, size, "%s", why);
    return error;
}

int accounts_add(const char *name, const struct password_hash *hash, enum access_role role,
                 bool enabled, char *reason, size_t size)
{
    struct account *place = NULL;

    if (!is_name(name)) {
        return refuse(-EINVAL, "a user name has 1 to 31 of a-z A-Z 0-9 . _ -", reason, size);
    }
    if (role != ACCESS_READ_ONLY && role != ACCESS_ADMINISTRATOR) {
        return refuse(-EINVAL, "an account needs a role", reason, size);
    }
    if (find(name)) {
        snprintf(reason, size, "there is an account \"%s\" already", name);
        return -EEXIST;
    }
    for (unsigned i = ACCESS_ACCOUNTS_MAX; i-- > 0;) {
        place = accounts[i].name[0] ? place : &accounts[i];
    }
    if (!place) {
        snprintf(reason, size, "there are %u accounts already", ACCESS_ACCOUNTS_MAX);
        return -ENOSPC;
    }
    *place = (struct account){.role = role, .enabled = enabled, .hash = *hash};
    memcpy(place->name, name, strlen(name) + 1);
    return 0;
}

/* NULL, or what is wrong with a new password. */
static const char *check_password(const char *password)
{
    size_t length = strlen(password);

    if (length < ACCESS_PASSWORD_MIN || length >= ACCESS_PASSWORD_SIZE) {
        return "a password has 8 to 127 bytes";
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)password[i] < ' ' || password[i] == 0x7f) {
            return "a password has no control characters";
        }
    }
    return NULL;
}

int access_add_account(const char *name, const char *password, enum access_role role, bool enabled,
                       char *reason, size_t size)
{
    struct password_hash hash;
    const char *wrong = check_password(password);

    if (wrong) {
        return refuse(-EINVAL, wrong, reason, size);
    }
    password_hash_make(&hash, password);
    return accounts_add(name, &hash, role, enabled, reason, size);
}

static bool is_last_administrator(const struct account *account)
{
    if (account->role != ACCESS_ADMINISTRATOR || !account->enabled) {
        return false;
    }
    for (unsigned i = 0; i < ACCESS_ACCOUNTS_MAX; i++) {
        if (&accounts[i] != account && accounts[i].name[0] && accounts[i].enabled &&
            accounts[i].role == ACCESS_ADMINISTRATOR) {
            return false;
        }
    }
    return true;
}

/* The account's owner has to show again who it is. */
static void end_trust(struct account *account, const char *keep)
{
    memset(account->known, 0, sizeof(account->known));
    verified_forget();
    sessions_end(account->name, keep);
}

static int find_to_change(const char *name, struct account **account, char *reason, size_t size)
{
    *account = find(name);
    if (!*account) {
        snprintf(reason, size, "there is no account \"%s\"", name);
        return -ENOENT;
    }
    return 0;
}

int access_remove_account(const char *name, char *reason, size_t size)
{
    struct account *account;
    int error = find_to_change(name, &account, reason, size);

    if (error) {
        return error;
    }
    if (is_last_administrator(account)) {
        return refuse(-EPERM, "the last administrator stays", reason, size);
    }
    end_trust(account, NULL);
    mbedtls_platform_zeroize(account, sizeof(*account));
    return 0;
}

int access_set_password(const char *name, const char *password, const char *keep, char *reason,
                        size_t size)
{
    struct account *account;
    int error = find_to_change(name, &account, reason, size);
    const char *wrong = check_password(password);

    if (error) {
        return error;
    }
    if (wrong) {
        return refuse(-EINVAL, wrong, reason, size);
    }
    password_hash_make(&account->hash, password);
    end_trust(account, keep);
    return 0;
}

int access_set_role(const char *name, enum access_role role, bool enabled, const char *keep,
                    char *reason, size_t size)
{
    struct account *account;
    int error = find_to_change(name, &account, reason, size);

    if (error) {
        return error;
    }
    if (role != ACCESS_READ_ONLY && role != ACCESS_ADMINISTRATOR) {
        return refuse(-EINVAL, "an account needs a role", reason, size);
    }
    if ((role != ACCESS_ADMINISTRATOR || !enabled) && is_last_administrator(account)) {
        return refuse(-EPERM, "the last administrator stays", reason, size);
    }
    if (role != account->role || enabled != account->enabled) {
        account->role = role;
        account->enabled = enabled;
        end_trust(account, keep);
    }
    return 0;
}
