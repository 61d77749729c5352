#include "manage/net/tls/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/ecp.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>

#include "kernel/memory/heap.h"

int certificate_make_key(mbedtls_pk_context *key)
{
    if (mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) ||
        mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), tls_random, NULL)) {
        return -ENOMEM;
    }
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
