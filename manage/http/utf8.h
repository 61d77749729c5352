/*
 * Whether bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above 10FFFF. Pure.
 */
#ifndef MANAGE_HTTP_UTF8_H
#define MANAGE_HTTP_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins as all zeroes. */
struct utf8 {
    uint8_t left;      /* bytes that the character still wants */
    uint8_t low, high; /* between which the next one must be */
};

/** Looks at the next bytes of a text; false if they cannot be part of one. */
bool utf8_check(struct utf8 *utf8, const void *bytes, size_t length);
/** The text may end here. */
bool utf8_complete(const struct utf8 *utf8);

#endif
