#include "manage/redfish/json_escape.h"

#include <stdio.h>
#include <string.h>

#define ESCAPE_SIZE 8

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Length of the character at `text`, and how its bytes are continued; 0 if it is none in UTF-8
 * (RFC 3629: no surrogates, no overlong forms, nothing past U+10FFFF). */
static size_t utf8_length(const unsigned char *text, size_t length)
{
    unsigned char first = text[0];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t size;

    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        size = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        size = 3;
        low = first == 0xe0 ? 0xa0 : 0x80;
        high = first == 0xed ? 0x9f : 0xbf;
    } else if (first >= 0xf0 && first <= 0xf4) {
        size = 4;
        low = first == 0xf0 ? 0x90 : 0x80;
        high = first == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (size > length || text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (text[i] < 0x80 || text[i] > 0xbf) {
            return 0;
        }
    }
    return size;
}

/* How long the text is that stands for itself, from its beginning. */
static size_t plain_length(const char *text, size_t length)
{
    const char *end = text + length;
    const char *at = text;

    while (at < end) {
        size_t size = 1;

        if (*at < ' ') { /* as all but ASCII is: a char has a sign */
            size = *at < 0 ? utf8_length((const unsigned char *)at, (size_t)(end - at)) : 0;
        } else if (*at == '"' || *at == '\\') {
            size = 0;
        }
        if (size == 0) {
            break;
        }
        at += size;
    }
    return (size_t)(at - text);
}

/* What stands for the character at `text`, which is not plain; returns its length. */
static size_t escape(const char *text, char out[ESCAPE_SIZE])
{
    static const char letters[] = "\"\"\\\\\nn\rr\tt";

    if ((unsigned char)*text >= 0x80) {
        memcpy(out, replacement, sizeof(replacement));
        return sizeof(replacement) - 1;
    }
    for (const char *at = letters; *at != '\0'; at += 2) {
        if (*at == *text) {
            out[0] = '\\';
            out[1] = at[1];
            return 2;
        }
    }
    return (size_t)snprintf(out, ESCAPE_SIZE, "\\u%04x", (unsigned)*text);
}

size_t json_escape(char *to, const char *text, size_t length)
{
    size_t written = 0;

    while (length > 0) {
        char out[ESCAPE_SIZE];
        size_t plain = plain_length(text, length);
        size_t taken = plain < length ? plain + 1 : plain;
        size_t escaped = plain < length ? escape(text + plain, out) : 0;

        if (to != NULL) {
            memcpy(to + written, text, plain);
            memcpy(to + written + plain, out, escaped);
        }
        written += plain + escaped;
        text += taken;
        length -= taken;
    }
    return written;
}
