/*
 * Writes a certificate (RFC 5280, section 4.1). mbedTLS could, but gives the algorithm ECDSA
 * parameters that it must not have (RFC 5758, section 3.2), at which some browsers stop.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/sha256.h>

#include "guest/devices/rtc_calendar.h"
#include "manage/net/tls/certificate.h"
#include "manage/net/tls/der.h"

#define SECONDS_PER_DAY INT64_C(86400)
/* A clock that has lost its battery says that it is long before this (2026-01-01). */
#define EARLIEST      INT64_C(1767225600)
#define VALIDITY_DAYS 3652

#define SERIAL_SIZE     16
#define KEY_SIZE        128 /* of a public key, encoded */
#define SIGNATURE_SIZE  80
#define LAST_SHORT_YEAR 2049 /* of those that are written with two digits */

#define GENERAL_NAME_DNS DER_CONTEXT(2u)
#define GENERAL_NAME_IP  DER_CONTEXT(7u)

static int64_t first_second(int64_t now)
{
    return (now > EARLIEST ? now : EARLIEST) - SECONDS_PER_DAY;
}

static int64_t last_second(int64_t now)
{
    return first_second(now) + VALIDITY_DAYS * SECONDS_PER_DAY;
}

bool certificate_is_outdated(int64_t then, int64_t now)
{
    if (now < EARLIEST) {
        now = EARLIEST;
    }
    return now < first_second(then) || now > last_second(then);
}

/* AlgorithmIdentifier: ecdsa-with-SHA256. */
static void put_algorithm(struct der *der)
{
    static const uint8_t ecdsa_with_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    const uint8_t *end = der->at;

    der_value(der, DER_OBJECT, ecdsa_with_sha256, sizeof(ecdsa_with_sha256));
    der_wrap(der, DER_SEQUENCE, end);
}

/* Name: a common name. */
static void put_name(struct der *der, const char *name)
{
    static const uint8_t common_name[] = {0x55, 0x04, 0x03};
    const uint8_t *end = der->at;

    der_value(der, DER_UTF8_STRING, name, strlen(name));
    der_value(der, DER_OBJECT, common_name, sizeof(common_name));
    der_wrap(der, DER_SEQUENCE, end);
    der_wrap(der, DER_SET, end);
    der_wrap(der, DER_SEQUENCE, end);
}

static void put_time(struct der *der, int64_t seconds)
{
    struct rtc_time time;
    char text[24];
    bool two_digits;

    rtc_time_from_seconds(seconds, &time);
    two_digits = time.year <= LAST_SHORT_YEAR;
    snprintf(text, sizeof(text), "%02u%02u%02u%02u%02u%02u%02uZ", (unsigned)time.year / 100 % 100,
             (unsigned)time.year % 100, time.month, time.day, time.hour, time.minute, time.second);
    if (two_digits) {
        der_value(der, DER_UTC_TIME, text + 2, strlen(text) - 2);
    } else {
        der_value(der, DER_GENERALIZED_TIME, text, strlen(text));
    }
}

static void put_validity(struct der *der, int64_t now)
{
    const uint8_t *end = der->at;

    put_time(der, last_second(now));
    put_time(der, first_second(now));
    der_wrap(der, DER_SEQUENCE, end);
}

/* Makes what has been written since `end` an extension, id-ce with that number. */
static void wrap_extension(struct der *der, uint8_t number, bool critical, const uint8_t *end)
{
    static const uint8_t yes = 0xff;
    const uint8_t id[] = {0x55, 0x1d, number};

    der_wrap(der, DER_OCTET_STRING, end);
    if (critical) {
        der_value(der, DER_BOOLEAN, &yes, 1);
    }
    der_value(der, DER_OBJECT, id, sizeof(id));
    der_wrap(der, DER_SEQUENCE, end);
}

static void put_alternative_names(struct der *der, const struct certificate_host *host)
{
    const uint8_t *end = der->at;
    char local[80];

    for (unsigned i = host->address_count; i-- > 0;) {
        der_value(der, GENERAL_NAME_IP, host->addresses[i].bytes, host->addresses[i].length);
    }
    snprintf(local, sizeof(local), "%s.local", host->name);
    der_value(der, GENERAL_NAME_DNS, local, strlen(local));
    der_value(der, GENERAL_NAME_DNS, host->name, strlen(host->name));
    der_wrap(der, DER_SEQUENCE, end);
    wrap_extension(der, 17, false, end);
}

/* The key is a TLS server's, and signs nothing but its handshakes. */
static void put_usage(struct der *der)
{
    static const uint8_t server_authentication[] = {0x2b, 6, 1, 5, 5, 7, 3, 1};
    static const uint8_t digital_signature[] = {7, 0x80}; /* of 8 bits 7 are not used */
    const uint8_t *end = der->at;

    der_value(der, DER_OBJECT, server_authentication, sizeof(server_authentication));
    der_wrap(der, DER_SEQUENCE, end);
    wrap_extension(der, 37, false, end); /* extended key usage */
    end = der->at;
    der_value(der, DER_BIT_STRING, digital_signature, sizeof(digital_signature));
    wrap_extension(der, 15, true, end); /* key usage */
    end = der->at;
    der_wrap(der, DER_SEQUENCE, end);
    wrap_extension(der, 19, true, end); /* basic constraints: no authority */
}

static void put_serial(struct der *der)
{
    uint8_t serial[SERIAL_SIZE];

    (void)tls_random(NULL, serial, sizeof(serial));
    serial[0] = (serial[0] & 0x3fu) | 0x40u; /* positive, and in its shortest form */
    der_value(der, DER_INTEGER, serial, sizeof(serial));
}

/* What is signed. */
static int put_content(struct der *der, const struct certificate_host *host,
                       mbedtls_pk_context *key, int64_t now)
{
    static const uint8_t version_3 = 2;
    const uint8_t *end = der->at;
    uint8_t public_key[KEY_SIZE];
    int size = mbedtls_pk_write_pubkey_der(key, public_key, sizeof(public_key));

    if (size < 0) {
        return size;
    }
    put_alternative_names(der, host);
    put_usage(der);
    der_wrap(der, DER_SEQUENCE, end);
    der_wrap(der, DER_CONTEXT_CONSTRUCTED(3u), end);
    der_put(der, public_key + sizeof(public_key) - size, (size_t)size);
    put_name(der, host->name);
    put_validity(der, now);
    put_name(der, host->name);
    put_algorithm(der);
    put_serial(der);
    end = der->at;
    der_value(der, DER_INTEGER, &version_3, 1);
    der_wrap(der, DER_CONTEXT_CONSTRUCTED(0u), end);
    der_wrap(der, DER_SEQUENCE, der->end);
    return 0;
}

static int put_signed(struct der *der, const struct der *content, mbedtls_pk_context *key)
{
    static const uint8_t no_unused_bits = 0;
    uint8_t signature[SIGNATURE_SIZE];
    uint8_t hash[32];
    size_t size;
    const uint8_t *end = der->at;
    int error = mbedtls_sha256_ret(content->at, der_size(content), hash, 0);

    if (!error) {
        error = mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, sizeof(hash), signature, &size,
                                tls_random, NULL);
    }
    if (error) {
        return error;
    }
    der_put(der, signature, size);
    der_put(der, &no_unused_bits, 1);
    der_wrap(der, DER_BIT_STRING, end);
    put_algorithm(der);
    der_put(der, content->at, der_size(content));
    der_wrap(der, DER_SEQUENCE, end);
    return 0;
}

int certificate_make(const struct certificate_host *host, mbedtls_pk_context *key, int64_t now,
                     mbedtls_x509_crt *certificate)
{
    uint8_t content_memory[CERTIFICATE_SIZE_MAX];
    uint8_t memory[CERTIFICATE_SIZE_MAX];
    mbedtls_x509_crt made;
    struct der content;
    struct der der;

    der_start(&content, content_memory, sizeof(content_memory));
    der_start(&der, memory, sizeof(memory));
    if (put_content(&content, host, key, now) || put_signed(&der, &content, key)) {
        return -ENOMEM; /* what else can go wrong does not with a key of ours */
    }
    if (content.full || der.full) {
        return -ENOSPC;
    }
    mbedtls_x509_crt_init(&made);
    if (mbedtls_x509_crt_parse_der(&made, der.at, der_size(&der))) {
        mbedtls_x509_crt_free(&made);
        return -ENOMEM;
    }
    mbedtls_x509_crt_free(certificate);
    *certificate = made;
    return 0;
}
