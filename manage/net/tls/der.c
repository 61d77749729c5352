#include "manage/net/tls/der.h"

#include <string.h>

void der_start(struct der *der, uint8_t *memory, size_t size)
{
    *der = (struct der){.start = memory, .at = memory + size, .end = memory + size};
}

void der_put(struct der *der, const void *bytes, size_t size)
{
    if ((size_t)(der->at - der->start) < size) {
        der->full = true;
        return;
    }
    der->at -= size;
    memcpy(der->at, bytes, size);
}

void der_wrap(struct der *der, unsigned tag, const uint8_t *end)
{
    size_t size = (size_t)(end - der->at);
    uint8_t low = (uint8_t)size;
    uint8_t high = (uint8_t)(size >> 8);
    uint8_t first = (uint8_t)tag;
    uint8_t following = size > 0xff ? 0x82 : 0x81; /* so many bytes of length */

    der_put(der, &low, 1);
    if (size > 0xff) {
        der_put(der, &high, 1);
    }
    if (size > 0x7f) {
        der_put(der, &following, 1);
    }
    der_put(der, &first, 1);
}

void der_value(struct der *der, unsigned tag, const void *bytes, size_t size)
{
    const uint8_t *end = der->at;

    der_put(der, bytes, size);
    der_wrap(der, tag, end);
}

size_t der_size(const struct der *der)
{
    return (size_t)(der->end - der->at);
}
