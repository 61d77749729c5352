/*
 * Numbers as decimal text, for whoever writes many of them: shorter than by snprintf. Pure.
 */
#ifndef KERNEL_DECIMAL_H
#define KERNEL_DECIMAL_H

#include <stdint.h>

#define DECIMAL_SIZE 24u

/** number / 10^digits, without zeros at its end; digits at most 18. The text ends with `text`,
 * whose last byte is a NUL; returns where it begins. */
char *decimal_write(char text[static DECIMAL_SIZE], uint64_t number, unsigned digits);

#endif
