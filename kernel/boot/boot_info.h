/*
 * What the boot loader told us, copied out of its structures by the multiboot2 parser.
 */
#ifndef KERNEL_BOOT_BOOT_INFO_H
#define KERNEL_BOOT_BOOT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_MAX_MODULES       32
#define BOOT_MAX_MEMORY_RANGES 128

enum boot_memory_kind {
    BOOT_MEMORY_RAM,
    BOOT_MEMORY_ACPI,
    BOOT_MEMORY_NVS,
    BOOT_MEMORY_RESERVED,
    BOOT_MEMORY_BAD
};

struct boot_memory_range {
    uint64_t base;
    uint64_t size;
    enum boot_memory_kind kind;
};

/* A file the boot loader put into memory. Its name is the first word of its command line. */
struct boot_module {
    const char *name;
    const char *arguments; /* what follows the name; "" if nothing */
    uint64_t phys;
    uint64_t size;
    const void *data; /* in the direct map */
};

struct boot_framebuffer {
    uint64_t phys;
    uint32_t pitch; /* bytes per line */
    uint32_t width;
    uint32_t height;
    uint8_t bits_per_pixel;
    bool rgb; /* false: EGA text or indexed, not usable as pixels */
    uint8_t red_position, red_size;
    uint8_t green_position, green_size;
    uint8_t blue_position, blue_size;
};

struct boot_info {
    const char *loader;  /* "GRUB 2.06" */
    const char *cmdline; /* never NULL */
    struct boot_memory_range memory[BOOT_MAX_MEMORY_RANGES];
    unsigned memory_count;
    struct boot_module modules[BOOT_MAX_MODULES];
    unsigned module_count;
    struct boot_framebuffer framebuffer; /* phys 0: none */
    bool efi;
    uint8_t rsdp[36];         /* copy of the RSDP; all zero: none given */
    const void *elf_sections; /* section headers of the kernel image, NULL if not given */
    uint32_t elf_section_count;
    uint32_t elf_section_size;
    uint32_t elf_section_names; /* index */
};

/** Copies what the boot loader left at physical address `information`, which can be used for
 * something else then; once. */
void boot_info_init(uint64_t information);

/** The boot information; valid for the life of the kernel. */
const struct boot_info *boot_info(void);

/** The module of that name, NULL if there is none. */
const struct boot_module *boot_module_find(const char *name);

/** Value of `key=value` on the kernel's command line into `value` (NUL-terminated, cut to `size`);
 * true if there. A bare `key` has the value "". */
bool boot_option(const char *key, char *value, size_t size);

#endif
