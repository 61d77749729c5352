#include "guest/json_fields.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define QUOTE_SIZE 40 /* how much of a wrong value a message shows */

int json_report(struct json_reader *reader, size_t offset, const char *format, ...)
{
    char message[JSON_MESSAGE_SIZE];
    unsigned line;
    unsigned column;
    va_list arguments;

    json_position(reader->json.text, offset, &line, &column);
    int used = snprintf(message, sizeof(message), "%s:%u:%u: ", reader->file, line, column);
    if (used >= 0 && (size_t)used < sizeof(message)) {
        va_start(arguments, format);
        vsnprintf(message + used, sizeof(message) - (size_t)used, format, arguments);
        va_end(arguments);
    }
    reader->report(reader->context, message);
    return -EINVAL;
}

/* A value as it stands in the file, shortened, for messages. */
static const char *quote(const struct json_reader *reader, json_value value, char out[QUOTE_SIZE])
{
    const jsmntok_t *token = &reader->json.tokens[value];
    size_t length = (size_t)(token->end - token->start);

    if (length < QUOTE_SIZE) {
        memcpy(out, reader->json.text + token->start, length);
        out[length] = '\0';
    } else {
        memcpy(out, reader->json.text + token->start, QUOTE_SIZE - 4);
        memcpy(out + QUOTE_SIZE - 4, "...", 4);
    }
    for (char *c = out; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r' || *c == '\t') {
            *c = ' ';
        }
    }
    return out;
}

int json_refuse(struct json_reader *reader, const struct json_field *field, json_value value,
                const char *problem)
{
    char text[QUOTE_SIZE];

    return json_report(reader, json_offset(&reader->json, value), "\"%s\": '%s' %s", field->key,
                       quote(reader, value, text), problem);
}

static const struct json_field *find_field(const struct json_field *fields, unsigned count,
                                           const char *key)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(fields[i].key, key) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static int refuse_key(struct json_reader *reader, const char *what, const struct json_field *fields,
                      unsigned count, json_value key)
{
    char text[QUOTE_SIZE];
    char known[128] = "";
    size_t used = 0;

    for (unsigned i = 0; i < count && used < sizeof(known); i++) {
        int length =
            snprintf(known + used, sizeof(known) - used, "%s%s", i > 0 ? ", " : "", fields[i].key);
        used += length > 0 ? (size_t)length : 0;
    }
    return json_report(reader, json_offset(&reader->json, key),
                       "unknown key \"%s\"; %s may have: %s", quote(reader, key, text), what,
                       known);
}

int json_read_object(struct json_reader *reader, const char *what, const struct json_field *fields,
                     unsigned count, json_value object, void *out, unsigned *present)
{
    const struct json *json = &reader->json;
    json_value key = object + 1;

    *present = 0;
    if (json_type(json, object) != JSMN_OBJECT) {
        return json_report(reader, json_offset(json, object), "%s must be an object, in {}", what);
    }
    for (unsigned i = 0; i < json_size(json, object); i++) {
        char name[QUOTE_SIZE];
        const struct json_field *field = NULL;

        if (json_string(json, key, name, sizeof(name)) >= 0) {
            field = find_field(fields, count, name);
        }
        if (field == NULL) {
            return refuse_key(reader, what, fields, count, key);
        }
        unsigned bit = 1u << (field - fields);
        if ((*present & bit) != 0) {
            return json_report(reader, json_offset(json, key), "\"%s\" is there twice", name);
        }
        *present |= bit;
        int error = field->read(reader, field, key + 1, (char *)out + field->offset);
        if (error != 0) {
            return error;
        }
        key = json_next(json, key + 1);
    }
    for (unsigned i = 0; i < count; i++) {
        if (fields[i].required && (*present & 1u << i) == 0) {
            return json_report(reader, json_offset(json, object), "%s needs \"%s\"", what,
                               fields[i].key);
        }
    }
    return 0;
}

int json_read_text(struct json_reader *reader, const struct json_field *field, json_value value,
                   void *out)
{
    int length = json_string(&reader->json, value, out, field->size);

    if (length == -ENAMETOOLONG) {
        return json_report(reader, json_offset(&reader->json, value),
                           "\"%s\": longer than %zu characters", field->key, field->size - 1);
    }
    if (length < 0) {
        return json_refuse(reader, field, value, "is not a text");
    }
    return 0;
}

int json_read_bool(struct json_reader *reader, const struct json_field *field, json_value value,
                   void *out)
{
    if (json_bool(&reader->json, value, out) != 0) {
        return json_refuse(reader, field, value, "is neither true nor false");
    }
    return 0;
}

int json_read_number(struct json_reader *reader, const struct json_field *field, json_value value,
                     uint64_t min, uint64_t max, uint64_t *out)
{
    char text[QUOTE_SIZE];

    if (json_unsigned(&reader->json, value, out) == 0 && *out >= min && *out <= max) {
        return 0;
    }
    return json_report(reader, json_offset(&reader->json, value),
                       "\"%s\": '%s' is not a number from %lu to %lu", field->key,
                       quote(reader, value, text), min, max);
}
