/*
 * Writing JSON as it comes, piece by piece, with no document in memory: commas and escapes are the
 * writer's, and what it writes is UTF-8 whatever it is given. Numbers are integers or decimals of a
 * fixed number of digits. Pure.
 *
 * While it writes it makes a hash of all but what is marked as volatile, and leaves out what a
 * selection does not want.
 */
#ifndef MANAGE_REDFISH_JSON_WRITER_H
#define MANAGE_REDFISH_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_WRITER_DEPTH  64u
#define JSON_SELECTION_MAX 16u
#define JSON_HASH_BEGIN    UINT64_C(0xcbf29ce484222325)

/* Which members of an object are wanted: paths of keys, "Status/Health". */
struct json_selection {
    const char *paths[JSON_SELECTION_MAX];
    unsigned count; /* 0: all members */
};

/** Makes what was written longer by that many bytes, which the writer fills then; NULL if there is
 * no room for them. */
typedef char *json_extend(void *context, size_t length);

struct json_writer {
    json_extend *extend; /* NULL: nothing is written, only the hash is made */
    void *context;
    unsigned depth;   /* containers that are open */
    uint64_t filled;  /* bit N: the container at depth N has a member already */
    bool after_key;   /* a value must come, and needs no comma */
    unsigned muted;   /* 1 + the depth of the member that is being left out; 0: none */
    unsigned ignored; /* not hashed while this is not 0 */
    uint64_t hash;
    const struct json_selection *selection;
    /* By depth: paths of which this container is a part, and which key of theirs its members have.
     */
    uint32_t selected[JSON_WRITER_DEPTH];
    uint8_t selected_key[JSON_WRITER_DEPTH];
};

/** A writer at the beginning of a document. */
void json_writer_init(struct json_writer *json, json_extend *extend, void *context);

void json_begin_object(struct json_writer *json);
void json_end_object(struct json_writer *json);
void json_begin_array(struct json_writer *json);
void json_end_array(struct json_writer *json);
/** The key of the member whose value comes next: text that needs no escapes. */
void json_key(struct json_writer *json, const char *key);

/** Bytes that are no UTF-8 become U+FFFD. NULL: null. */
void json_put_string(struct json_writer *json, const char *text);
void json_put_text(struct json_writer *json, const char *text, size_t length);
void json_put_number(struct json_writer *json, uint64_t number);
void json_put_signed(struct json_writer *json, int64_t number);
/** number / 10^digits, without zeros at its end; digits at most 9. */
void json_put_decimal(struct json_writer *json, uint64_t number, unsigned digits);
void json_put_bool(struct json_writer *json, bool value);
void json_put_null(struct json_writer *json);

/* Members: a key with its value. */
void json_add_string(struct json_writer *json, const char *key, const char *text);
void json_add_format(struct json_writer *json, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* a string of up to 1 KiB */
void json_add_number(struct json_writer *json, const char *key, uint64_t number);
void json_add_decimal(struct json_writer *json, const char *key, uint64_t number, unsigned digits);
void json_add_bool(struct json_writer *json, const char *key, bool value);
void json_add_null(struct json_writer *json, const char *key);
/** An array of strings, which NULL ends. */
void json_add_strings(struct json_writer *json, const char *key, const char *const *texts);
/** The key of an object or array, and its beginning. */
void json_add_object(struct json_writer *json, const char *key);
void json_add_array(struct json_writer *json, const char *key);

/** From here to json_stable: readings, which are not part of the hash. They nest. */
void json_volatile(struct json_writer *json);
void json_stable(struct json_writer *json);

/** Of the members of the object that was begun last, which has none yet, only these are written,
 * and those whose key begins with '@'. */
void json_select(struct json_writer *json, const struct json_selection *selection);

#endif
