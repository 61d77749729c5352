/* Poly1305 against the examples of RFC 8439, 2.5.2 and A.3: those of A.3 that are about carries and
 * the reduction. */
#include <stdio.h>
#include <string.h>

#include <mbedtls/poly1305.h>

#include "tests/unit/support/cmocka.h"

struct example {
    const char *key; /* in hexadecimal, as all here */
    const char *text;
    const char *tag;
};

#define ZEROS "00000000000000000000000000000000"
#define ONES  "ffffffffffffffffffffffffffffffff"
#define ONE   "01000000000000000000000000000000"
#define TWO   "02000000000000000000000000000000"

static const struct example examples[] = {
    {"85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
     "43727970746f6772617068696320466f72756d2052657365617263682047726f7570",
     "a8061dc1305136c6c22b8baf0c0127a9"},
    {TWO ZEROS, ONES, "03000000000000000000000000000000"},
    {TWO ONES, TWO, "03000000000000000000000000000000"},
    {ONE ZEROS,
     ONES "f0ffffffffffffffffffffffffffffff"
          "11000000000000000000000000000000",
     "05000000000000000000000000000000"},
    {ONE ZEROS,
     ONES "fbfefefefefefefefefefefefefefefe"
          "01010101010101010101010101010101",
     ZEROS},
    {TWO ZEROS, "fdffffffffffffffffffffffffffffff", "faffffffffffffffffffffffffffffff"},
};

static size_t decode(const char *text, unsigned char *bytes)
{
    size_t length = strlen(text) / 2;

    for (size_t i = 0; i < length; i++) {
        unsigned byte;

        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        bytes[i] = (unsigned char)byte;
    }
    return length;
}

/* In pieces of any length. */
static void known_tags(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        unsigned char key[32];
        unsigned char text[64];
        unsigned char wanted[16];
        size_t length = decode(examples[i].text, text);

        assert_int_equal(decode(examples[i].key, key), sizeof(key));
        assert_int_equal(decode(examples[i].tag, wanted), sizeof(wanted));
        for (size_t piece = 1; piece <= length; piece++) {
            mbedtls_poly1305_context context;
            unsigned char tag[16];

            mbedtls_poly1305_init(&context);
            assert_int_equal(mbedtls_poly1305_starts(&context, key), 0);
            for (size_t at = 0; at < length; at += piece) {
                size_t part = length - at < piece ? length - at : piece;

                assert_int_equal(mbedtls_poly1305_update(&context, text + at, part), 0);
            }
            assert_int_equal(mbedtls_poly1305_finish(&context, tag), 0);
            assert_memory_equal(tag, wanted, sizeof(tag));
            mbedtls_poly1305_free(&context);
        }
    }
}

/* Many blocks, of numbers that carry: each step by the schoolbook, 8 bits at a time. */
static void multiply(unsigned char sum[18], const unsigned char r[16])
{
    unsigned long product[36] = {0};
    unsigned long carry = 0;
    unsigned char reduced[18];

    for (size_t i = 0; i < 17; i++) {
        for (size_t k = 0; k < 16; k++) {
            product[i + k] += (unsigned long)sum[i] * r[k];
        }
    }
    for (size_t i = 0; i < 36; i++) {
        carry += product[i];
        product[i] = carry & 0xff;
        carry >>= 8;
    }
    /* What is from bit 130 on comes back five times. */
    carry = 0;
    for (size_t i = 0; i < 18; i++) {
        unsigned long upper =
            product[16 + i] >> 2 | (17 + i < 36 ? product[17 + i] << 6 & 0xff : 0);
        unsigned long lower = i < 16 ? product[i] : i == 16 ? product[16] & 3 : 0;

        carry += lower + 5 * upper;
        reduced[i] = (unsigned char)carry;
        carry >>= 8;
    }
    memcpy(sum, reduced, sizeof(reduced));
}

static void as_by_the_schoolbook(void **state)
{
    unsigned char key[32] = {0};
    unsigned char sum[18] = {0};
    unsigned char block[16];
    unsigned char tag[16];
    unsigned char clamped[16];
    mbedtls_poly1305_context context;
    uint64_t random = 88172645463325252;

    (void)state;
    memset(key, 0xff, 16);
    memcpy(clamped, key, 16);
    for (size_t i = 0; i < 16; i++) {
        clamped[i] &= i % 4 == 3 ? 0x0f : i % 4 == 0 && i > 0 ? 0xfc : 0xff;
    }
    mbedtls_poly1305_init(&context);
    mbedtls_poly1305_starts(&context, key);
    for (unsigned round = 0; round < 1000; round++) {
        unsigned carry = 0;

        for (size_t i = 0; i < sizeof(block); i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            block[i] = round % 2 ? (unsigned char)random : 0xff;
        }
        mbedtls_poly1305_update(&context, block, sizeof(block));
        for (size_t i = 0; i < 18; i++) {
            carry += sum[i] + (i < 16 ? block[i] : i == 16 ? 1u : 0u);
            sum[i] = (unsigned char)carry;
            carry >>= 8;
        }
        multiply(sum, clamped);
    }
    mbedtls_poly1305_finish(&context, tag);
    /* Partly reduced: to multiply by one reduces the rest, unless it is p or more, which random
     * numbers are not. */
    memset(clamped, 0, sizeof(clamped));
    clamped[0] = 1;
    multiply(sum, clamped);
    multiply(sum, clamped);
    assert_memory_equal(tag, sum, sizeof(tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_tags),
        cmocka_unit_test(as_by_the_schoolbook),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
