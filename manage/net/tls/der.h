/*
 * Writes DER (X.690): from the end to the front, because what is inside has to be there before its
 * length is known. Pure.
 */
#ifndef MANAGE_NET_TLS_DER_H
#define MANAGE_NET_TLS_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DER_BOOLEAN          0x01u
#define DER_INTEGER          0x02u
#define DER_BIT_STRING       0x03u
#define DER_OCTET_STRING     0x04u
#define DER_OBJECT           0x06u
#define DER_UTF8_STRING      0x0cu
#define DER_UTC_TIME         0x17u
#define DER_GENERALIZED_TIME 0x18u
#define DER_SEQUENCE         0x30u
#define DER_SET              0x31u
/* [number], of what is not built of others and of what is. */
#define DER_CONTEXT(number)             (0x80u | (number))
#define DER_CONTEXT_CONSTRUCTED(number) (0xa0u | (number))

struct der {
    uint8_t *start;
    uint8_t *at; /* what has been written begins here */
    uint8_t *end;
    bool full; /* there was not enough room: what is there is worthless */
};

/** Begins in this memory. */
void der_start(struct der *der, uint8_t *memory, size_t size);
/** Bytes as they are. */
void der_put(struct der *der, const void *bytes, size_t size);
/** Puts tag and length (less than 64 KiB) before what has been written since `end` was where it
 * stood. */
void der_wrap(struct der *der, unsigned tag, const uint8_t *end);
/** Tag, length and bytes. */
void der_value(struct der *der, unsigned tag, const void *bytes, size_t size);
/** What has been written. */
size_t der_size(const struct der *der);

#endif
