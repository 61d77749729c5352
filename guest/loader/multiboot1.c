/* The multiboot specification, version 0.6.96. */
#include <errno.h>
#include <string.h>

#include "guest/layout.h"
#include "guest/loader/memory_map.h"
#include "guest/loader/multiboot.h"

#define HEADER_MAGIC     0x1badb002u
#define HEADER_SEARCH    8192u
#define HEADER_ALIGNMENT 4u

/* Header flags; those of the lower half must be understood. */
#define FLAG_PAGE_ALIGN  (1u << 0) /* modules always are */
#define FLAG_MEMORY_INFO (1u << 1) /* always given */
#define FLAG_VIDEO_MODE  (1u << 2)
#define FLAGS_REQUIRED   0xffffu
#define FLAG_ADDRESSES   (1u << 16)

/* Information flags: which members are valid. */
#define INFO_MEMORY      (1u << 0)
#define INFO_CMDLINE     (1u << 2)
#define INFO_MODULES     (1u << 3)
#define INFO_ELF         (1u << 5)
#define INFO_MEMORY_MAP  (1u << 6)
#define INFO_LOADER_NAME (1u << 9)

struct header {
    uint32_t magic;
    uint32_t flags;
    uint32_t checksum;
};

struct header_addresses {
    uint32_t header;
    uint32_t load;
    uint32_t load_end;
    uint32_t bss_end;
    uint32_t entry;
};

struct information {
    uint32_t flags;
    uint32_t memory_lower;
    uint32_t memory_upper;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t module_count;
    uint32_t modules;
    uint32_t section_count;
    uint32_t section_size;
    uint32_t sections;
    uint32_t section_names;
    uint32_t memory_map_size;
    uint32_t memory_map;
    uint32_t drives_size;
    uint32_t drives;
    uint32_t config_table;
    uint32_t loader_name;
    uint32_t apm_table;
    uint32_t video[11];
};

_Static_assert(sizeof(struct information) == 116, "fixed by the specification");

struct module_entry {
    uint32_t start;
    uint32_t end;
    uint32_t string;
    uint32_t reserved;
};

struct memory_map_record {
    uint32_t size; /* of the rest */
    struct memory_map_entry entry;
} __attribute__((packed));

static int check_flags(const struct loading *loading, const struct guest_image *image,
                       uint32_t flags)
{
    uint32_t unknown =
        flags & FLAGS_REQUIRED & ~(FLAG_PAGE_ALIGN | FLAG_MEMORY_INFO | FLAG_VIDEO_MODE);

    if ((flags & FLAG_VIDEO_MODE) != 0) {
        return loading_refuse(loading, -ENOTSUP, image,
                              "requires a video mode (header flag 2), there is no screen");
    }
    if (unknown != 0) {
        return loading_refuse(loading, -ENOTSUP, image, "requires unknown features: flags 0x%x",
                              unknown);
    }
    return 0;
}

int multiboot1_read_header(const struct loading *loading, const struct guest_image *image,
                           struct multiboot_header *header)
{
    struct header found;
    struct header_addresses addresses;
    uint64_t offset = 0;

    memset(header, 0, sizeof(*header));
    for (;; offset += HEADER_ALIGNMENT) {
        if (offset > HEADER_SEARCH - sizeof(found) ||
            !image_read(image, offset, &found, sizeof(found))) {
            return -ENOENT;
        }
        if (found.magic == HEADER_MAGIC && found.magic + found.flags + found.checksum == 0) {
            break;
        }
    }
    header->offset = offset;
    int error = check_flags(loading, image, found.flags);
    if (error != 0 || (found.flags & FLAG_ADDRESSES) == 0) {
        return error;
    }
    if (!image_read(image, offset + sizeof(found), &addresses, sizeof(addresses))) {
        return loading_refuse(loading, -ENOEXEC, image, "truncated within its multiboot header");
    }
    header->has_addresses = true;
    header->header_address = addresses.header;
    header->load_address = addresses.load;
    header->load_end = addresses.load_end;
    header->bss_end = addresses.bss_end;
    header->has_entry = true;
    header->entry = addresses.entry;
    return 0;
}

static int put_string(struct multiboot_load *load, const char *string, uint32_t *address)
{
    uint64_t place = 0;
    int error = multiboot_put(load, string, strlen(string) + 1, &place);

    *address = (uint32_t)place;
    return error;
}

static int put_modules(struct multiboot_load *load, struct information *information)
{
    struct module_entry entries[LOADER_MODULES_MAX];
    uint64_t place = 0;
    int error = 0;

    memset(entries, 0, sizeof(entries));
    for (unsigned i = 0; i < load->boot->module_count && error == 0; i++) {
        entries[i].start = load->module_address[i];
        entries[i].end = entries[i].start + (uint32_t)load->boot->modules[i].image.size;
        error = put_string(load, load->boot->modules[i].cmdline, &entries[i].string);
    }
    if (error == 0) {
        error = multiboot_put(load, entries, load->boot->module_count * sizeof(entries[0]), &place);
    }
    information->flags |= INFO_MODULES;
    information->module_count = load->boot->module_count;
    information->modules = (uint32_t)place;
    return error;
}

static int put_memory_map(struct multiboot_load *load, struct information *information)
{
    struct memory_map map;
    struct memory_map_record records[MEMORY_MAP_MAX];
    uint64_t place = 0;

    memory_map_build(load->loading.memory, &map);
    for (unsigned i = 0; i < map.count; i++) {
        records[i].size = sizeof(records[i].entry);
        records[i].entry = map.entries[i];
    }
    information->flags |= INFO_MEMORY | INFO_MEMORY_MAP;
    information->memory_lower = multiboot_memory_lower(load);
    information->memory_upper = multiboot_memory_upper(load);
    information->memory_map_size = map.count * (uint32_t)sizeof(records[0]);
    int error = multiboot_put(load, records, information->memory_map_size, &place);
    information->memory_map = (uint32_t)place;
    return error;
}

static int put_sections(struct multiboot_load *load, struct information *information)
{
    if (multiboot_sections_size(load) == 0) {
        return 0;
    }
    load->information = align_up(load->information, 8);
    information->sections = (uint32_t)load->information;
    information->flags |= INFO_ELF;
    information->section_count = load->elf.section_count;
    information->section_size = load->elf.section_size;
    information->section_names = load->elf.section_names;
    return multiboot_append_sections(load);
}

int multiboot1_write_information(struct multiboot_load *load)
{
    struct information information = {.flags = INFO_CMDLINE | INFO_LOADER_NAME};
    /* First comes the place of the structure itself; it is complete only at the end. */
    int error = multiboot_put(load, &information, sizeof(information), NULL);

    if (error == 0) {
        error = put_string(load, load->boot->cmdline, &information.cmdline);
    }
    if (error == 0) {
        error = put_string(load, MULTIBOOT_LOADER_NAME, &information.loader_name);
    }
    if (error == 0) {
        error = put_modules(load, &information);
    }
    if (error == 0) {
        error = put_memory_map(load, &information);
    }
    if (error == 0) {
        error = put_sections(load, &information);
    }
    if (error == 0) {
        load->information = LAYOUT_MULTIBOOT;
        error = multiboot_put(load, &information, sizeof(information), NULL);
    }
    return error;
}
