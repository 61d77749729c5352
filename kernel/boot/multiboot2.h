/*
 * Parser of the multiboot2 boot information (Multiboot2 specification 2.0, section 3.6).
 */
#ifndef KERNEL_BOOT_MULTIBOOT2_H
#define KERNEL_BOOT_MULTIBOOT2_H

#include <stddef.h>

#include "kernel/boot/boot_info.h"

/* Where the parser keeps copies of strings and tables, so that the boot loader's memory can be used
 * for something else. */
struct boot_arena {
    char *memory; /* 8-byte aligned */
    size_t size;
    size_t used;
};

/**
 * Fills `info` from `data`, of which at most `size` bytes may be read whatever is written inside.
 * Returns 0, or -EINVAL for a broken structure, which is logged with its place; what was understood
 * before stands in `info` then. More modules or memory ranges than `info` has room for, or strings
 * than the arena has, are left out with a warning.
 */
int multiboot2_parse(const void *data, size_t size, struct boot_arena *arena,
                     struct boot_info *info);

#endif
