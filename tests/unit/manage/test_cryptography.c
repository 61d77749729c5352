/* mbedTLS as it is configured here, against published values: that our options and our compiler's
 * have not broken what others rely on. */
#include "tests/unit/support/cmocka.h"

#include <string.h>

#include <mbedtls/base64.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/gcm.h>
#include <mbedtls/pkcs5.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>

#include "manage/net/tls/port.h"

static void assert_hex(const unsigned char *bytes, size_t size, const char *expected)
{
    char text[2 * 64 + 1];

    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    assert_string_equal(text, expected);
}

/* FIPS 180-4's example "abc". */
static void hashes(void **state)
{
    static const unsigned char abc[] = {'a', 'b', 'c'};
    unsigned char hash[64];

    (void)state;
    assert_int_equal(mbedtls_sha1_ret(abc, sizeof(abc), hash), 0);
    assert_hex(hash, 20, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_int_equal(mbedtls_sha256_ret(abc, sizeof(abc), hash, 0), 0);
    assert_hex(hash, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(mbedtls_sha512_ret(abc, sizeof(abc), hash, 1), 0);
    assert_hex(hash, 48,
               "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
               "8086072ba1e7cc2358baeca134c825a7");
}

/* RFC 7914, section 11. */
static void passwords(void **state)
{
    mbedtls_md_context_t md;
    unsigned char key[64];

    (void)state;
    mbedtls_md_init(&md);
    assert_int_equal(mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1), 0);
    assert_int_equal(mbedtls_pkcs5_pbkdf2_hmac(&md, (const unsigned char *)"passwd", 6,
                                               (const unsigned char *)"salt", 4, 1, sizeof(key),
                                               key),
                     0);
    assert_hex(key, sizeof(key),
               "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
               "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
    mbedtls_md_free(&md);
}

/* RFC 6455, section 1.3: the answer to a WebSocket's key. */
static void base64(void **state)
{
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char hash[20];
    unsigned char text[32];
    size_t length;

    (void)state;
    assert_int_equal(mbedtls_sha1_ret((const unsigned char *)key, strlen(key), hash), 0);
    assert_int_equal(mbedtls_base64_encode(text, sizeof(text), &length, hash, sizeof(hash)), 0);
    assert_string_equal(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

/* RFC 8439, section 2.8.2: the tag. */
static void chachapoly(void **state)
{
    static const char text[] =
        "Ladies and Gentlemen of the class of '99: If I could offer you only "
        "one tip for the future, sunscreen would be it.";
    static const unsigned char nonce[] = {7,    0,    0,    0,    0x40, 0x41,
                                          0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
    static const unsigned char added[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                                          0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
    mbedtls_chachapoly_context context;
    unsigned char key[32];
    unsigned char out[sizeof(text)];
    unsigned char tag[16];

    (void)state;
    for (unsigned i = 0; i < sizeof(key); i++) {
        key[i] = (unsigned char)(0x80 + i);
    }
    mbedtls_chachapoly_init(&context);
    assert_int_equal(mbedtls_chachapoly_setkey(&context, key), 0);
    assert_int_equal(mbedtls_chachapoly_encrypt_and_tag(&context, strlen(text), nonce, added,
                                                        sizeof(added), (const unsigned char *)text,
                                                        out, tag),
                     0);
    assert_hex(tag, sizeof(tag), "1ae10b594f09e26a7e902ecbd0600691");
    mbedtls_chachapoly_free(&context);
}

/* The GCM specification's test case 2. */
static void gcm(void **state)
{
    static const unsigned char zeros[16];
    mbedtls_gcm_context context;
    unsigned char out[16];
    unsigned char tag[16];

    (void)state;
    mbedtls_gcm_init(&context);
    assert_int_equal(mbedtls_gcm_setkey(&context, MBEDTLS_CIPHER_ID_AES, zeros, 128), 0);
    assert_int_equal(mbedtls_gcm_crypt_and_tag(&context, MBEDTLS_GCM_ENCRYPT, sizeof(zeros), zeros,
                                               12, NULL, 0, zeros, out, sizeof(tag), tag),
                     0);
    assert_hex(out, sizeof(out), "0388dace60b6a392f328c2b971b2fe78");
    assert_hex(tag, sizeof(tag), "ab6e47d42cec13bdf53a67b21257bddf");
    mbedtls_gcm_free(&context);
}

/* A signature by a new key is good, and for another hash it is not. */
static void signatures(void **state)
{
    mbedtls_ecdsa_context key;
    unsigned char hash[32] = {1};
    unsigned char signature[MBEDTLS_ECDSA_MAX_LEN];
    size_t size;

    (void)state;
    mbedtls_ecdsa_init(&key);
    assert_int_equal(mbedtls_ecdsa_genkey(&key, MBEDTLS_ECP_DP_SECP256R1, tls_random, NULL), 0);
    assert_int_equal(mbedtls_ecdsa_write_signature(&key, MBEDTLS_MD_SHA256, hash, sizeof(hash),
                                                   signature, &size, tls_random, NULL),
                     0);
    assert_int_equal(mbedtls_ecdsa_read_signature(&key, hash, sizeof(hash), signature, size), 0);
    hash[0] = 2;
    assert_int_equal(mbedtls_ecdsa_read_signature(&key, hash, sizeof(hash), signature, size),
                     MBEDTLS_ERR_ECP_VERIFY_FAILED);
    mbedtls_ecdsa_free(&key);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),     cmocka_unit_test(passwords), cmocka_unit_test(base64),
        cmocka_unit_test(chachapoly), cmocka_unit_test(gcm),       cmocka_unit_test(signatures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
