#include "manage/access/hmac.h"

#include <stdbool.h>
#include <string.h>

#include <mbedtls/platform_util.h>

#define BLOCK_SIZE         64u
#define INNER_PAD          0x36
#define OUTER_PAD          0x5c
#define ITERATIONS_AT_ONCE 2048u

/* None of mbedTLS's functions for SHA-256 fails in software. */

static void start_padded(mbedtls_sha256_context *hash, const uint8_t key[BLOCK_SIZE], uint8_t pad)
{
    uint8_t block[BLOCK_SIZE];

    for (unsigned i = 0; i < BLOCK_SIZE; i++) {
        block[i] = key[i] ^ pad;
    }
    mbedtls_sha256_init(hash);
    (void)mbedtls_sha256_starts_ret(hash, false);
    (void)mbedtls_sha256_update_ret(hash, block, sizeof(block));
    mbedtls_platform_zeroize(block, sizeof(block));
}

void hmac_key_init(struct hmac_key *key, const void *bytes, size_t length)
{
    uint8_t block[BLOCK_SIZE] = {0};

    if (length > BLOCK_SIZE) {
        (void)mbedtls_sha256_ret(bytes, length, block, false);
    } else {
        memcpy(block, bytes, length);
    }
    start_padded(&key->inner, block, INNER_PAD);
    start_padded(&key->outer, block, OUTER_PAD);
    mbedtls_platform_zeroize(block, sizeof(block));
}

void hmac_start(struct hmac *hmac, const struct hmac_key *key)
{
    hmac->key = key;
    hmac->hash = key->inner;
}

void hmac_update(struct hmac *hmac, const void *bytes, size_t length)
{
    (void)mbedtls_sha256_update_ret(&hmac->hash, bytes, length);
}

void hmac_finish(struct hmac *hmac, uint8_t out[static HMAC_SIZE])
{
    uint8_t inner[HMAC_SIZE];

    (void)mbedtls_sha256_finish_ret(&hmac->hash, inner);
    hmac->hash = hmac->key->outer;
    (void)mbedtls_sha256_update_ret(&hmac->hash, inner, sizeof(inner));
    (void)mbedtls_sha256_finish_ret(&hmac->hash, out);
    mbedtls_platform_zeroize(hmac, sizeof(*hmac));
}

/* Puts a hash into the words' order of bytes that SHA-256 reads. */
static void put_state(const mbedtls_sha256_context *hash, uint8_t out[HMAC_SIZE])
{
    for (size_t i = 0; i < HMAC_SIZE / 4; i++) {
        uint32_t word = __builtin_bswap32(hash->state[i]);

        memcpy(out + i * 4, &word, sizeof(word));
    }
}

/* The HMAC of what is in the first HMAC_SIZE bytes of `block`, back to there. The rest of the block
 * is the padding of a message of BLOCK_SIZE + HMAC_SIZE bytes, which both hashes have. */
static void iterate(const struct hmac_key *key, mbedtls_sha256_context *hash,
                    uint8_t block[BLOCK_SIZE])
{
    memcpy(hash->state, key->inner.state, sizeof(hash->state));
    (void)mbedtls_internal_sha256_process(hash, block);
    put_state(hash, block);
    memcpy(hash->state, key->outer.state, sizeof(hash->state));
    (void)mbedtls_internal_sha256_process(hash, block);
    put_state(hash, block);
}

void pbkdf2(const char *password, const uint8_t *salt, size_t salt_length, uint32_t iterations,
            void (*rest)(void), uint8_t out[static HMAC_SIZE])
{
    static const uint8_t first_block[4] = {0, 0, 0, 1};
    const unsigned bits = (BLOCK_SIZE + HMAC_SIZE) * 8;
    uint8_t block[BLOCK_SIZE] = {[HMAC_SIZE] = 0x80,
                                 [BLOCK_SIZE - 2] = (uint8_t)(bits >> 8),
                                 [BLOCK_SIZE - 1] = (uint8_t)bits};
    mbedtls_sha256_context hash;
    struct hmac_key key;
    struct hmac hmac;

    hmac_key_init(&key, password, strlen(password));
    hmac_start(&hmac, &key);
    hmac_update(&hmac, salt, salt_length);
    hmac_update(&hmac, first_block, sizeof(first_block));
    hmac_finish(&hmac, block);
    memcpy(out, block, HMAC_SIZE);
    mbedtls_sha256_init(&hash);
    (void)mbedtls_sha256_starts_ret(&hash, false);
    for (uint32_t i = 1; i < iterations; i++) {
        iterate(&key, &hash, block);
        for (unsigned j = 0; j < HMAC_SIZE; j++) {
            out[j] ^= block[j];
        }
        if (rest && i % ITERATIONS_AT_ONCE == 0) {
            rest();
        }
    }
    mbedtls_platform_zeroize(&hash, sizeof(hash));
    mbedtls_platform_zeroize(&key, sizeof(key));
    mbedtls_platform_zeroize(block, sizeof(block));
}
