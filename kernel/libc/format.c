#include "kernel/libc/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_MAX 20 /* of a 64-bit number in decimal */

struct output {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text, kept or not */
};

struct conversion {
    bool left;
    bool zero;
    bool plus;
    bool space;
    bool alternate;
    int width;
    int precision;  /* -1: none given */
    unsigned bytes; /* of the argument: 1, 2, 4 or 8 */
    char kind;
};

static void put(struct output *out, char character)
{
    if (out->length + 1 < out->size) {
        out->buffer[out->length] = character;
    }
    out->length++;
}

static void put_text(struct output *out, const char *text, size_t length)
{
    size_t room = out->size > out->length ? out->size - out->length - 1 : 0;

    if (room > 0) {
        memcpy(out->buffer + out->length, text, length < room ? length : room);
    }
    out->length += length;
}

static void put_repeated(struct output *out, char character, int count)
{
    for (; count > 0; count--) {
        put(out, character);
    }
}

/* Text of `length` bytes in a field of the conversion's width. */
static void put_field(struct output *out, const struct conversion *conversion, const char *text,
                      size_t length)
{
    int padding = conversion->width - (int)length;

    if (!conversion->left) {
        put_repeated(out, ' ', padding);
    }
    put_text(out, text, length);
    if (conversion->left) {
        put_repeated(out, ' ', padding);
    }
}

static void put_string(struct output *out, const struct conversion *conversion, const char *text)
{
    if (text == NULL) {
        text = "(null)";
    }
    put_field(out, conversion, text,
              conversion->precision >= 0 ? strnlen(text, (size_t)conversion->precision)
                                         : strlen(text));
}

static void put_number(struct output *out, const struct conversion *conversion, uint64_t value,
                       unsigned base, const char *prefix)
{
    const char *alphabet = conversion->kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char digits[DIGITS_MAX];
    char *first = digits + DIGITS_MAX;
    int count = 0;
    int zeros;
    int padding;

    /* The one corner of the standard: zero with precision 0 has no digits at all. */
    while (value != 0 || (count == 0 && conversion->precision != 0)) {
        *--first = alphabet[value % base];
        value /= base;
        count++;
    }
    zeros = conversion->precision - count;
    zeros = zeros > 0 ? zeros : 0;
    padding = conversion->width - (int)strlen(prefix) - zeros - count;
    if (conversion->zero && !conversion->left && conversion->precision < 0) {
        zeros = padding > 0 ? padding : 0;
        padding = 0;
    }
    if (!conversion->left) {
        put_repeated(out, ' ', padding);
    }
    put_text(out, prefix, strlen(prefix));
    put_repeated(out, '0', zeros);
    put_text(out, first, (size_t)count);
    if (conversion->left) {
        put_repeated(out, ' ', padding);
    }
}

static void put_signed(struct output *out, const struct conversion *conversion, int64_t value)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
    const char *sign = value < 0 ? "-" : conversion->plus ? "+" : conversion->space ? " " : "";

    put_number(out, conversion, magnitude, 10, sign);
}

static int64_t sign_extend(uint64_t value, unsigned bytes)
{
    unsigned shift = 64 - bytes * 8;

    return (int64_t)(value << shift) >> shift;
}

static uint64_t zero_extend(uint64_t value, unsigned bytes)
{
    unsigned shift = 64 - bytes * 8;

    return value << shift >> shift;
}

static const char *parse_flags(const char *at, struct conversion *conversion)
{
    for (;; at++) {
        switch (*at) {
        case '-':
            conversion->left = true;
            break;
        case '0':
            conversion->zero = true;
            break;
        case '+':
            conversion->plus = true;
            break;
        case ' ':
            conversion->space = true;
            break;
        case '#':
            conversion->alternate = true;
            break;
        default:
            return at;
        }
    }
}

/* A number without sign; one too large for any use is cut rather than overflowed. */
static const char *parse_number(const char *at, int *number)
{
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (*number < 100000) {
            *number = *number * 10 + (*at - '0');
        }
    }
    return at;
}

static const char *parse_length(const char *at, struct conversion *conversion)
{
    conversion->bytes = sizeof(int);
    switch (*at) {
    case 'h':
        if (at[1] == 'h') {
            conversion->bytes = sizeof(char);
            return at + 2;
        }
        conversion->bytes = sizeof(short);
        return at + 1;
    case 'l':
        conversion->bytes = sizeof(long);
        return at[1] == 'l' ? at + 2 : at + 1;
    case 'z':
    case 't':
    case 'j':
        conversion->bytes = sizeof(uint64_t);
        return at + 1;
    default:
        return at;
    }
}

/* What is before the next conversion; returns where that is, or the end. */
static const char *put_plain(struct output *out, const char *at)
{
    const char *end = at;

    while (*end != '\0' && *end != '%') {
        end++;
    }
    put_text(out, at, (size_t)(end - at));
    return end;
}

int format_string(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output out = {.buffer = buffer, .size = size};

    for (const char *at = put_plain(&out, format); *at != '\0'; at = put_plain(&out, at + 1)) {
        struct conversion conversion = {.precision = -1};
        const char *start = at;
        uint64_t value;

        at = parse_flags(at + 1, &conversion);
        if (*at == '*') {
            conversion.width = va_arg(arguments, int);
            if (conversion.width < 0) {
                conversion.left = true;
                conversion.width = -conversion.width;
            }
            at++;
        } else {
            at = parse_number(at, &conversion.width);
        }
        if (*at == '.') {
            at++;
            if (*at == '*') {
                conversion.precision = va_arg(arguments, int);
                at++;
            } else {
                at = parse_number(at, &conversion.precision);
            }
        }
        at = parse_length(at, &conversion);
        conversion.kind = *at;
        switch (conversion.kind) {
        case 'd':
        case 'i':
        case 'u':
        case 'x':
        case 'X':
            value =
                conversion.bytes == 8 ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned);
            if (conversion.kind == 'd' || conversion.kind == 'i') {
                put_signed(&out, &conversion, sign_extend(value, conversion.bytes));
                break;
            }
            value = zero_extend(value, conversion.bytes);
            put_number(&out, &conversion, value, conversion.kind == 'u' ? 10 : 16,
                       !conversion.alternate || value == 0 || conversion.kind == 'u' ? ""
                       : conversion.kind == 'x'                                      ? "0x"
                                                                                     : "0X");
            break;
        case 'p':
            put_number(&out, &conversion, (uintptr_t)va_arg(arguments, void *), 16, "0x");
            break;
        case 's':
            put_string(&out, &conversion, va_arg(arguments, const char *));
            break;
        case 'c': {
            char character = (char)va_arg(arguments, int);

            put_field(&out, &conversion, &character, 1);
            break;
        }
        case '%':
            put(&out, '%');
            break;
        case '\0':
            put_text(&out, start, (size_t)(at - start));
            at--; /* the loop's step must meet the NUL */
            break;
        default:
            put_text(&out, start, (size_t)(at - start) + 1);
            break;
        }
    }
    if (size > 0) {
        buffer[out.length < size ? out.length : size - 1] = '\0';
    }
    return (int)out.length;
}
