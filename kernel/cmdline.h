/*
 * Options on a command line: words separated by blanks, `key`, `key=value` or `key="a value"`.
 * Pure. The kernel's own command line is asked through boot_option (kernel/boot/boot_info.h).
 */
#ifndef KERNEL_CMDLINE_H
#define KERNEL_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

/** Value of the last `key=value` on the line into `value` (NUL-terminated, cut to `size`, at least
 * 1, bytes); true if there. A bare `key` has the value "". */
bool cmdline_option(const char *cmdline, const char *key, char *value, size_t size);

/** As cmdline_option, but the first one from `*at` on, which moves past it: for options that can be
 * there several times. */
bool cmdline_next(const char **at, const char *key, char *value, size_t size);

#endif
