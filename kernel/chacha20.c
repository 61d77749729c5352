#include "kernel/chacha20.h"

#include <string.h>

#define DOUBLE_ROUNDS 10u

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

void chacha20_block(const uint32_t key[static CHACHA20_KEY_WORDS], uint32_t counter,
                    const uint32_t nonce[static CHACHA20_NONCE_WORDS],
                    uint32_t block[static CHACHA20_BLOCK_WORDS])
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t start[CHACHA20_BLOCK_WORDS];

    memcpy(&start[0], constants, sizeof(constants));
    memcpy(&start[4], key, CHACHA20_KEY_WORDS * sizeof(uint32_t));
    start[12] = counter;
    memcpy(&start[13], nonce, CHACHA20_NONCE_WORDS * sizeof(uint32_t));
    memcpy(block, start, sizeof(start));
    for (unsigned i = 0; i < DOUBLE_ROUNDS; i++) {
        for (unsigned column = 0; column < 4; column++) {
            quarter_round(&block[column], &block[4 + column], &block[8 + column],
                          &block[12 + column]);
        }
        for (unsigned diagonal = 0; diagonal < 4; diagonal++) {
            quarter_round(&block[diagonal], &block[4 + (diagonal + 1) % 4],
                          &block[8 + (diagonal + 2) % 4], &block[12 + (diagonal + 3) % 4]);
        }
    }
    for (unsigned i = 0; i < CHACHA20_BLOCK_WORDS; i++) {
        block[i] += start[i];
    }
}
