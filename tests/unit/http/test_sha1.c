/* SHA-1 against published values. */
#include "tests/unit/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "manage/http/sha1.h"

static void assert_sha1(const char *bytes, size_t length, const char *expected)
{
    uint8_t hash[SHA1_SIZE];
    char text[2 * SHA1_SIZE + 1];

    sha1(bytes, length, hash);
    for (size_t i = 0; i < sizeof(hash); i++) {
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
    assert_string_equal(text, expected);
}

/* The examples of RFC 3174, 7.3, and of FIPS 180. */
static void test_published(void **state)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char digits[] = "0123456701234567012345670123456701234567012345670123456701234567";
    char many[10 * (sizeof(digits) - 1)];

    (void)state;
    assert_sha1("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_sha1("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_sha1(two_blocks, strlen(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    for (unsigned i = 0; i < 10; i++) {
        memcpy(many + i * strlen(digits), digits, strlen(digits));
    }
    assert_sha1(many, sizeof(many), "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

/* Around the end of a block, where the length finds room or does not. */
static void test_lengths(void **state)
{
    static const struct {
        size_t length;
        const char *hash;
    } expected[] = {
        {55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
        {56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
        {63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
        {64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
        {65, "11655326c708d70319be2610e8a57d9a5b959d3b"},
    };
    char text[65];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_sha1(text, expected[i].length, expected[i].hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
