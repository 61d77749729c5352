/*
 * The formatter behind snprintf, under its own name so that it can be tested beside the host's.
 *
 * Conversions: d i u x X p s c %. Flags: 0 - + space #. Width and precision, also as *.
 * Lengths: hh h l ll z t j. No floating point, no %n.
 */
#ifndef KERNEL_LIBC_FORMAT_H
#define KERNEL_LIBC_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/** Writes at most `size` bytes including the NUL (nothing if `size` is 0) and returns the length
 * the whole text has. An unknown conversion is copied as it stands. */
int format_string(char *buffer, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

#endif
