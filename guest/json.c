#include "guest/json.h"

#include <errno.h>
#include <string.h>

#include "guest/json_tokens.h"

void json_position(const char *text, size_t offset, unsigned *line, unsigned *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < offset; i++) {
        (*column)++;
        if (text[i] == '\n') {
            (*line)++;
            *column = 1;
        }
    }
}

json_value json_next(const struct json *json, json_value value)
{
    size_t end = json_token_end(json, value);

    do {
        value++;
    } while (value < json->count && json_token_start(json, value) < end);
    return value;
}

size_t json_offset(const struct json *json, json_value value)
{
    return json_token_start(json, value) - (json_type(json, value) == JSMN_STRING ? 1 : 0);
}

static uint32_t hex4(const char *text)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++) {
        char c = text[i];
        value = value << 4 | (uint32_t)(json_is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

/* Decodes what follows "\u" at `*offset`, a surrogate pair too, and moves behind it. 0 if it is
 * none: NUL or half a pair. */
static uint32_t unicode_escape(const struct json *json, size_t *offset, size_t end)
{
    uint32_t code = hex4(json->text + *offset);

    *offset += 4;
    if (code >= 0xdc00 && code <= 0xdfff) {
        return 0;
    }
    if (code < 0xd800 || code > 0xdbff) {
        return code;
    }
    if (end - *offset < 6 || json->text[*offset] != '\\' || json->text[*offset + 1] != 'u') {
        return 0;
    }
    uint32_t low = hex4(json->text + *offset + 2);
    *offset += 6;
    if (low < 0xdc00 || low > 0xdfff) {
        return 0;
    }
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

static size_t put_utf8(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)((0xf00u >> length & 0xf0u) | code);
    return length;
}

static uint32_t simple_escape(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default: /* the quote, the slash and the backslash stand for themselves */
        return (unsigned char)c;
    }
}

int json_string(const struct json *json, json_value value, char *out, size_t size)
{
    size_t used = 0;

    if (json_type(json, value) != JSMN_STRING) {
        return -EINVAL;
    }
    size_t end = json_token_end(json, value);
    for (size_t i = json_token_start(json, value); i < end;) {
        char bytes[4] = {json->text[i++]};
        size_t length = 1;

        if (bytes[0] == '\\') {
            char kind = json->text[i++];
            uint32_t code = kind == 'u' ? unicode_escape(json, &i, end) : simple_escape(kind);
            if (code == 0) {
                return -EINVAL;
            }
            length = put_utf8(code, bytes);
        }
        if (length >= size - used) {
            return -ENAMETOOLONG;
        }
        memcpy(out + used, bytes, length);
        used += length;
    }
    out[used] = '\0';
    return (int)used;
}

int json_unsigned(const struct json *json, json_value value, uint64_t *out)
{
    size_t end = json_token_end(json, value);
    uint64_t number = 0;

    if (json_type(json, value) != JSMN_PRIMITIVE) {
        return -EINVAL;
    }
    for (size_t i = json_token_start(json, value); i < end; i++) {
        char c = json->text[i];
        if (!json_is_digit(c)) {
            return -EINVAL;
        }
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(c - '0'), &number)) {
            return -ERANGE;
        }
    }
    *out = number;
    return 0;
}

int json_bool(const struct json *json, json_value value, bool *out)
{
    if (json_type(json, value) != JSMN_PRIMITIVE) {
        return -EINVAL;
    }
    *out = json_is_word(json, value, "true");
    return *out || json_is_word(json, value, "false") ? 0 : -EINVAL;
}
