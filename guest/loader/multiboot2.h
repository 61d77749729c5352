/*
 * What both halves of the multiboot2 loader need to know of each other.
 */
#ifndef GUEST_LOADER_MULTIBOOT2_H
#define GUEST_LOADER_MULTIBOOT2_H

#include <stdbool.h>
#include <stdint.h>

#define MULTIBOOT2_ALIGNMENT 8u /* of headers, and of all tags */

/* Types of information tags (section 3.6). */
enum multiboot2_information {
    INFORMATION_END = 0,
    INFORMATION_CMDLINE = 1,
    INFORMATION_LOADER_NAME = 2,
    INFORMATION_MODULE = 3,
    INFORMATION_MEMORY = 4,
    INFORMATION_MEMORY_MAP = 6,
    INFORMATION_ELF_SECTIONS = 9,
    INFORMATION_RSDP_OLD = 14,
    INFORMATION_RSDP_NEW = 15,
    INFORMATION_LOAD_BASE = 21,
};

/** True if an image can be given information of this type. */
bool multiboot2_gives(uint32_t type);

#endif
