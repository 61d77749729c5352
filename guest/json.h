/*
 * Reading JSON (RFC 8259) from text, with the position of everything for error messages. jsmn cuts
 * the text into tokens; what it lets pass though it is no JSON (missing or trailing commas, words,
 * raw control characters) is refused here. No floating point: a number is read as an integer or not
 * at all.
 */
#ifndef GUEST_JSON_H
#define GUEST_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef JSMN_H
#define JSMN_HEADER
#include <jsmn.h>
#undef JSMN_HEADER
#endif

#define JSON_LENGTH_MAX 0x40000u /* 256 KiB of text */
#define JSON_DEPTH_MAX  16u

struct json {
    const char *text; /* not NUL-terminated; must live as long as this */
    size_t length;
    jsmntok_t *tokens; /* from the heap */
    unsigned count;
};

/* A value is the index of its token; 0 is the whole document. An object's members are a key (a
 * string) followed by its value. */
typedef unsigned json_value;

struct json_error {
    const char *message; /* constant text */
    size_t offset;       /* into the text */
};

/** 0; -EINVAL and `*error` if the text is no JSON; -ENOMEM. */
int json_parse(struct json *json, const char *text, size_t length, struct json_error *error);
/** Frees the tokens. */
void json_free(struct json *json);

/** Line and column, from 1, columns in bytes, of a place in the text. */
void json_position(const char *text, size_t offset, unsigned *line, unsigned *column);

static inline jsmntype_t json_type(const struct json *json, json_value value)
{
    return json->tokens[value].type;
}

/** Number of elements of an array, of members of an object. */
static inline unsigned json_size(const struct json *json, json_value value)
{
    return (unsigned)json->tokens[value].size;
}

/** The value after this one and all that it holds: the next element, the next key. */
json_value json_next(const struct json *json, json_value value);

/** Offset in the text of a value's first character (of a string: its quote). */
size_t json_offset(const struct json *json, json_value value);

/** Decodes a string, as UTF-8 with a final NUL, into `out`. Its length, or -EINVAL if the value is
 * no string, or holds a NUL or half a surrogate pair, -ENAMETOOLONG if it does not fit. */
int json_string(const struct json *json, json_value value, char *out, size_t size);

/** A number without sign, fraction and exponent. 0, -EINVAL or -ERANGE. */
int json_unsigned(const struct json *json, json_value value, uint64_t *out);

/** true or false. 0 or -EINVAL. */
int json_bool(const struct json *json, json_value value, bool *out);

#endif
