#include "manage/http/utf8.h"

#define REST_LOW  0x80u
#define REST_HIGH 0xBFu

/* The first byte of a character; how many follow, and what the second may be. */
static bool begin(struct utf8 *utf8, uint8_t byte)
{
    utf8->low = REST_LOW;
    utf8->high = REST_HIGH;
    if (byte < 0x80) {
        utf8->left = 0;
    } else if (byte >= 0xC2 && byte <= 0xDF) {
        utf8->left = 1;
    } else if (byte >= 0xE0 && byte <= 0xEF) {
        utf8->left = 2;
        if (byte == 0xE0) {
            utf8->low = 0xA0; /* else it is overlong */
        } else if (byte == 0xED) {
            utf8->high = 0x9F; /* else it is a surrogate */
        }
    } else if (byte >= 0xF0 && byte <= 0xF4) {
        utf8->left = 3;
        if (byte == 0xF0) {
            utf8->low = 0x90;
        } else if (byte == 0xF4) {
            utf8->high = 0x8F; /* else it is above 10FFFF */
        }
    } else {
        return false;
    }
    return true;
}

bool utf8_check(struct utf8 *utf8, const void *bytes, size_t length)
{
    const uint8_t *next = bytes;

    for (; length; length--, next++) {
        if (utf8->left == 0) {
            if (!begin(utf8, *next)) {
                return false;
            }
            continue;
        }
        if (*next < utf8->low || *next > utf8->high) {
            return false;
        }
        utf8->low = REST_LOW;
        utf8->high = REST_HIGH;
        utf8->left--;
    }
    return true;
}

bool utf8_complete(const struct utf8 *utf8)
{
    return utf8->left == 0;
}
