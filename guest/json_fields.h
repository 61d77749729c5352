/*
 * Reading JSON objects by tables of the keys they may have. Every error is reported once, as
 * "file:line:column: what is wrong", and then ends the reading of that object with -EINVAL.
 */
#ifndef GUEST_JSON_FIELDS_H
#define GUEST_JSON_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "guest/json.h"

#define JSON_MESSAGE_SIZE 256

struct json_reader {
    struct json json;
    const char *file;
    /* Is told each error, without a newline. */
    void (*report)(void *context, const char *message);
    void *context;
};

/* A key that an object may have. */
struct json_field {
    const char *key;
    /* Reads `value` to `out`, which `offset` has chosen. 0, or -EINVAL after one report. */
    int (*read)(struct json_reader *reader, const struct json_field *field, json_value value,
                void *out);
    size_t offset; /* into the structure that the object is read into */
    size_t size;   /* of the string buffer there */
    bool required;
};

/** Reports an error at an offset of the text; -EINVAL. */
int json_report(struct json_reader *reader, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Reports `"KEY": 'VALUE' PROBLEM` at the value; -EINVAL. */
int json_refuse(struct json_reader *reader, const struct json_field *field, json_value value,
                const char *problem);

/** Reads an object into the structure at `out`. Unknown keys, keys given twice and missing ones are
 * refused; `what` names the object in messages ("a VM"). `*present` gets bit N for field N. */
int json_read_object(struct json_reader *reader, const char *what, const struct json_field *fields,
                     unsigned count, json_value object, void *out, unsigned *present);

/** A field's reader for text: into a buffer of field->size bytes at `out`. */
int json_read_text(struct json_reader *reader, const struct json_field *field, json_value value,
                   void *out);

/** A field's reader for true and false: a bool at `out`. */
int json_read_bool(struct json_reader *reader, const struct json_field *field, json_value value,
                   void *out);

/** Reads a number from `min` to `max`; anything else is refused with these limits. 0 or -EINVAL. */
int json_read_number(struct json_reader *reader, const struct json_field *field, json_value value,
                     uint64_t min, uint64_t max, uint64_t *out);

#endif
