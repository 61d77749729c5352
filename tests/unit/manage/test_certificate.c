/* Certificates that are made are read again, and those that are given are looked at. */
#define _GNU_SOURCE /* memmem */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <string.h>

#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#include "manage/net/tls/certificate.h"

#define NOW       INT64_C(1795305600) /* 2026-11-22 */
#define DAY       INT64_C(86400)
#define TEN_YEARS (3652 * DAY)

static const struct certificate_host host = {
    .name = "innkeeper",
    .addresses = {{4, {10, 0, 2, 15}}, {16, {0xfe, 0x80, [15] = 1}}},
    .address_count = 2,
};

struct made {
    mbedtls_pk_context key;
    mbedtls_x509_crt certificate;
};

static void make(struct made *made, int64_t now)
{
    mbedtls_pk_init(&made->key);
    mbedtls_x509_crt_init(&made->certificate);
    assert_int_equal(certificate_make_key(&made->key), 0);
    assert_int_equal(certificate_make(&host, &made->key, now, &made->certificate), 0);
}

static void drop(struct made *made)
{
    mbedtls_pk_free(&made->key);
    mbedtls_x509_crt_free(&made->certificate);
}

static bool contains(const mbedtls_x509_buf *buffer, const void *bytes, size_t size)
{
    return memmem(buffer->p, buffer->len, bytes, size) != NULL;
}

/* Its own key has signed it, and it is what was asked for. */
static void made_for_host(void **state)
{
    static const unsigned char ipv4[] = {0x87, 4, 10, 0, 2, 15};
    static const unsigned char ipv6[] = {0x87, 16, 0xfe, 0x80, 0, 0, 0, 0, 0,
                                         0,    0,  0,    0,    0, 0, 0, 0, 1};
    /* A sequence with one thing in it: the algorithm has no parameters. */
    static const unsigned char algorithm[] = {0x30, 10,   6,    8,    0x2a, 0x86,
                                              0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    const mbedtls_x509_sequence *name;
    struct made made;
    uint32_t flags;

    (void)state;
    make(&made, NOW);
    assert_int_equal(mbedtls_x509_crt_verify(&made.certificate, &made.certificate, NULL,
                                             "innkeeper", &flags, NULL, NULL),
                     0);
    assert_int_equal(mbedtls_x509_crt_verify(&made.certificate, &made.certificate, NULL,
                                             "innkeeper.local", &flags, NULL, NULL),
                     0);
    assert_int_not_equal(mbedtls_x509_crt_verify(&made.certificate, &made.certificate, NULL,
                                                 "other", &flags, NULL, NULL),
                         0);
    name = &made.certificate.subject_alt_names;
    assert_int_equal(name->buf.len, strlen("innkeeper"));
    assert_memory_equal(name->buf.p, "innkeeper", name->buf.len);
    name = name->next;
    assert_int_equal(name->buf.len, strlen("innkeeper.local"));
    assert_memory_equal(name->buf.p, "innkeeper.local", name->buf.len);
    assert_true(contains(&made.certificate.v3_ext, ipv4, sizeof(ipv4)));
    assert_true(contains(&made.certificate.v3_ext, ipv6, sizeof(ipv6)));
    assert_true(contains(&made.certificate.raw, algorithm, sizeof(algorithm)));
    assert_true(contains(&made.certificate.tbs, algorithm, sizeof(algorithm)));
    assert_false(made.certificate.ca_istrue);
    assert_int_equal(made.certificate.key_usage, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    assert_int_equal(made.certificate.ext_key_usage.buf.len,
                     MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
    assert_memory_equal(made.certificate.ext_key_usage.buf.p, MBEDTLS_OID_SERVER_AUTH,
                        MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
    assert_null(made.certificate.ext_key_usage.next);
    drop(&made);
}

static void dates(void **state)
{
    struct made made;

    (void)state;
    make(&made, NOW);
    assert_int_equal(made.certificate.valid_from.year, 2026);
    assert_int_equal(made.certificate.valid_from.mon, 11);
    assert_int_equal(made.certificate.valid_from.day, 21);
    assert_int_equal(made.certificate.valid_to.year, 2036);
    assert_int_equal(made.certificate.valid_to.mon, 11);
    drop(&made);
    make(&made, NOW + 20 * 366 * DAY);
    assert_int_equal(made.certificate.valid_from.year, 2046);
    assert_int_equal(made.certificate.valid_to.year, 2056);
    drop(&made);
    make(&made, 100); /* no clock has told the date */
    assert_int_equal(made.certificate.valid_from.year, 2025);
    assert_int_equal(made.certificate.valid_from.mon, 12);
    assert_int_equal(made.certificate.valid_from.day, 31);
    assert_int_equal(made.certificate.valid_to.year, 2035);
    drop(&made);
    assert_false(certificate_is_outdated(NOW, NOW));
    assert_false(certificate_is_outdated(NOW, NOW - DAY));
    assert_true(certificate_is_outdated(NOW, NOW - DAY - 1));
    assert_false(certificate_is_outdated(NOW, NOW + TEN_YEARS - DAY));
    assert_true(certificate_is_outdated(NOW, NOW + TEN_YEARS));
    assert_false(certificate_is_outdated(100, 100));
    assert_false(certificate_is_outdated(100, NOW));
}

/* A longer name and more addresses than one has. */
static void large(void **state)
{
    static const char name[] = "a123456789b123456789c123456789d123456789e123456789f123456789abc";
    struct certificate_host many = {.name = name, .address_count = CERTIFICATE_ADDRESSES};
    struct made made;
    uint32_t flags;

    (void)state;
    for (unsigned i = 0; i < CERTIFICATE_ADDRESSES; i++) {
        many.addresses[i].length = 16;
        memset(many.addresses[i].bytes, (int)i, 16);
    }
    make(&made, NOW);
    assert_int_equal(certificate_make(&many, &made.key, NOW, &made.certificate), 0);
    assert_int_equal(mbedtls_x509_crt_verify(&made.certificate, &made.certificate, NULL, name,
                                             &flags, NULL, NULL),
                     0);
    drop(&made);
}

static void fingerprint(void **state)
{
    mbedtls_x509_crt certificate;
    unsigned char abc[] = "abc";
    char text[FINGERPRINT_SIZE];

    (void)state;
    mbedtls_x509_crt_init(&certificate);
    certificate.raw.p = abc;
    certificate.raw.len = 3;
    certificate_fingerprint(&certificate, text);
    assert_string_equal(text, "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:"
                              "B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD");
}

/* What a file with that certificate or key holds, in PEM, without its NUL. */
static size_t to_pem(const char *what, const unsigned char *der, size_t size, char *text,
                     size_t room)
{
    char head[64];
    char foot[64];
    size_t length;

    snprintf(head, sizeof(head), "-----BEGIN %s-----\n", what);
    snprintf(foot, sizeof(foot), "-----END %s-----\n", what);
    assert_int_equal(
        mbedtls_pem_write_buffer(head, foot, der, size, (unsigned char *)text, room, &length), 0);
    return length - 1;
}

static void given(void **state)
{
    struct made one;
    struct made other;
    struct made got;
    unsigned char key[256];
    unsigned char other_key[256];
    char pem[2048];
    char reason[128];
    int key_size;
    int other_size;
    size_t pem_size;

    (void)state;
    make(&one, NOW);
    make(&other, NOW);
    key_size = mbedtls_pk_write_key_der(&one.key, key, sizeof(key));
    other_size = mbedtls_pk_write_key_der(&other.key, other_key, sizeof(other_key));
    assert_true(key_size > 0 && other_size > 0);
    const unsigned char *key_der = key + sizeof(key) - key_size;
    const unsigned char *other_der = other_key + sizeof(other_key) - other_size;

    mbedtls_pk_init(&got.key);
    mbedtls_x509_crt_init(&got.certificate);
    pem_size =
        to_pem("CERTIFICATE", one.certificate.raw.p, one.certificate.raw.len, pem, sizeof(pem));
    assert_int_equal(certificate_read(pem, pem_size, key_der, (size_t)key_size, &got.certificate,
                                      &got.key, reason, sizeof(reason)),
                     0);
    assert_memory_equal(got.certificate.raw.p, one.certificate.raw.p, one.certificate.raw.len);
    drop(&got);
    assert_int_equal(certificate_read(pem, pem_size, other_der, (size_t)other_size,
                                      &got.certificate, &got.key, reason, sizeof(reason)),
                     -EINVAL);
    assert_non_null(strstr(reason, "the key is not the certificate's"));
    drop(&got);
    assert_int_equal(certificate_read(pem, pem_size, pem, pem_size, &got.certificate, &got.key,
                                      reason, sizeof(reason)),
                     -EINVAL);
    assert_non_null(strstr(reason, "the key is damaged"));
    drop(&got);
    pem[100] = '!';
    assert_int_equal(certificate_read(pem, pem_size, key_der, (size_t)key_size, &got.certificate,
                                      &got.key, reason, sizeof(reason)),
                     -EINVAL);
    assert_non_null(strstr(reason, "the certificate is damaged"));
    drop(&got);
    assert_int_equal(certificate_read("", 0, key_der, (size_t)key_size, &got.certificate, &got.key,
                                      reason, sizeof(reason)),
                     -EINVAL);
    drop(&got);
    drop(&one);
    drop(&other);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_for_host), cmocka_unit_test(dates), cmocka_unit_test(large),
        cmocka_unit_test(fingerprint),   cmocka_unit_test(given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
