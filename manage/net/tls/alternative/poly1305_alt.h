/*
 * What mbedTLS keeps of a Poly1305 tag that is being made; see manage/net/tls/poly1305.c.
 */
#ifndef MANAGE_NET_TLS_ALTERNATIVE_POLY1305_ALT_H
#define MANAGE_NET_TLS_ALTERNATIVE_POLY1305_ALT_H

#include <stddef.h>
#include <stdint.h>

/* Numbers have their least significant limb first. */
typedef struct mbedtls_poly1305_context {
    uint64_t factor[2]; /* r */
    uint64_t end[2];    /* s, which is added last */
    uint64_t sum[3];    /* less than 2^131 */
    unsigned char begun[16];
    size_t begun_length; /* of a block that has not come whole */
} mbedtls_poly1305_context;

#endif
