#include "kernel/decimal.h"

/* Digits in front of `end`, at least so many; returns where they begin. */
static char *write_digits(char *end, uint64_t number, unsigned least)
{
    for (unsigned i = 0; i < least || number > 0; i++) {
        *--end = (char)('0' + number % 10);
        number /= 10;
    }
    return end;
}

char *decimal_write(char text[static DECIMAL_SIZE], uint64_t number, unsigned digits)
{
    char *at = text + DECIMAL_SIZE - 1;
    uint64_t scale = 1;

    *at = '\0';
    while (digits > 0 && number % 10 == 0) {
        number /= 10;
        digits--;
    }
    for (unsigned i = 0; i < digits; i++) {
        scale *= 10;
    }
    if (digits > 0) {
        at = write_digits(at, number % scale, digits);
        *--at = '.';
    }
    return write_digits(at, number / scale, 1);
}
