/* jsmn's code comes in here, once; in its strict mode a primitive is a number or a word of JSON. */
#define JSMN_STRICT
#include <jsmn.h>

#include "guest/json.h"

#include <errno.h>
#include <string.h>

#include "guest/json_tokens.h"
#include "kernel/memory/heap.h"

/* One run over a document, to find what jsmn lets pass. */
struct check {
    const struct json *json;
    struct json_error *error;
};

static int fail(struct json_error *error, size_t offset, const char *message)
{
    error->offset = offset;
    error->message = message;
    return -EINVAL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_spaces(const struct json *json, size_t offset)
{
    while (offset < json->length && is_space(json->text[offset])) {
        offset++;
    }
    return offset;
}

static char char_at(const struct json *json, size_t offset)
{
    return offset < json->length ? json->text[offset] : '\0';
}

/* Offset behind a value, its closing quote or bracket included. */
static size_t value_end(const struct json *json, json_value value)
{
    return json_token_end(json, value) + (json_type(json, value) == JSMN_STRING ? 1 : 0);
}

static size_t skip_digits(const struct json *json, size_t offset, size_t end)
{
    while (offset < end && json_is_digit(json->text[offset])) {
        offset++;
    }
    return offset;
}

/* number = [ "-" ] int [ "." digits ] [ ( "e" / "E" ) [ "+" / "-" ] digits ]; no leading zeros. */
static bool is_number(const struct json *json, json_value value)
{
    const char *text = json->text;
    size_t offset = json_token_start(json, value);
    size_t end = json_token_end(json, value);

    if (text[offset] == '-') {
        offset++;
    }
    size_t digits = offset;
    offset = skip_digits(json, offset, end);
    if (offset == digits || (text[digits] == '0' && offset > digits + 1)) {
        return false;
    }
    if (offset < end && text[offset] == '.') {
        digits = offset + 1;
        offset = skip_digits(json, digits, end);
        if (offset == digits) {
            return false;
        }
    }
    if (offset < end && (text[offset] == 'e' || text[offset] == 'E')) {
        digits = offset + 1;
        if (digits < end && (text[digits] == '+' || text[digits] == '-')) {
            digits++;
        }
        offset = skip_digits(json, digits, end);
        if (offset == digits) {
            return false;
        }
    }
    return offset == end;
}

static int check_string(const struct check *check, json_value value)
{
    for (size_t i = json_token_start(check->json, value); i < json_token_end(check->json, value);
         i++) {
        if ((unsigned char)check->json->text[i] < 0x20) {
            return fail(check->error, i, "a control character or line end inside a string");
        }
    }
    return 0;
}

/* Expects `value` to be the next thing from `offset` on. */
static int check_follows(const struct check *check, size_t offset, json_value value)
{
    offset = skip_spaces(check->json, offset);
    if (value >= check->json->count || json_offset(check->json, value) != offset) {
        return fail(check->error, offset, "a value is expected here");
    }
    return 0;
}

static int check_value(const struct check *check, json_value *value, unsigned depth);

/* One key and the colon behind it; the value follows from `*offset` on. */
static int check_key(const struct check *check, json_value *value, size_t *offset)
{
    const struct json *json = check->json;

    if (json_type(json, *value) != JSMN_STRING) {
        return fail(check->error, *offset, "a key in double quotes is expected here");
    }
    int error = check_string(check, *value);
    if (error != 0) {
        return error;
    }
    size_t colon = skip_spaces(json, value_end(json, *value));
    if (char_at(json, colon) != ':') {
        return fail(check->error, colon, "a colon must follow a key");
    }
    (*value)++;
    *offset = colon + 1;
    return 0;
}

static const char separator_expected[] = "a comma or the closing bracket is expected here";

static int check_members(const struct check *check, json_value container, json_value *value,
                         unsigned depth)
{
    const struct json *json = check->json;
    size_t offset = json_token_start(json, container) + 1;

    for (unsigned i = 0; i < json_size(json, container); i++) {
        if (i > 0) {
            offset = skip_spaces(json, offset);
            if (char_at(json, offset) != ',') {
                return fail(check->error, offset, separator_expected);
            }
            offset++;
        }
        int error = check_follows(check, offset, *value);
        if (error == 0 && json_type(json, container) == JSMN_OBJECT) {
            error = check_key(check, value, &offset);
            if (error == 0) {
                error = check_follows(check, offset, *value);
            }
        }
        if (error != 0) {
            return error;
        }
        json_value member = *value;
        error = check_value(check, value, depth + 1);
        if (error != 0) {
            return error;
        }
        offset = value_end(json, member);
    }
    offset = skip_spaces(json, offset);
    if (offset + 1 != json_token_end(json, container)) {
        return fail(check->error, offset,
                    char_at(json, offset) == ',' ? "nothing follows this comma"
                                                 : separator_expected);
    }
    return 0;
}

/* Checks `*value` with all it holds, and moves `*value` behind that. Recursion ends at
 * JSON_DEPTH_MAX. */
static int check_value(const struct check *check, json_value *value, unsigned depth)
{
    const struct json *json = check->json;
    json_value current = (*value)++;

    if (depth > JSON_DEPTH_MAX) {
        return fail(check->error, json_token_start(json, current), "nested too deeply");
    }
    switch (json_type(json, current)) {
    case JSMN_OBJECT:
    case JSMN_ARRAY:
        return check_members(check, current, value, depth);
    case JSMN_STRING:
        return check_string(check, current);
    default:
        if (json_is_word(json, current, "true") || json_is_word(json, current, "false") ||
            json_is_word(json, current, "null") || is_number(json, current)) {
            return 0;
        }
        return fail(check->error, json_token_start(json, current),
                    "neither a number, nor true, false or null");
    }
}

static int check_document(const struct json *json, struct json_error *error)
{
    const struct check check = {json, error};
    json_value value = 0;

    if (json->count == 0) {
        return fail(error, 0, "the file is empty");
    }
    int result = check_follows(&check, 0, 0);
    if (result == 0) {
        result = check_value(&check, &value, 1);
    }
    if (result == 0) {
        size_t rest = skip_spaces(json, value_end(json, 0));
        if (rest < json->length) {
            return fail(error, rest, "the document is complete before this");
        }
    }
    return result;
}

/* Says in words why jsmn gave up. */
static int explain(const struct json *json, const jsmn_parser *parser, int result,
                   struct json_error *error)
{
    size_t offset = parser->pos;

    if (result == JSMN_ERROR_PART && char_at(json, offset) == '"') {
        return fail(error, offset, "this string has no closing quote");
    }
    if (result == JSMN_ERROR_PART) {
        for (unsigned i = parser->toknext; json->tokens != NULL && i-- > 0;) {
            if (json->tokens[i].end == -1) {
                return fail(error, (size_t)json->tokens[i].start, "this bracket is not closed");
            }
        }
    }
    if (char_at(json, offset) == '"') {
        return fail(error, offset, "this string holds an unknown escape");
    }
    return fail(error, offset, "this is not expected here");
}

int json_parse(struct json *json, const char *text, size_t length, struct json_error *error)
{
    jsmn_parser parser;

    *json = (struct json){.text = text, .length = length};
    if (length > JSON_LENGTH_MAX) {
        return fail(error, JSON_LENGTH_MAX, "the file is too long");
    }
    const char *nul = memchr(text, '\0', length);
    if (nul != NULL) {
        return fail(error, (size_t)(nul - text), "a NUL character");
    }
    jsmn_init(&parser);
    int count = jsmn_parse(&parser, text, length, NULL, 0);
    if (count < 0) {
        return explain(json, &parser, count, error);
    }
    /* One more, so that an empty text is no special case for the heap. */
    json->tokens = kmalloc(((size_t)count + 1) * sizeof(json->tokens[0]));
    if (json->tokens == NULL) {
        return -ENOMEM;
    }
    jsmn_init(&parser);
    int result = jsmn_parse(&parser, text, length, json->tokens, (unsigned)count);
    if (result < 0) {
        result = explain(json, &parser, result, error);
    } else {
        json->count = parser.toknext;
        result = check_document(json, error);
    }
    if (result != 0) {
        json_free(json);
    }
    return result;
}

void json_free(struct json *json)
{
    kfree(json->tokens);
    json->tokens = NULL;
    json->count = 0;
}
