/*
 * ChaCha20 (RFC 8439, 2.4) for mbedTLS, by the kernel's block function and eight bytes at a time,
 * where mbedTLS takes them one by one.
 */
#include <string.h>

#include <mbedtls/chacha20.h>
#include <mbedtls/platform_util.h>

#define BLOCK_SIZE sizeof(((mbedtls_chacha20_context *)NULL)->block)

void mbedtls_chacha20_init(mbedtls_chacha20_context *context)
{
    memset(context, 0, sizeof(*context));
}

void mbedtls_chacha20_free(mbedtls_chacha20_context *context)
{
    if (context) {
        mbedtls_platform_zeroize(context, sizeof(*context));
    }
}

int mbedtls_chacha20_setkey(mbedtls_chacha20_context *context, const unsigned char key[32])
{
    memcpy(context->key, key, sizeof(context->key)); /* words in little-endian order, as here */
    return 0;
}

int mbedtls_chacha20_starts(mbedtls_chacha20_context *context, const unsigned char nonce[12],
                            uint32_t counter)
{
    memcpy(context->nonce, nonce, sizeof(context->nonce));
    context->counter = counter;
    context->used = BLOCK_SIZE;
    return 0;
}

static void next_block(mbedtls_chacha20_context *context)
{
    chacha20_block(context->key, context->counter++, context->nonce, context->block);
    context->used = 0;
}

/* `to` may be `from`. */
static void xor_whole_block(unsigned char *to, const unsigned char *from,
                            const unsigned char *block)
{
    for (size_t i = 0; i < BLOCK_SIZE; i += sizeof(uint64_t)) {
        uint64_t text;
        uint64_t stream;

        memcpy(&text, from + i, sizeof(text));
        memcpy(&stream, block + i, sizeof(stream));
        text ^= stream;
        memcpy(to + i, &text, sizeof(text));
    }
}

int mbedtls_chacha20_update(mbedtls_chacha20_context *context, size_t length,
                            const unsigned char *from, unsigned char *to)
{
    const unsigned char *block = (const unsigned char *)context->block;

    for (size_t done = 0; done < length;) {
        if (context->used == BLOCK_SIZE) {
            next_block(context);
        }
        if (context->used == 0 && length - done >= BLOCK_SIZE) {
            xor_whole_block(to + done, from + done, block);
            context->used = BLOCK_SIZE;
            done += BLOCK_SIZE;
        } else {
            to[done] = from[done] ^ block[context->used++];
            done++;
        }
    }
    return 0;
}
