/*
 * What the two versions of the multiboot specification share: an image with a header that says how
 * it wants to be loaded, modules behind it, and information for it in low memory.
 */
#ifndef GUEST_LOADER_MULTIBOOT_H
#define GUEST_LOADER_MULTIBOOT_H

#include "guest/loader/elf.h"
#include "guest/loader/loader.h"
#include "guest/loader/loading.h"

#define MULTIBOOT_LOADER_NAME "Innkeeper"

/* What a header asks for, in terms of both versions. */
struct multiboot_header {
    uint64_t offset;    /* of the header in the image */
    bool has_addresses; /* the image is loaded by these, whatever its format ("a.out kludge") */
    uint32_t header_address;
    uint32_t load_address;
    uint32_t load_end; /* 0: to the end of the file */
    uint32_t bss_end;  /* 0: there is none */
    bool has_entry;
    uint32_t entry; /* physical, as linked */
    bool relocatable;
    uint32_t min_address; /* of the relocated image's first byte */
    uint32_t max_address; /* of its last byte */
    uint32_t alignment;
    uint32_t preference; /* 0 none, 1 lowest, 2 highest address */
};

#define MULTIBOOT_PREFER_LOWEST  1u
#define MULTIBOOT_PREFER_HIGHEST 2u

/* An image that is being loaded. */
struct multiboot_load {
    struct loading loading;
    const struct multiboot_boot *boot;
    struct multiboot_header header;
    bool is_elf;
    struct elf elf;
    struct elf_extent extent; /* as loaded */
    uint32_t entry;           /* as loaded */
    uint64_t next_free;       /* above the image, its sections and modules */
    uint32_t module_address[LOADER_MODULES_MAX];
    uint64_t information; /* where the next bytes of information go */
};

/** Finds the header and reads it. 0, -ENOENT (there is none: no reason given) or a refusal. */
int multiboot1_read_header(const struct loading *loading, const struct guest_image *image,
                           struct multiboot_header *header);
int multiboot2_read_header(const struct loading *loading, const struct guest_image *image,
                           struct multiboot_header *header);

/** Writes the information for the guest, at LAYOUT_MULTIBOOT, once image and modules are placed. 0
 * or a refusal. */
int multiboot1_write_information(struct multiboot_load *load);
int multiboot2_write_information(struct multiboot_load *load);

/** Appends bytes to the information, without padding. 0 or a refusal. */
int multiboot_append(struct multiboot_load *load, const void *bytes, size_t size);

/** Appends bytes to the information, aligned to 8; `*address` (if not NULL) says where. 0 or a
 * refusal. */
int multiboot_put(struct multiboot_load *load, const void *bytes, size_t size, uint64_t *address);

/** Appends the ELF section headers to the information, without padding, and places the sections
 * that are not part of the loaded image (symbols, strings), as the specification wants. 0 or a
 * refusal. */
int multiboot_append_sections(struct multiboot_load *load);

/** Size of the table that multiboot_append_sections appends. */
static inline size_t multiboot_sections_size(const struct multiboot_load *load)
{
    return load->is_elf ? (size_t)load->elf.section_count * load->elf.section_size : 0;
}

/** KiB of base memory, and of RAM from 1 MiB up. */
uint32_t multiboot_memory_lower(const struct multiboot_load *load);
uint32_t multiboot_memory_upper(const struct multiboot_load *load);

#endif
