/* Who may: accounts, sessions and what requests carry. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/base64.h>

#include "manage/access/accounts.h"
#include "manage/access/backoff.h"
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/log.h"

#define SECOND UINT64_C(1000000000)
#define PEER   "10.0.2.2"

static char reason[128];
static uint64_t now;

static void add(const char *name, const char *password, enum access_role role)
{
    assert_int_equal(access_add_account(name, password, role, true, reason, sizeof(reason)), 0);
}

static int init(void **state)
{
    (void)state;
    accounts_init();
    add("admin", "password of admin", ACCESS_ADMINISTRATOR);
    add("look", "look: do not touch", ACCESS_READ_ONLY);
    now = 1000 * SECOND;
    return 0;
}

static struct access_identity who;
static unsigned retry_after;

static enum access_result basic_from(const char *peer, const char *name, const char *password)
{
    char text[256];
    char field[400] = "Basic ";
    size_t length;

    snprintf(text, sizeof(text), "%s:%s", name, password);
    assert_int_equal(mbedtls_base64_encode((unsigned char *)field + 6, sizeof(field) - 6, &length,
                                           (unsigned char *)text, strlen(text)),
                     0);
    return access_identify(field, NULL, NULL, peer, now, &who, &retry_after);
}

static enum access_result basic(const char *name, const char *password)
{
    return basic_from(PEER, name, password);
}

static struct access_session session;
static char token[ACCESS_TOKEN_SIZE];

static enum access_result open_as(const char *name, const char *password)
{
    return access_open_session(name, password, PEER, now, &session, token, &retry_after);
}

static enum access_result by_token(void)
{
    return access_identify(NULL, token, NULL, PEER, now, &who, &retry_after);
}

static enum access_result by_cookie(const char *cookie)
{
    return access_identify(NULL, NULL, cookie, PEER, now, &who, &retry_after);
}

static void test_basic(void **state)
{
    (void)state;
    assert_int_equal(basic("admin", "password of admin"), ACCESS_GRANTED);
    assert_int_equal(who.role, ACCESS_ADMINISTRATOR);
    assert_string_equal(who.name, "admin");
    assert_string_equal(who.session, "");
    assert_false(who.by_cookie);
    assert_int_equal(basic("look", "look: do not touch"), ACCESS_GRANTED);
    assert_int_equal(who.role, ACCESS_READ_ONLY);
    assert_int_equal(basic("look", "look"), ACCESS_WRONG);
    assert_int_equal(who.role, ACCESS_NOBODY);
    assert_string_equal(who.name, "");
    assert_int_equal(basic("nobody", "look: do not touch"), ACCESS_WRONG);
}

static void test_malformed(void **state)
{
    static const char *const fields[] = {
        "",      "Basic",    "Basic ",     "Basic !!!!",         "Bearer YWRtaW46",
        "basic", "Basic YQ", "Basic YWJj", "Basic YWRtaW4AOng=", "Basic YWRtaW46AHg=",
    };
    char longest[1024] = "Basic ";

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        assert_int_equal(access_identify(fields[i], NULL, NULL, PEER, now, &who, &retry_after),
                         ACCESS_WRONG);
        assert_int_equal(who.role, ACCESS_NOBODY);
    }
    memset(longest + 6, 'Q', sizeof(longest) - 7 - 2);
    assert_int_equal(access_identify(longest, NULL, NULL, PEER, now, &who, &retry_after),
                     ACCESS_WRONG);
    assert_int_equal(access_identify("bASIC   YWRtaW46cGFzc3dvcmQgb2YgYWRtaW4=", NULL, NULL, PEER,
                                     now, &who, &retry_after),
                     ACCESS_GRANTED);
    assert_int_equal(access_identify(NULL, NULL, NULL, PEER, now, &who, &retry_after),
                     ACCESS_NO_CREDENTIALS);
}

static unsigned rests;

static void count_rest(void)
{
    rests++;
}

static unsigned cost(enum access_result expected, const char *peer, const char *name,
                     const char *password)
{
    rests = 0;
    password_hash_rest = count_rest;
    assert_int_equal(basic_from(peer, name, password), expected);
    password_hash_rest = NULL;
    return rests;
}

/* The first time costs; so does a wrong password, of whomever. */
static void test_cost(void **state)
{
    (void)state;
    assert_int_not_equal(cost(ACCESS_GRANTED, PEER, "admin", "password of admin"), 0);
    assert_int_equal(cost(ACCESS_GRANTED, PEER, "admin", "password of admin"), 0);
    assert_int_not_equal(cost(ACCESS_WRONG, PEER, "admin", "password of admim"), 0);
    assert_int_not_equal(cost(ACCESS_WRONG, PEER, "nobody", "password of admin"), 0);
    assert_int_equal(cost(ACCESS_GRANTED, PEER, "admin", "password of admin"), 0);
    assert_int_not_equal(cost(ACCESS_GRANTED, "10.0.2.3", "admin", "password of admin"), 0);
    assert_int_equal(access_set_password("admin", "another one", NULL, reason, sizeof(reason)), 0);
    assert_int_equal(basic("admin", "password of admin"), ACCESS_WRONG);
    assert_int_equal(basic("admin", "another one"), ACCESS_GRANTED);
    assert_int_equal(basic("admin", "password of admin"), ACCESS_WRONG);
}

/* An unknown name takes as long as the slowest hash, and so does everybody. */
static void test_same_cost(void **state)
{
    struct password_hash hash;
    unsigned known;

    (void)state;
    password_hash_make(&hash, "slow one");
    hash.iterations = 50000;
    assert_int_equal(accounts_add("slow", &hash, ACCESS_READ_ONLY, true, reason, sizeof(reason)),
                     0);
    known = cost(ACCESS_WRONG, PEER, "slow", "x");
    assert_in_range(known, 20, 30);
    assert_in_range(cost(ACCESS_WRONG, "1.1.1.1", "admin", "x"), known - 1, known + 1);
    assert_in_range(cost(ACCESS_WRONG, "1.1.1.2", "nobody", "x"), known - 1, known + 1);
}

static void test_backoff(void **state)
{
    (void)state;
    assert_int_equal(open_as("admin", "password of admin"), ACCESS_GRANTED);
    for (unsigned i = 0; i < BACKOFF_FREE_FAILURES + 1; i++) {
        assert_int_equal(basic("admin", "wrong"), ACCESS_WRONG);
    }
    assert_int_equal(basic("admin", "password of admin"), ACCESS_TOO_MANY);
    assert_int_equal(retry_after, 1);
    assert_int_equal(who.role, ACCESS_NOBODY);
    assert_int_equal(by_token(), ACCESS_GRANTED); /* sessions go on */
    assert_int_equal(basic_from("10.0.2.3", "admin", "password of admin"), ACCESS_GRANTED);
    now += SECOND;
    assert_int_equal(basic("admin", "password of admin"), ACCESS_GRANTED);
    assert_int_equal(basic("admin", "wrong"), ACCESS_WRONG);
    assert_int_equal(open_as("admin", "password of admin"), ACCESS_TOO_MANY);
    assert_int_equal(retry_after, 2); /* it had been right, but is not forgiven */
}

/* Guessing from very many addresses slows down strangers, not those who are known. */
static void test_many_guess(void **state)
{
    unsigned looked_at = 0;
    struct access_counters counters;
    char peer[32];

    (void)state;
    assert_int_equal(basic_from("1.2.3.4", "admin", "password of admin"), ACCESS_GRANTED);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(peer, sizeof(peer), "10.1.%u.%u", i / 250, i % 250);
        looked_at += basic_from(peer, "admin", "wrong") == ACCESS_WRONG;
    }
    assert_int_equal(looked_at, BACKOFF_NAME_TRIES);
    access_count(now, &counters);
    assert_int_equal(counters.wrong, BACKOFF_NAME_TRIES);
    assert_int_equal(counters.too_many, 500 - BACKOFF_NAME_TRIES);
    assert_int_equal(counters.sessions, 0);
    assert_int_equal(basic_from("9.9.9.9", "admin", "password of admin"), ACCESS_TOO_MANY);
    assert_int_equal(retry_after, 1);
    assert_int_equal(basic_from("1.2.3.4", "admin", "password of admin"), ACCESS_GRANTED);
    /* Even when what was right is not at hand any more. */
    assert_int_equal(
        access_set_password("look", "look: do not touch", NULL, reason, sizeof(reason)), 0);
    assert_int_equal(basic_from("1.2.3.4", "admin", "password of admin"), ACCESS_GRANTED);
    assert_int_equal(access_open_session("admin", "password of admin", "1.2.3.4", now, &session,
                                         token, &retry_after),
                     ACCESS_GRANTED);
    assert_int_equal(basic_from("9.9.9.8", "look", "look: do not touch"), ACCESS_GRANTED);
    struct access_account account;

    assert_true(access_find_account("admin", now, &account));
    assert_true(account.locked);
    now += SECOND;
    assert_true(access_find_account("admin", now, &account));
    assert_false(account.locked);
    assert_int_equal(basic_from("9.9.9.9", "admin", "password of admin"), ACCESS_GRANTED);
    assert_int_equal(basic_from("9.9.9.7", "admin", "password of admin"), ACCESS_GRANTED);
}

static void test_session(void **state)
{
    struct access_counters counters;
    struct access_session found;
    char cookie[128];

    (void)state;
    assert_int_equal(open_as("admin", "wrong"), ACCESS_WRONG);
    assert_false(access_session(0, now, &found));
    assert_int_equal(open_as("admin", "password of admin"), ACCESS_GRANTED);
    assert_int_equal(strlen(token), ACCESS_TOKEN_SIZE - 1);
    assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-_"),
                     ACCESS_TOKEN_SIZE - 1);
    assert_int_equal(strlen(session.id), ACCESS_SESSION_SIZE - 1);
    assert_string_equal(session.user, "admin");
    assert_string_equal(session.peer, PEER);
    access_count(now, &counters);
    assert_int_equal(counters.sessions, 1);
    assert_true(access_session(0, now, &found));
    assert_string_equal(found.id, session.id);
    assert_false(access_session(1, now, &found));
    assert_int_equal(by_token(), ACCESS_GRANTED);
    assert_int_equal(who.role, ACCESS_ADMINISTRATOR);
    assert_string_equal(who.session, session.id);
    assert_false(who.by_cookie);
    snprintf(cookie, sizeof(cookie), "a=b; innkeeper=%s; c=d", token);
    assert_int_equal(by_cookie(cookie), ACCESS_GRANTED);
    assert_true(who.by_cookie);
    assert_string_equal(who.name, "admin");
    token[5] ^= 1;
    assert_int_equal(by_token(), ACCESS_WRONG);
    token[5] ^= 1;
    assert_int_equal(access_close_session(session.id), 0);
    assert_int_equal(access_close_session(session.id), -ENOENT);
    assert_int_equal(by_token(), ACCESS_WRONG);
    assert_int_equal(by_cookie(cookie), ACCESS_NO_CREDENTIALS);
    assert_int_equal(who.role, ACCESS_NOBODY);
    token[0] = '\0';
    assert_int_equal(by_token(), ACCESS_WRONG);
}

static void test_cookies(void **state)
{
    char cookie[256];

    (void)state;
    assert_int_equal(open_as("admin", "password of admin"), ACCESS_GRANTED);
    assert_int_equal(by_cookie(""), ACCESS_NO_CREDENTIALS);
    assert_int_equal(by_cookie("innkeeper"), ACCESS_NO_CREDENTIALS);
    assert_int_equal(by_cookie("innkeeper="), ACCESS_NO_CREDENTIALS);
    assert_int_equal(by_cookie("innkeeper=;;; ="), ACCESS_NO_CREDENTIALS);
    snprintf(cookie, sizeof(cookie), "xinnkeeper=%s", token);
    assert_int_equal(by_cookie(cookie), ACCESS_NO_CREDENTIALS);
    snprintf(cookie, sizeof(cookie), "innkeeper=%sx", token);
    assert_int_equal(by_cookie(cookie), ACCESS_NO_CREDENTIALS);
    snprintf(cookie, sizeof(cookie), "innkeeper=x; innkeeper=%s", token);
    assert_int_equal(by_cookie(cookie), ACCESS_GRANTED);
    snprintf(cookie, sizeof(cookie), "innkeeper=%s", token);
    assert_int_equal(by_cookie(cookie), ACCESS_GRANTED);
    /* A header that was meant counts, not what the browser adds. */
    assert_int_equal(access_identify(NULL, "wrong", cookie, PEER, now, &who, &retry_after),
                     ACCESS_WRONG);
}

static void test_expiry(void **state)
{
    struct access_session found;

    (void)state;
    assert_int_equal(access_session_timeout(), 1800);
    assert_int_equal(access_set_session_timeout(29), -EINVAL);
    assert_int_equal(access_set_session_timeout(86401), -EINVAL);
    assert_int_equal(access_set_session_timeout(60), 0);
    assert_int_equal(open_as("admin", "password of admin"), ACCESS_GRANTED);
    for (unsigned i = 0; i < 5; i++) {
        now += 59 * SECOND;
        assert_int_equal(by_token(), ACCESS_GRANTED);
        assert_true(access_holds(&who, now));
    }
    now += 59 * SECOND;
    assert_true(access_find_session(session.id, now, &found));
    assert_int_equal(found.used, now - 59 * SECOND); /* to look is not to use */
    assert_true(access_holds(&who, now));
    now += SECOND;
    assert_false(access_find_session(session.id, now, &found));
    assert_false(access_holds(&who, now));
    assert_int_equal(by_token(), ACCESS_WRONG);
}

static void test_too_many_sessions(void **state)
{
    char tokens[ACCESS_SESSIONS_MAX][ACCESS_TOKEN_SIZE];
    struct access_session found;
    unsigned count = 0;

    (void)state;
    assert_int_equal(open_as("look", "look: do not touch"), ACCESS_GRANTED);
    memcpy(tokens[0], token, sizeof(token));
    for (unsigned i = 1; i < ACCESS_SESSIONS_MAX; i++) {
        now += SECOND;
        assert_int_equal(open_as("admin", "password of admin"), ACCESS_GRANTED);
        memcpy(tokens[i], token, sizeof(token));
        if (i == 1) {
            session.used = now;
        }
        /* The first of the administrator's is used all the time. */
        assert_int_equal(access_identify(NULL, tokens[1], NULL, PEER, now, &who, &retry_after),
                         ACCESS_GRANTED);
    }
    while (access_session(count, now, &found)) {
        count++;
    }
    assert_int_equal(count, ACCESS_SESSIONS_MAX / 2 + 1);
    assert_int_equal(access_identify(NULL, tokens[0], NULL, PEER, now, &who, &retry_after),
                     ACCESS_GRANTED); /* nobody can end another's */
    assert_int_equal(access_identify(NULL, tokens[1], NULL, PEER, now, &who, &retry_after),
                     ACCESS_GRANTED);
    assert_int_equal(access_identify(NULL, tokens[2], NULL, PEER, now, &who, &retry_after),
                     ACCESS_WRONG);
    add("third", "third password", ACCESS_READ_ONLY);
    for (unsigned i = 0; i < ACCESS_SESSIONS_MAX; i++) {
        assert_int_equal(open_as("third", "third password"), ACCESS_GRANTED);
    }
    count = 0;
    while (access_session(count, now, &found)) {
        count++;
    }
    assert_int_equal(count, ACCESS_SESSIONS_MAX);
}

static void test_changes_end_sessions(void **state)
{
    struct access_identity kept;
    struct access_identity other;

    (void)state;
    assert_int_equal(open_as("admin", "password of admin"), ACCESS_GRANTED);
    assert_int_equal(by_token(), ACCESS_GRANTED);
    other = who;
    assert_int_equal(open_as("admin", "password of admin"), ACCESS_GRANTED);
    assert_int_equal(by_token(), ACCESS_GRANTED);
    kept = who;
    assert_int_equal(
        access_set_password("admin", "something new", kept.session, reason, sizeof(reason)), 0);
    assert_true(access_holds(&kept, now));
    assert_false(access_holds(&other, now));
    assert_int_equal(open_as("look", "look: do not touch"), ACCESS_GRANTED);
    assert_int_equal(by_token(), ACCESS_GRANTED);
    assert_int_equal(access_set_role("look", ACCESS_READ_ONLY, true, NULL, reason, sizeof(reason)),
                     0);
    assert_int_equal(by_token(), ACCESS_GRANTED); /* nothing has changed */
    assert_int_equal(access_set_role("look", ACCESS_READ_ONLY, false, NULL, reason, sizeof(reason)),
                     0);
    assert_int_equal(by_token(), ACCESS_WRONG);
    assert_int_equal(open_as("look", "look: do not touch"), ACCESS_WRONG);
    assert_int_equal(
        access_set_role("look", ACCESS_ADMINISTRATOR, true, NULL, reason, sizeof(reason)), 0);
    assert_int_equal(open_as("look", "look: do not touch"), ACCESS_GRANTED);
    assert_int_equal(by_token(), ACCESS_GRANTED);
    assert_int_equal(who.role, ACCESS_ADMINISTRATOR);
    assert_int_equal(access_remove_account("look", reason, sizeof(reason)), 0);
    assert_false(access_holds(&who, now));
    assert_int_equal(by_token(), ACCESS_WRONG);
    assert_false(access_holds(&who, now));
    /* Basic has no session, but its account may go. */
    add("brief", "brief visit", ACCESS_READ_ONLY);
    assert_int_equal(basic("brief", "brief visit"), ACCESS_GRANTED);
    assert_true(access_holds(&who, now));
    assert_int_equal(access_remove_account("brief", reason, sizeof(reason)), 0);
    assert_false(access_holds(&who, now));
    assert_int_equal(basic("brief", "brief visit"), ACCESS_WRONG);
}

static void test_accounts(void **state)
{
    struct access_account account;
    char name[ACCESS_NAME_SIZE];

    (void)state;
    assert_true(access_account(0, now, &account));
    assert_string_equal(account.name, "admin");
    assert_int_equal(account.role, ACCESS_ADMINISTRATOR);
    assert_true(account.enabled);
    assert_false(account.locked);
    assert_true(access_account(1, now, &account));
    assert_string_equal(account.name, "look");
    assert_false(access_account(2, now, &account));
    assert_false(access_find_account("nobody", now, &account));
    assert_int_equal(access_remove_account("nobody", reason, sizeof(reason)), -ENOENT);
    assert_int_equal(access_remove_account("admin", reason, sizeof(reason)), -EPERM);
    assert_int_equal(access_set_role("admin", ACCESS_READ_ONLY, true, NULL, reason, sizeof(reason)),
                     -EPERM);
    assert_int_equal(
        access_set_role("admin", ACCESS_ADMINISTRATOR, false, NULL, reason, sizeof(reason)),
        -EPERM);
    assert_int_equal(access_set_role("admin", ACCESS_NOBODY, true, NULL, reason, sizeof(reason)),
                     -EINVAL);
    add("second", "second password", ACCESS_ADMINISTRATOR);
    assert_int_equal(access_remove_account("admin", reason, sizeof(reason)), 0);
    assert_int_equal(access_remove_account("second", reason, sizeof(reason)), -EPERM);
    for (unsigned i = 2; i < ACCESS_ACCOUNTS_MAX; i++) {
        snprintf(name, sizeof(name), "u%u", i);
        add(name, "password", ACCESS_READ_ONLY);
    }
    assert_int_equal(
        access_add_account("more", "password", ACCESS_READ_ONLY, true, reason, sizeof(reason)),
        -ENOSPC);
}

static void refused(const char *name, const char *password, enum access_role role, int error,
                    const char *why)
{
    assert_int_equal(access_add_account(name, password, role, true, reason, sizeof(reason)), error);
    if (!strstr(reason, why)) {
        fail_msg("%s: %s", name, reason);
    }
}

static void test_wrong_accounts(void **state)
{
    char longest[ACCESS_PASSWORD_SIZE + 1];

    (void)state;
    refused("admin", "password", ACCESS_READ_ONLY, -EEXIST, "\"admin\" already");
    refused("", "password", ACCESS_READ_ONLY, -EINVAL, "a user name has");
    refused("a:b", "password", ACCESS_READ_ONLY, -EINVAL, "a user name has");
    refused("a b", "password", ACCESS_READ_ONLY, -EINVAL, "a user name has");
    refused("0123456789012345678901234567890x", "password", ACCESS_READ_ONLY, -EINVAL,
            "a user name has");
    refused("new", "password", ACCESS_NOBODY, -EINVAL, "role");
    refused("new", "seven..", ACCESS_READ_ONLY, -EINVAL, "8 to 127");
    refused("new", "pass\nword", ACCESS_READ_ONLY, -EINVAL, "control");
    memset(longest, 'x', sizeof(longest));
    longest[ACCESS_PASSWORD_SIZE] = '\0';
    refused("new", longest, ACCESS_READ_ONLY, -EINVAL, "8 to 127");
    longest[ACCESS_PASSWORD_SIZE - 1] = '\0';
    add("new", longest, ACCESS_READ_ONLY);
    assert_int_equal(basic("new", longest), ACCESS_GRANTED);
    assert_int_equal(access_set_password("new", "short", NULL, reason, sizeof(reason)), -EINVAL);
    assert_int_equal(access_set_password("old", "long enough", NULL, reason, sizeof(reason)),
                     -ENOENT);
}

static void test_audit(void **state)
{
    struct access_identity nobody = {.role = ACCESS_NOBODY};

    (void)state;
    assert_int_equal(basic("admin", "password of admin"), ACCESS_GRANTED);
    assert_string_equal(test_log_last, "audit: admin@10.0.2.2: password accepted");
    access_audit(&who, PEER, "starts %s", "linux");
    assert_string_equal(test_log_last, "audit: admin@10.0.2.2: starts linux");
    access_audit(&nobody, PEER, "looks");
    assert_string_equal(test_log_last, "audit: -@10.0.2.2: looks");
    assert_int_equal(basic("admin", "hunter2hunter2"), ACCESS_WRONG);
    assert_string_equal(test_log_last, "audit: -@10.0.2.2: wrong password for admin");
    assert_int_equal(basic("hunter2hunter2", "admin"), ACCESS_WRONG);
    assert_null(strstr(test_log_last, "hunter2"));
    assert_int_equal(open_as("admin", "password of admin"), ACCESS_GRANTED);
    assert_non_null(strstr(test_log_last, "audit: admin@10.0.2.2: session "));
    assert_null(strstr(test_log_last, token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_basic, init),
        cmocka_unit_test_setup(test_malformed, init),
        cmocka_unit_test_setup(test_cost, init),
        cmocka_unit_test_setup(test_same_cost, init),
        cmocka_unit_test_setup(test_backoff, init),
        cmocka_unit_test_setup(test_many_guess, init),
        cmocka_unit_test_setup(test_session, init),
        cmocka_unit_test_setup(test_cookies, init),
        cmocka_unit_test_setup(test_expiry, init),
        cmocka_unit_test_setup(test_too_many_sessions, init),
        cmocka_unit_test_setup(test_changes_end_sessions, init),
        cmocka_unit_test_setup(test_accounts, init),
        cmocka_unit_test_setup(test_wrong_accounts, init),
        cmocka_unit_test_setup(test_audit, init),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
