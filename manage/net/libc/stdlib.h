/*
 * What the libraries use of C's stdlib.h.
 */
#ifndef NET_LIBC_STDLIB_H
#define NET_LIBC_STDLIB_H

/** The number that the string begins with; only decimal digits. */
static inline int atoi(const char *string)
{
    unsigned value = 0;

    for (; *string >= '0' && *string <= '9'; string++) {
        value = value * 10 + (unsigned)(*string - '0');
    }
    return (int)value;
}

#endif
