#include "manage/http/sha1.h"

#include <string.h>

#define BLOCK_SIZE   64u
#define LENGTH_SIZE  8u
#define ROUNDS       80u
#define ROUND_GROUPS 20u

static uint32_t rotate(uint32_t word, unsigned count)
{
    return word << count | word >> (32 - count);
}

/* FIPS 180-4, 4.1.1 and 4.2.1. */
static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / ROUND_GROUPS) {
    case 0:
        return ((b & c) | (~b & d)) + 0x5a827999u;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1u;
    case 2:
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
    default:
        return (b ^ c ^ d) + 0xca62c1d6u;
    }
}

static void add_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t words[ROUNDS];
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    uint32_t e = state[4];

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t next;

        if (i < 16) {
            memcpy(&words[i], block + 4 * (size_t)i, 4);
            words[i] = __builtin_bswap32(words[i]);
        } else {
            words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
        }
        next = rotate(a, 5) + mix(i, b, c, d) + e + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void sha1(const void *bytes, size_t length, uint8_t hash[SHA1_SIZE])
{
    uint32_t state[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
    const uint8_t *at = bytes;
    uint64_t bits = __builtin_bswap64((uint64_t)length * 8);
    size_t left = length;
    uint8_t last[BLOCK_SIZE];

    for (; left >= BLOCK_SIZE; left -= BLOCK_SIZE, at += BLOCK_SIZE) {
        add_block(state, at);
    }
    /* What is left, a set bit, zeros, and the length: a block or two. */
    memset(last, 0, sizeof(last));
    memcpy(last, at, left);
    last[left] = 0x80;
    if (left >= BLOCK_SIZE - LENGTH_SIZE) {
        add_block(state, last);
        memset(last, 0, sizeof(last));
    }
    memcpy(last + BLOCK_SIZE - LENGTH_SIZE, &bits, LENGTH_SIZE);
    add_block(state, last);
    for (unsigned i = 0; i < 5; i++) {
        uint32_t word = __builtin_bswap32(state[i]);

        memcpy(hash + 4 * (size_t)i, &word, 4);
    }
}
