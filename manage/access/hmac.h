/*
 * HMAC (RFC 2104) and PBKDF2 (RFC 8018, 5.2) with SHA-256, over mbedTLS's SHA-256. A key is hashed
 * once and used often: mbedTLS's own does it anew for each message, which makes PBKDF2 take twice
 * as long. Pure.
 */
#ifndef MANAGE_ACCESS_HMAC_H
#define MANAGE_ACCESS_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include <mbedtls/sha256.h>

#define HMAC_SIZE 32u

/* A key, made ready. A secret. */
struct hmac_key {
    mbedtls_sha256_context inner;
    mbedtls_sha256_context outer;
};

void hmac_key_init(struct hmac_key *key, const void *bytes, size_t length);

struct hmac {
    const struct hmac_key *key;
    mbedtls_sha256_context hash;
};

void hmac_start(struct hmac *hmac, const struct hmac_key *key);
void hmac_update(struct hmac *hmac, const void *bytes, size_t length);
void hmac_finish(struct hmac *hmac, uint8_t out[static HMAC_SIZE]);

/** The first HMAC_SIZE bytes of PBKDF2. `rest` (NULL: nothing) is called every few thousand
 * iterations. */
void pbkdf2(const char *password, const uint8_t *salt, size_t salt_length, uint32_t iterations,
            void (*rest)(void), uint8_t out[static HMAC_SIZE]);

#endif
