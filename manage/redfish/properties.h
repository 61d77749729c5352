/*
 * Reading the body of a request into a structure, by a table of the properties that it may have.
 * Everything that is wrong in it is refused, each with the property's name and place; unless all is
 * right nothing may be changed.
 */
#ifndef MANAGE_REDFISH_PROPERTIES_H
#define MANAGE_REDFISH_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/redfish/resource.h"

enum property_type {
    PROPERTY_TEXT,   /* into char[size] */
    PROPERTY_NUMBER, /* min .. max, into a uint64_t */
    PROPERTY_BOOL,   /* into a bool */
    PROPERTY_OBJECT, /* has `members` */
    PROPERTY_READ_ONLY,
};

struct property {
    const char *name;
    size_t offset; /* into the structure */
    size_t size;
    uint64_t min, max;
    const char *const *values; /* what a text may be; NULL ends them, and is there if any will do */
    const struct property *members;
    unsigned member_count;
    enum property_type type;
    uint32_t present; /* the bit that says that it was there; 0: who cares */
    bool required;
    bool nullable; /* null is an empty text */
};

/** Reads the request's body. `action` is the name of the action whose parameters these are; NULL:
 * it is a resource. Bits of `present` are set for what was there. True if nothing is wrong. */
bool redfish_read_body(struct redfish_call *call, const char *action,
                       const struct property *properties, unsigned count, void *out,
                       uint32_t *present);

#define PROPERTY_COUNT(properties) ((unsigned)(sizeof(properties) / sizeof(*(properties))))

#endif
