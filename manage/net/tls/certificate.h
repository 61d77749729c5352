/*
 * Certificates: made for a host's names and addresses and signed by their own key, or read.
 * Pure but for the random numbers (tls_random).
 */
#ifndef MANAGE_NET_TLS_CERTIFICATE_H
#define MANAGE_NET_TLS_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#define CERTIFICATE_ADDRESSES 8u
#define CERTIFICATE_SIZE_MAX  1024u /* of one that is made, in DER */

/* "AA:BB:…" of a SHA-256 hash, with its NUL. */
#define FINGERPRINT_SIZE (3u * 32)

struct certificate_address {
    uint8_t length; /* 4 or 16 */
    uint8_t bytes[16];
};

/* Whom a certificate is for. */
struct certificate_host {
    const char *name; /* one label: it is NAME and NAME.local */
    struct certificate_address addresses[CERTIFICATE_ADDRESSES];
    unsigned address_count;
};

/** Makes a key for elliptic curve P-256. 0 or -ENOMEM. */
int certificate_make_key(mbedtls_pk_context *key);

/** Makes a certificate: `key` signs and is certified. It is good from a day before `now` (seconds
 * since 1970) for ten years; if it is earlier than this code, as when no clock is set, from its
 * year on. 0, -ENOMEM, or -ENOSPC if it gets too large; `certificate` was initialised or has one,
 * which is freed only if all goes well. */
int certificate_make(const struct certificate_host *host, mbedtls_pk_context *key, int64_t now,
                     mbedtls_x509_crt *certificate);

/** Whether `now` is outside what a certificate that certificate_make makes at `then` is good for.
 */
bool certificate_is_outdated(int64_t then, int64_t now);

/** Reads a certificate, which those that lead to its root may follow, and its key, in PEM or DER;
 * both were initialised. 0, or -EINVAL or -ENOMEM, and `reason` says why. */
int certificate_read(const void *certificate_file, size_t certificate_size, const void *key_file,
                     size_t key_size, mbedtls_x509_crt *certificate, mbedtls_pk_context *key,
                     char *reason, size_t size);

/** SHA-256 of the certificate in DER, as openssl x509 -fingerprint -sha256 has it. */
void certificate_fingerprint(const mbedtls_x509_crt *certificate, char text[FINGERPRINT_SIZE]);

#endif
