/*
 * Poly1305 (RFC 8439, 2.5) for mbedTLS, whose own multiplies 32 bits at a time: a third of what it
 * takes to encrypt. Nothing here depends on secrets in the time it takes.
 */
#include <string.h>

#include <mbedtls/platform_util.h>
#include <mbedtls/poly1305.h>

#define BLOCK_SIZE 16u

__extension__ typedef unsigned __int128 uint128;

static uint64_t load(const unsigned char *bytes)
{
    uint64_t number;

    memcpy(&number, bytes, sizeof(number)); /* little-endian, as all numbers here */
    return number;
}

static uint64_t low(uint128 number)
{
    return (uint64_t)number;
}

static uint64_t high(uint128 number)
{
    return (uint64_t)(number >> 64);
}

/* sum = (sum + block) * r modulo 2^130 - 5, of each block; `top` is the bit that goes in front of
 * it, 0 if that is in the block already. */
static void take_blocks(mbedtls_poly1305_context *context, const unsigned char *block, size_t count,
                        uint64_t top)
{
    const uint64_t r0 = context->factor[0];
    const uint64_t r1 = context->factor[1];
    /* r1 * 2^128 = r1 / 4 * 2^130, which is r1 / 4 * 5: and r1 is a multiple of 4. */
    const uint64_t folded = r1 + (r1 >> 2);
    uint64_t h0 = context->sum[0];
    uint64_t h1 = context->sum[1];
    uint64_t h2 = context->sum[2];

    for (; count > 0; count--, block += BLOCK_SIZE) {
        uint128 d0 = (uint128)h0 + load(block);
        uint128 d1 = (uint128)h1 + load(block + 8) + high(d0);
        uint64_t d2;

        h0 = low(d0);
        h1 = low(d1);
        h2 += high(d1) + top;
        d0 = (uint128)h0 * r0 + (uint128)h1 * folded;
        d1 = (uint128)h0 * r1 + (uint128)h1 * r0 + h2 * folded + high(d0);
        d2 = h2 * r0 + high(d1);
        /* What is over 2^130 comes back five times below. */
        d0 = (uint128)low(d0) + (d2 >> 2) + (d2 & ~UINT64_C(3));
        d1 = (uint128)low(d1) + high(d0);
        h0 = low(d0);
        h1 = low(d1);
        h2 = (d2 & 3) + high(d1);
    }
    context->sum[0] = h0;
    context->sum[1] = h1;
    context->sum[2] = h2;
}

void mbedtls_poly1305_init(mbedtls_poly1305_context *context)
{
    memset(context, 0, sizeof(*context));
}

void mbedtls_poly1305_free(mbedtls_poly1305_context *context)
{
    if (context) {
        mbedtls_platform_zeroize(context, sizeof(*context));
    }
}

int mbedtls_poly1305_starts(mbedtls_poly1305_context *context, const unsigned char key[32])
{
    *context = (mbedtls_poly1305_context){
        .factor = {load(key) & UINT64_C(0x0ffffffc0fffffff),
                   load(key + 8) & UINT64_C(0x0ffffffc0ffffffc)},
        .end = {load(key + 16), load(key + 24)},
    };
    return 0;
}

int mbedtls_poly1305_update(mbedtls_poly1305_context *context, const unsigned char *bytes,
                            size_t length)
{
    size_t blocks;

    if (context->begun_length > 0) {
        size_t missing = BLOCK_SIZE - context->begun_length;
        size_t part = length < missing ? length : missing;

        memcpy(context->begun + context->begun_length, bytes, part);
        context->begun_length += part;
        bytes += part;
        length -= part;
        if (context->begun_length < BLOCK_SIZE) {
            return 0;
        }
        take_blocks(context, context->begun, 1, 1);
        context->begun_length = 0;
    }
    blocks = length / BLOCK_SIZE;
    take_blocks(context, bytes, blocks, 1);
    length %= BLOCK_SIZE;
    if (length > 0) {
        memcpy(context->begun, bytes + blocks * BLOCK_SIZE, length);
        context->begun_length = length;
    }
    return 0;
}

int mbedtls_poly1305_finish(mbedtls_poly1305_context *context, unsigned char tag[16])
{
    uint128 d0;
    uint128 d1;
    uint64_t over;
    uint64_t limb[2];

    if (context->begun_length > 0) {
        memset(context->begun + context->begun_length, 0, BLOCK_SIZE - context->begun_length);
        context->begun[context->begun_length] = 1;
        take_blocks(context, context->begun, 1, 0);
    }
    /* If sum + 5 is not less than 2^130, that is what is left of it modulo 2^130 - 5. */
    d0 = (uint128)context->sum[0] + 5;
    d1 = (uint128)context->sum[1] + high(d0);
    over = 0 - ((context->sum[2] + high(d1)) >> 2 & 1); /* all ones, or none */
    d0 = (uint128)((low(d0) & over) | (context->sum[0] & ~over)) + context->end[0];
    d1 = (uint128)((low(d1) & over) | (context->sum[1] & ~over)) + context->end[1] + high(d0);
    limb[0] = low(d0);
    limb[1] = low(d1);
    memcpy(tag, limb, sizeof(limb));
    return 0;
}
