/*
 * Numbers in paths and header fields.
 */
#ifndef MANAGE_REDFISH_NUMBERS_H
#define MANAGE_REDFISH_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

/** Reads a whole text as a decimal number; false if it is none, or has needless zeros. */
static inline bool redfish_parse_number(const char *text, uint64_t *number)
{
    *number = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0')) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*text - '0'), number)) {
            return false;
        }
    }
    return true;
}

#endif
