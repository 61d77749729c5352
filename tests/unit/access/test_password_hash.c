/* HMAC, PBKDF2 and the text of a password's hash. */
#include <stdio.h>
#include <string.h>

#include "manage/access/password_hash.h"
#include "tests/unit/support/cmocka.h"

static void assert_hex(const uint8_t *bytes, size_t length, const char *expected)
{
    char text[2 * HMAC_SIZE + 1];

    for (size_t i = 0; i < length; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    assert_string_equal(text, expected);
}

static void hmac(const void *key_bytes, size_t key_length, const void *text, size_t length,
                 uint8_t out[HMAC_SIZE])
{
    struct hmac_key key;
    struct hmac state;

    hmac_key_init(&key, key_bytes, key_length);
    hmac_start(&state, &key);
    for (size_t i = 0; i < length; i++) {
        hmac_update(&state, (const uint8_t *)text + i, 1);
    }
    hmac_finish(&state, out);
}

/* RFC 4231, 4.3 and 4.7. */
static void test_hmac(void **state)
{
    uint8_t out[HMAC_SIZE];
    uint8_t long_key[131];

    (void)state;
    hmac("Jefe", 4, "what do ya want for nothing?", 28, out);
    assert_hex(out, sizeof(out),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(long_key, 0xaa, sizeof(long_key));
    hmac(long_key, sizeof(long_key), "Test Using Larger Than Block-Size Key - Hash Key First", 54,
         out);
    assert_hex(out, sizeof(out),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static unsigned rests;

static void rest(void)
{
    rests++;
}

/* RFC 7914, 11, the first half of each. */
static void test_pbkdf2(void **state)
{
    uint8_t out[HMAC_SIZE];

    (void)state;
    pbkdf2("passwd", (const uint8_t *)"salt", 4, 1, NULL, out);
    assert_hex(out, sizeof(out),
               "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    pbkdf2("Password", (const uint8_t *)"NaCl", 4, 80000, rest, out);
    assert_hex(out, sizeof(out),
               "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
    assert_in_range(rests, 20, 80);
}

/* Made by Python's hashlib. */
static const struct {
    const char *text;
    const char *password;
    uint32_t iterations;
} made_elsewhere[] = {
    {"$pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODw$9DCO4C5z2NAHsm6f5OwqGqHw8ND08P1c/jkVe0Lc8CA",
     "secret of the admin", 1000},
    {"$pbkdf2-sha256$1500$.//..//..//..//.$VIh1xfiBfXwmeGlZZTx/ySr5q2KQPdY21c31NSehres", "may look",
     1500},
};

static void test_matches(void **state)
{
    struct password_hash hash;

    (void)state;
    for (size_t i = 0; i < sizeof(made_elsewhere) / sizeof(made_elsewhere[0]); i++) {
        assert_null(password_hash_parse(&hash, made_elsewhere[i].text));
        assert_int_equal(hash.iterations, made_elsewhere[i].iterations);
        assert_true(password_hash_matches(&hash, made_elsewhere[i].password, 0));
        assert_true(password_hash_matches(&hash, made_elsewhere[i].password, 5000));
        assert_false(password_hash_matches(&hash, "secret of the admi", 0));
        assert_false(password_hash_matches(&hash, "", 5000));
    }
    password_hash_make(&hash, "made here");
    assert_true(password_hash_matches(&hash, "made here", 0));
    assert_false(password_hash_matches(&hash, "made her", 0));
}

/* What is padded takes the time of the others. */
static void test_takes_as_long(void **state)
{
    struct password_hash hash;

    (void)state;
    password_hash_rest = rest;
    assert_null(password_hash_parse(&hash, made_elsewhere[0].text));
    rests = 0;
    (void)password_hash_matches(&hash, "x", 0);
    assert_int_equal(rests, 0);
    (void)password_hash_matches(&hash, "x", 100000);
    assert_in_range(rests, 30, 100);
    password_hash_rest = NULL;
}

static void test_two_salts(void **state)
{
    struct password_hash a;
    struct password_hash b;

    (void)state;
    password_hash_make(&a, "same");
    password_hash_make(&b, "same");
    assert_memory_not_equal(a.salt, b.salt, 16);
    assert_memory_not_equal(a.key, b.key, HMAC_SIZE);
}

static void refused(const char *text, const char *why)
{
    struct password_hash hash;
    const char *reason = password_hash_parse(&hash, text);

    if (!reason || !strstr(reason, why)) {
        fail_msg("%s: %s", text, reason ? reason : "taken");
    }
}

#define SALT "AAECAwQFBgcICQoLDA0ODw"
#define KEY  "9DCO4C5z2NAHsm6f5OwqGqHw8ND08P1c/jkVe0Lc8CA"

static void test_wrong_texts(void **state)
{
    (void)state;
    refused("", "begins with");
    refused("secret", "begins with");
    refused("$pbkdf2-sha512$1000$" SALT "$" KEY, "begins with");
    refused("$pbkdf2-sha256$", "iterations");
    refused("$pbkdf2-sha256$999$" SALT "$" KEY, "iterations");
    refused("$pbkdf2-sha256$1000001$" SALT "$" KEY, "iterations");
    refused("$pbkdf2-sha256$4294968296$" SALT "$" KEY, "iterations");
    refused("$pbkdf2-sha256$1000x$" SALT "$" KEY, "iterations");
    refused("$pbkdf2-sha256$-1000$" SALT "$" KEY, "iterations");
    refused("$pbkdf2-sha256$1000$" SALT, "a salt and a key");
    refused("$pbkdf2-sha256$1000$AAECAwQFBg$" KEY, "want a salt of");
    refused("$pbkdf2-sha256$1000$$" KEY, "want a salt of");
    refused("$pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODwAAECAwQFBgcICQoLDA0ODw$" KEY,
            "want a salt of");
    refused("$pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0OD!$" KEY, "want a salt of");
    refused("$pbkdf2-sha256$1000$" SALT "==$" KEY, "want a salt of");
    refused("$pbkdf2-sha256$1000$" SALT "$", "want a key of");
    refused("$pbkdf2-sha256$1000$" SALT "$" SALT, "want a key of");
    refused("$pbkdf2-sha256$1000$" SALT "$" KEY "A", "want a key of");
    refused("$pbkdf2-sha256$1000$" SALT "$" KEY "$", "want a key of");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac),      cmocka_unit_test(test_pbkdf2),
        cmocka_unit_test(test_matches),   cmocka_unit_test(test_takes_as_long),
        cmocka_unit_test(test_two_salts), cmocka_unit_test(test_wrong_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
