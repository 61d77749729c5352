/*
 * What mbedTLS keeps of a ChaCha20 stream; see manage/net/tls/chacha20.c.
 */
#ifndef MANAGE_NET_TLS_ALTERNATIVE_CHACHA20_ALT_H
#define MANAGE_NET_TLS_ALTERNATIVE_CHACHA20_ALT_H

#include <stdint.h>

#include "kernel/chacha20.h"

typedef struct mbedtls_chacha20_context {
    uint32_t key[CHACHA20_KEY_WORDS];
    uint32_t nonce[CHACHA20_NONCE_WORDS];
    uint32_t counter; /* of the next block */
    uint32_t block[CHACHA20_BLOCK_WORDS];
    unsigned used; /* bytes of it */
} mbedtls_chacha20_context;

#endif
