#include "manage/redfish/json_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/panic.h"

#define FNV_PRIME   UINT64_C(0x100000001b3)
#define FORMAT_SIZE 1024
#define ALL         UINT32_MAX /* of a container all members are wanted */

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

void json_writer_init(struct json_writer *json,
                      void (*write)(void *context, const void *bytes, size_t length), void *context)
{
    *json = (struct json_writer){.write = write, .context = context, .hash = JSON_HASH_BEGIN};
    json->selected[0] = ALL;
}

/* What is only for the reader's eyes and parser: not hashed. */
static void emit_raw(struct json_writer *json, const char *text, size_t length)
{
    if (json->write != NULL && json->muted == 0) {
        json->write(json->context, text, length);
    }
}

static void emit(struct json_writer *json, const char *text, size_t length)
{
    if (json->ignored == 0) {
        for (size_t i = 0; i < length; i++) {
            json->hash = (json->hash ^ (unsigned char)text[i]) * FNV_PRIME;
        }
    }
    emit_raw(json, text, length);
}

/* The container's bit in `filled`. */
static uint64_t container_bit(const struct json_writer *json)
{
    return UINT64_C(1) << (json->depth % JSON_WRITER_DEPTH);
}

/* A comma, unless this is the first thing in its container. */
static void separate(struct json_writer *json)
{
    if (json->muted != 0) {
        return;
    }
    if ((json->filled & container_bit(json)) != 0) {
        emit_raw(json, ",", 1);
    }
    json->filled |= container_bit(json);
}

static void begin_value(struct json_writer *json)
{
    if (!json->after_key) {
        separate(json);
    }
    json->after_key = false;
}

static void end_value(struct json_writer *json)
{
    if (json->muted == json->depth + 1) {
        json->muted = 0;
    }
}

/* What is wanted of a container, json_key has left one level deeper; an element of an array is
 * wanted as the array is. */
static void begin_container(struct json_writer *json, char bracket, bool element)
{
    begin_value(json);
    emit(json, &bracket, 1);
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
    emit(json, &bracket, 1);
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

static void put_escape(struct json_writer *json, char c)
{
    static const char letters[] = "\"\"\\\\\nn\rr\tt";
    char escape[8] = "\\";

    for (const char *at = letters; *at != '\0'; at += 2) {
        if (*at == c) {
            escape[1] = at[1];
            emit(json, escape, 2);
            return;
        }
    }
    snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)(unsigned char)c);
    emit(json, escape, 6);
}

static void put_quoted(struct json_writer *json, const char *text, size_t length)
{
    size_t done = 0; /* up to here it is written */
    size_t i = 0;

    emit(json, "\"", 1);
    while (i < length) {
        size_t size = utf8_length((const unsigned char *)text + i, length - i);
        bool plain = size > 0 && (unsigned char)text[i] >= ' ' && text[i] != '"' && text[i] != '\\';

        if (plain) {
            i += size;
            continue;
        }
        emit(json, text + done, i - done);
        if (size == 0) {
            emit(json, replacement, sizeof(replacement) - 1);
        } else {
            put_escape(json, text[i]);
        }
        done = ++i;
    }
    emit(json, text + done, i - done);
    emit(json, "\"", 1);
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

    if (selected == 0 && json->muted == 0) {
        json->muted = json->depth + 1;
    }
    json->selected[json->depth + 1] = selected;
    json->selected_key[json->depth + 1] = (uint8_t)(json->selected_key[json->depth] + 1);
    separate(json);
    put_quoted(json, key, strlen(key));
    emit(json, ":", 1);
    json->after_key = true;
}

void json_select(struct json_writer *json, const struct json_selection *selection)
{
    json->selection = selection;
    json->selected_key[json->depth] = 0;
    json->selected[json->depth] = selection->count == 0 ? ALL : (1u << selection->count) - 1;
}

static void put_word(struct json_writer *json, const char *word)
{
    begin_value(json);
    emit(json, word, strlen(word));
    end_value(json);
}

void json_put_text(struct json_writer *json, const char *text, size_t length)
{
    begin_value(json);
    put_quoted(json, text, length);
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
    char text[24];

    snprintf(text, sizeof(text), "%lu", number);
    put_word(json, text);
}

void json_put_signed(struct json_writer *json, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%ld", number);
    put_word(json, text);
}

void json_put_decimal(struct json_writer *json, uint64_t number, unsigned digits)
{
    char text[32];
    char *at = text + sizeof(text) - 1;

    while (digits > 0 && number % 10 == 0) {
        number /= 10;
        digits--;
    }
    *at = '\0';
    for (unsigned i = 0; i < digits; i++) {
        *--at = (char)('0' + number % 10);
        number /= 10;
    }
    if (digits > 0) {
        *--at = '.';
    }
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put_word(json, at);
}

void json_put_bool(struct json_writer *json, bool value)
{
    put_word(json, value ? "true" : "false");
}

void json_put_null(struct json_writer *json)
{
    put_word(json, "null");
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
