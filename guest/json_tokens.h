/*
 * What both halves of the JSON reader need: tokens as offsets, and characters.
 */
#ifndef GUEST_JSON_TOKENS_H
#define GUEST_JSON_TOKENS_H

#include <string.h>

#include "guest/json.h"

static inline bool json_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline size_t json_token_start(const struct json *json, json_value value)
{
    return (size_t)json->tokens[value].start;
}

static inline size_t json_token_end(const struct json *json, json_value value)
{
    return (size_t)json->tokens[value].end;
}

/* True if the token reads just like `word`. */
static inline bool json_is_word(const struct json *json, json_value value, const char *word)
{
    size_t length = json_token_end(json, value) - json_token_start(json, value);

    return length == strlen(word) &&
           memcmp(json->text + json_token_start(json, value), word, length) == 0;
}

#endif
