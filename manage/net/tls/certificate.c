#include "manage/net/tls/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>

#include "guest/devices/rtc_calendar.h"
#include "kernel/memory/heap.h"

#define SECONDS_PER_DAY INT64_C(86400)
/* A clock that has lost its battery says that it is long before this (2026-01-01). */
#define EARLIEST      INT64_C(1767225600)
#define VALIDITY_DAYS 3652

#define SERIAL_SIZE 16
#define NAMES_SIZE  512 /* of all names and addresses, encoded */

int certificate_make_key(mbedtls_pk_context *key)
{
    if (mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) ||
        mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), tls_random, NULL)) {
        return -ENOMEM;
    }
    return 0;
}

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

/* YYYYMMDDhhmmss. */
static void write_date(int64_t seconds, char text[static 16])
{
    struct rtc_time time;

    rtc_time_from_seconds(seconds, &time);
    snprintf(text, 16, "%04u%02u%02u%02u%02u%02u", (unsigned)time.year % 10000, time.month % 100,
             time.day % 100, time.hour % 100, time.minute % 100, time.second % 100);
}

static int set_dates(mbedtls_x509write_cert *writer, int64_t now)
{
    char from[16];
    char to[16];

    write_date(first_second(now), from);
    write_date(last_second(now), to);
    return mbedtls_x509write_crt_set_validity(writer, from, to);
}

static int set_serial(mbedtls_x509write_cert *writer)
{
    unsigned char serial[SERIAL_SIZE];
    mbedtls_mpi number;
    int error;

    (void)tls_random(NULL, serial, sizeof(serial));
    serial[0] &= 0x7fu; /* it has to be positive, and not 0 */
    serial[0] |= 0x40u;
    mbedtls_mpi_init(&number);
    error = mbedtls_mpi_read_binary(&number, serial, sizeof(serial));
    if (!error) {
        error = mbedtls_x509write_crt_set_serial(writer, &number);
    }
    mbedtls_mpi_free(&number);
    return error;
}

/* One entry of GeneralNames (RFC 5280, section 4.2.1.6), written, as mbedTLS does it, in front of
 * what `*at` points to. Its length or an error of mbedTLS's. */
static int write_general_name(unsigned char **at, unsigned char *start, unsigned kind,
                              const void *bytes, size_t length)
{
    int written = mbedtls_asn1_write_raw_buffer(at, start, bytes, length);
    int total = written;

    if (written >= 0) {
        written = mbedtls_asn1_write_len(at, start, length);
        total += written;
    }
    if (written >= 0) {
        written = mbedtls_asn1_write_tag(at, start,
                                         (unsigned char)(MBEDTLS_ASN1_CONTEXT_SPECIFIC | kind));
        total += written;
    }
    return written < 0 ? written : total;
}

static int set_names(mbedtls_x509write_cert *writer, const struct certificate_host *host)
{
    unsigned char names[NAMES_SIZE];
    unsigned char *at = names + sizeof(names);
    char local[NAMES_SIZE / 4];
    int written = 0;

    for (unsigned i = host->address_count; written >= 0 && i-- > 0;) {
        written = write_general_name(&at, names, MBEDTLS_X509_SAN_IP_ADDRESS,
                                     host->addresses[i].bytes, host->addresses[i].length);
    }
    if (written >= 0) {
        snprintf(local, sizeof(local), "%s.local", host->name);
        written = write_general_name(&at, names, MBEDTLS_X509_SAN_DNS_NAME, local, strlen(local));
    }
    if (written >= 0) {
        written = write_general_name(&at, names, MBEDTLS_X509_SAN_DNS_NAME, host->name,
                                     strlen(host->name));
    }
    if (written >= 0) {
        written = mbedtls_asn1_write_len(&at, names, (size_t)(names + sizeof(names) - at));
    }
    if (written >= 0) {
        written =
            mbedtls_asn1_write_tag(&at, names, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
    }
    return written < 0
               ? written
               : mbedtls_x509write_crt_set_extension(writer, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                                     MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME),
                                                     0, at, (size_t)(names + sizeof(names) - at));
}

/* That the key is a TLS server's and signs nothing but handshakes. */
static int set_usage(mbedtls_x509write_cert *writer)
{
    static const unsigned char server[] = {MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE,
                                           MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH) + 2,
                                           MBEDTLS_ASN1_OID,
                                           MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)};
    unsigned char usage[sizeof(server) + MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)];
    int error = mbedtls_x509write_crt_set_basic_constraints(writer, 0, -1);

    memcpy(usage, server, sizeof(server));
    memcpy(usage + sizeof(server), MBEDTLS_OID_SERVER_AUTH, sizeof(usage) - sizeof(server));
    if (!error) {
        error = mbedtls_x509write_crt_set_key_usage(writer, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    }
    return error ? error
                 : mbedtls_x509write_crt_set_extension(
                       writer, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                       MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, usage, sizeof(usage));
}

static int fill_in(mbedtls_x509write_cert *writer, const struct certificate_host *host,
                   mbedtls_pk_context *key, int64_t now)
{
    char name[NAMES_SIZE / 4];
    int error;

    snprintf(name, sizeof(name), "CN=%s", host->name);
    mbedtls_x509write_crt_set_version(writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(writer, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(writer, key);
    mbedtls_x509write_crt_set_issuer_key(writer, key);
    error = mbedtls_x509write_crt_set_subject_name(writer, name);
    if (!error) {
        error = mbedtls_x509write_crt_set_issuer_name(writer, name);
    }
    if (!error) {
        error = set_serial(writer);
    }
    if (!error) {
        error = set_dates(writer, now);
    }
    if (!error) {
        error = set_usage(writer);
    }
    if (!error) {
        error = mbedtls_x509write_crt_set_subject_key_identifier(writer);
    }
    return error ? error : set_names(writer, host);
}

int certificate_make(const struct certificate_host *host, mbedtls_pk_context *key, int64_t now,
                     mbedtls_x509_crt *certificate)
{
    unsigned char der[CERTIFICATE_SIZE_MAX];
    mbedtls_x509write_cert writer;
    mbedtls_x509_crt made;
    int length;

    mbedtls_x509write_crt_init(&writer);
    length = fill_in(&writer, host, key, now);
    if (length == 0) {
        length = mbedtls_x509write_crt_der(&writer, der, sizeof(der), tls_random, NULL);
    }
    mbedtls_x509write_crt_free(&writer);
    if (length <= 0) {
        return -ENOMEM; /* nothing else goes wrong with names that are in order */
    }
    mbedtls_x509_crt_init(&made);
    if (mbedtls_x509_crt_parse_der(&made, der + sizeof(der) - length, (size_t)length)) {
        mbedtls_x509_crt_free(&made);
        return -ENOMEM;
    }
    mbedtls_x509_crt_free(certificate);
    *certificate = made;
    return 0;
}

/* A file with a NUL after it, without which mbedTLS takes nothing for PEM. */
static unsigned char *with_nul(const void *file, size_t size)
{
    unsigned char *copy = kmalloc(size + 1);

    if (copy) {
        memcpy(copy, file, size);
        copy[size] = '\0';
    }
    return copy;
}

static void free_copy(unsigned char *copy, size_t size)
{
    if (copy) {
        mbedtls_platform_zeroize(copy, size);
        kfree(copy);
    }
}

static bool is_pem(const unsigned char *text)
{
    return strstr((const char *)text, "-----BEGIN ") != NULL;
}

static int refuse(int error, const char *what, char *reason, size_t size)
{
    snprintf(reason, size, "%s (mbedTLS: -0x%04x)", what, (unsigned)-error);
    return -EINVAL;
}

/* Both have a NUL behind them. */
static int parse(const unsigned char *certificate_file, size_t certificate_size,
                 const unsigned char *key_file, size_t key_size, mbedtls_x509_crt *certificate,
                 mbedtls_pk_context *key, char *reason, size_t size)
{
    int error = mbedtls_x509_crt_parse(certificate, certificate_file,
                                       certificate_size + (is_pem(certificate_file) ? 1 : 0));

    if (error) { /* positive: that many of several are damaged */
        return refuse(error < 0 ? error : 0, "the certificate is damaged or none", reason, size);
    }
    error = mbedtls_pk_parse_key(key, key_file, key_size + (is_pem(key_file) ? 1 : 0), NULL, 0);
    if (error == MBEDTLS_ERR_PK_PASSWORD_REQUIRED || error == MBEDTLS_ERR_PEM_PASSWORD_REQUIRED) {
        return refuse(error, "the key is encrypted", reason, size);
    }
    if (error) {
        return refuse(error, "the key is damaged, or not RSA, P-256 or P-384", reason, size);
    }
    error = mbedtls_pk_check_pair(&certificate->pk, key);
    if (error) {
        return refuse(error, "the key is not the certificate's", reason, size);
    }
    return 0;
}

int certificate_read(const void *certificate_file, size_t certificate_size, const void *key_file,
                     size_t key_size, mbedtls_x509_crt *certificate, mbedtls_pk_context *key,
                     char *reason, size_t size)
{
    unsigned char *certificate_copy = with_nul(certificate_file, certificate_size);
    unsigned char *key_copy = with_nul(key_file, key_size);
    int error;

    if (certificate_copy && key_copy) {
        error = parse(certificate_copy, certificate_size, key_copy, key_size, certificate, key,
                      reason, size);
    } else {
        snprintf(reason, size, "no memory");
        error = -ENOMEM;
    }
    free_copy(certificate_copy, certificate_size);
    free_copy(key_copy, key_size);
    return error;
}

void certificate_fingerprint(const mbedtls_x509_crt *certificate, char text[FINGERPRINT_SIZE])
{
    unsigned char hash[32];

    (void)mbedtls_sha256_ret(certificate->raw.p, certificate->raw.len, hash, 0);
    for (unsigned i = 0; i < sizeof(hash); i++) {
        snprintf(text + (size_t)3 * i, 4, "%02X%s", hash[i], i + 1 < sizeof(hash) ? ":" : "");
    }
}
