#include "manage/redfish/json_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/decimal.h"
#include "kernel/panic.h"
#include "manage/redfish/json_escape.h"

#define FORMAT_SIZE 1024
#define ALL         UINT32_MAX /* of a container all members are wanted */

void json_writer_init(struct json_writer *json, json_extend *extend, void *context)
{
    *json = (struct json_writer){.extend = extend, .context = context, .hash = JSON_HASH_BEGIN};
    json->selected[0] = ALL;
}

/* The hash of what there was before and these bytes: eight of them at a time. */
static void hash(struct json_writer *json, const char *bytes, size_t length)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15); /* odd: no difference is lost */
    uint64_t result = json->hash + length;

    if (json->ignored > 0) {
        return;
    }
    for (size_t done = 0; done < length; done += sizeof(uint64_t)) {
        size_t left = length - done;
        uint64_t word = 0;

        if (left >= sizeof(word)) {
            memcpy(&word, bytes + done, sizeof(word));
        } else {
            memcpy(&word, bytes + done, left);
        }
        result = (result ^ word) * factor;
        result ^= result >> 32; /* so that the upper bits count below, too */
    }
    json->hash = result;
}

/* The container's bit in `filled`. */
static uint64_t container_bit(const struct json_writer *json)
{
    return UINT64_C(1) << (json->depth % JSON_WRITER_DEPTH);
}

/* Room for so many bytes; NULL: nobody will see them. */
static char *extend(struct json_writer *json, size_t length)
{
    return json->extend != NULL && json->muted == 0 ? json->extend(json->context, length) : NULL;
}

/* The same, of a key or a value, after a comma unless it is the first in its container or a value
 * after its key. */
static char *begin(struct json_writer *json, size_t length)
{
    bool comma = false;
    char *to;

    if (!json->after_key && json->muted == 0) {
        comma = (json->filled & container_bit(json)) != 0;
        json->filled |= container_bit(json);
    }
    json->after_key = false;
    to = extend(json, length + comma);
    if (comma && to != NULL) {
        *to++ = ',';
    }
    return to;
}

static void end_value(struct json_writer *json)
{
    if (json->muted == json->depth + 1) {
        json->muted = 0;
    }
}

static void put_bracket(struct json_writer *json, char *to, char bracket)
{
    hash(json, &bracket, 1);
    if (to != NULL) {
        *to = bracket;
    }
}

/* What is wanted of a container, json_key has left one level deeper; an element of an array is
 * wanted as the array is. */
static void begin_container(struct json_writer *json, char bracket, bool element)
{
    put_bracket(json, begin(json, 1), bracket);
    ASSERT(json->depth + 1 < JSON_WRITER_DEPTH,
           "JSON is not written deeper than its writer counts");
    if (element) {
        json->selected[json->depth + 1] = json->selected[json->depth];
        json->selected_key[json->depth + 1] = json->selected_key[json->depth];
    }
    json->depth++;
    json->filled &= ~container_bit(json);
}

static void end_container(struct json_writer *json, char bracket)
{
    ASSERT(json->depth > 0, "what ends in JSON has begun");
    json->depth--;
    put_bracket(json, extend(json, 1), bracket);
    end_value(json);
}

void json_begin_object(struct json_writer *json)
{
    begin_container(json, '{', !json->after_key);
}

void json_end_object(struct json_writer *json)
{
    end_container(json, '}');
}

void json_begin_array(struct json_writer *json)
{
    begin_container(json, '[', !json->after_key);
}

void json_end_array(struct json_writer *json)
{
    end_container(json, ']');
}

/* True if the path's part number `level` is `key`; *last if there is none after it. */
static bool path_has(const char *path, unsigned level, const char *key, bool *last)
{
    size_t length = strlen(key);

    for (; level > 0; level--) {
        const char *slash = strchr(path, '/');
        if (slash == NULL) {
            return false;
        }
        path = slash + 1;
    }
    if (strncmp(path, key, length) != 0 || (path[length] != '\0' && path[length] != '/')) {
        return false;
    }
    *last = path[length] == '\0';
    return true;
}

/* Which of the selected paths go on with this key; ALL if one ends with it, 0: it is not wanted. */
static uint32_t select_key(const struct json_writer *json, const char *key)
{
    uint32_t here = json->selected[json->depth];
    uint32_t found = 0;

    if (here == ALL || key[0] == '@') {
        return ALL;
    }
    for (unsigned i = 0; i < json->selection->count; i++) {
        bool last;

        if ((here & 1u << i) != 0 &&
            path_has(json->selection->paths[i], json->selected_key[json->depth], key, &last)) {
            if (last) {
                return ALL;
            }
            found |= 1u << i;
        }
    }
    return found;
}

void json_key(struct json_writer *json, const char *key)
{
    uint32_t selected = select_key(json, key);
    size_t length = strlen(key);
    char *to;

    if (selected == 0 && json->muted == 0) {
        json->muted = json->depth + 1;
    }
    json->selected[json->depth + 1] = selected;
    json->selected_key[json->depth + 1] = (uint8_t)(json->selected_key[json->depth] + 1);
    hash(json, key, length);
    to = begin(json, length + 3);
    if (to != NULL) {
        *to++ = '"';
        memcpy(to, key, length);
        memcpy(to + length, "\":", 2);
    }
    json->after_key = true;
}

void json_select(struct json_writer *json, const struct json_selection *selection)
{
    json->selection = selection;
    json->selected_key[json->depth] = 0;
    json->selected[json->depth] = selection->count == 0 ? ALL : (1u << selection->count) - 1;
}

/* A value that needs no quotes. */
static void put_word(struct json_writer *json, const char *word, size_t length)
{
    char *to = begin(json, length);

    hash(json, word, length);
    if (to != NULL) {
        memcpy(to, word, length);
    }
    end_value(json);
}

void json_put_text(struct json_writer *json, const char *text, size_t length)
{
    size_t written = json_escape(NULL, text, length);
    char *to = begin(json, written + 2);

    hash(json, "\"", 1); /* it is no number */
    hash(json, text, length);
    if (to != NULL) {
        *to++ = '"';
        if (written == length) {
            memcpy(to, text, length); /* all of it is plain */
        } else {
            json_escape(to, text, length);
        }
        to[written] = '"';
    }
    end_value(json);
}

void json_put_string(struct json_writer *json, const char *text)
{
    if (text == NULL) {
        json_put_null(json);
    } else {
        json_put_text(json, text, strlen(text));
    }
}

void json_put_number(struct json_writer *json, uint64_t number)
{
    json_put_decimal(json, number, 0);
}

void json_put_signed(struct json_writer *json, int64_t number)
{
    char text[1 + DECIMAL_SIZE]; /* with room for the sign */
    char *at = decimal_write(text + 1, number < 0 ? -(uint64_t)number : (uint64_t)number, 0);

    if (number < 0) {
        *--at = '-';
    }
    put_word(json, at, strlen(at));
}

void json_put_decimal(struct json_writer *json, uint64_t number, unsigned digits)
{
    char text[DECIMAL_SIZE];
    const char *at = decimal_write(text, number, digits);

    put_word(json, at, strlen(at));
}

void json_put_bool(struct json_writer *json, bool value)
{
    if (value) {
        put_word(json, "true", 4);
    } else {
        put_word(json, "false", 5);
    }
}

void json_put_null(struct json_writer *json)
{
    put_word(json, "null", 4);
}

void json_add_string(struct json_writer *json, const char *key, const char *text)
{
    json_key(json, key);
    json_put_string(json, text);
}

void json_add_format(struct json_writer *json, const char *key, const char *format, ...)
{
    char text[FORMAT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    json_add_string(json, key, text);
}

void json_add_number(struct json_writer *json, const char *key, uint64_t number)
{
    json_key(json, key);
    json_put_number(json, number);
}

void json_add_decimal(struct json_writer *json, const char *key, uint64_t number, unsigned digits)
{
    json_key(json, key);
    json_put_decimal(json, number, digits);
}

void json_add_bool(struct json_writer *json, const char *key, bool value)
{
    json_key(json, key);
    json_put_bool(json, value);
}

void json_add_null(struct json_writer *json, const char *key)
{
    json_key(json, key);
    json_put_null(json);
}

void json_add_strings(struct json_writer *json, const char *key, const char *const *texts)
{
    json_add_array(json, key);
    for (; *texts != NULL; texts++) {
        json_put_string(json, *texts);
    }
    json_end_array(json);
}

void json_add_object(struct json_writer *json, const char *key)
{
    json_key(json, key);
    json_begin_object(json);
}

void json_add_array(struct json_writer *json, const char *key)
{
    json_key(json, key);
    json_begin_array(json);
}

void json_volatile(struct json_writer *json)
{
    json->ignored++;
}

void json_stable(struct json_writer *json)
{
    ASSERT(json->ignored > 0, "json_stable follows json_volatile");
    json->ignored--;
}
