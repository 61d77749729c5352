/*
 * The ChaCha20 block function (RFC 8439, 2.3): 64 bytes that nobody can tell from random ones
 * without the key. Pure.
 */
#ifndef KERNEL_CHACHA20_H
#define KERNEL_CHACHA20_H

#include <stdint.h>

#define CHACHA20_KEY_WORDS   8u
#define CHACHA20_NONCE_WORDS 3u
#define CHACHA20_BLOCK_WORDS 16u

/** Words are in the order and byte order of the RFC's little-endian strings. */
void chacha20_block(const uint32_t key[static CHACHA20_KEY_WORDS], uint32_t counter,
                    const uint32_t nonce[static CHACHA20_NONCE_WORDS],
                    uint32_t block[static CHACHA20_BLOCK_WORDS]);

#endif
