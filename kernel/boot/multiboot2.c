#include "kernel/boot/multiboot2.h"

#include <errno.h>
#include <string.h>

#include "kernel/log.h"
#include "kernel/memory/paging.h"

enum tag_type {
    TAG_END = 0,
    TAG_CMDLINE = 1,
    TAG_LOADER = 2,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_ELF_SECTIONS = 9,
    TAG_EFI32_SYSTEM_TABLE = 11,
    TAG_EFI64_SYSTEM_TABLE = 12,
    TAG_ACPI_OLD = 14,
    TAG_ACPI_NEW = 15,
};

#define TAG_ALIGNMENT 8u

struct information_header {
    uint32_t total_size;
    uint32_t reserved;
};

struct tag {
    uint32_t type;
    uint32_t size; /* with this header, without padding */
};

struct module_tag {
    struct tag tag;
    uint32_t start;
    uint32_t end;
    /* command line follows */
};

struct memory_map_tag {
    struct tag tag;
    uint32_t entry_size;
    uint32_t entry_version;
};

struct memory_map_entry {
    uint64_t base;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};

#define FRAMEBUFFER_RGB 1u

struct framebuffer_tag {
    struct tag tag;
    uint64_t address;
    uint32_t pitch;
    uint32_t width;
    uint32_t height;
    uint8_t bits_per_pixel;
    uint8_t type;
    uint16_t reserved;
    uint8_t red_position, red_size;
    uint8_t green_position, green_size;
    uint8_t blue_position, blue_size;
};

struct elf_sections_tag {
    struct tag tag;
    uint32_t count;
    uint32_t entry_size;
    uint32_t names;
    /* section headers follow */
} __attribute__((packed));

/* Where we are in the information: `at` is the current tag, `size` its checked size. */
struct cursor {
    const uint8_t *at;
    size_t offset;
    size_t size;
    struct boot_arena *arena;
    struct boot_info *info;
};

/* The current tag's first `size` bytes; what the tag is too short for stays zero. */
static void read_tag(const struct cursor *cursor, void *to, size_t size)
{
    memset(to, 0, size);
    memcpy(to, cursor->at, size < cursor->size ? size : cursor->size);
}

/* NULL when the arena is full. */
static char *keep(struct boot_arena *arena, const void *data, size_t size, size_t extra)
{
    size_t start = (arena->used + TAG_ALIGNMENT - 1) & ~(size_t)(TAG_ALIGNMENT - 1);

    if (start > arena->size || arena->size - start < size + extra) {
        return NULL;
    }
    memcpy(arena->memory + start, data, size);
    memset(arena->memory + start + size, 0, extra);
    arena->used = start + size + extra;
    return arena->memory + start;
}

/* A copy of the string at `offset` in the tag, which need not be terminated; "" if there is no room
 * for it. */
static char *keep_string(const struct cursor *cursor, size_t offset)
{
    static char empty[1];
    const char *text = (const char *)cursor->at + offset;
    char *copy;

    if (offset >= cursor->size) {
        return empty;
    }
    copy = keep(cursor->arena, text, strnlen(text, cursor->size - offset), 1);
    if (copy == NULL) {
        log_warn("boot information: no room for the text of tag %u at offset %zu",
                 ((const struct tag *)cursor->at)->type, cursor->offset);
        return empty;
    }
    return copy;
}

static int broken(const struct cursor *cursor, const char *what)
{
    log_error("boot information: tag %u at offset %zu %s", ((const struct tag *)cursor->at)->type,
              cursor->offset, what);
    return -EINVAL;
}

static int parse_module(const struct cursor *cursor)
{
    struct boot_info *info = cursor->info;
    struct boot_module *module = &info->modules[info->module_count];
    struct module_tag tag;
    char *text;
    char *space;

    if (cursor->size < sizeof(tag)) {
        return broken(cursor, "is too short for a module");
    }
    read_tag(cursor, &tag, sizeof(tag));
    if (tag.end < tag.start) {
        return broken(cursor, "has a module that ends before it starts");
    }
    if (info->module_count == BOOT_MAX_MODULES) {
        log_warn("boot information: more than %d modules; the one at offset %zu is left out",
                 BOOT_MAX_MODULES, cursor->offset);
        return 0;
    }
    text = keep_string(cursor, sizeof(tag));
    module->name = text;
    module->arguments = "";
    space = strchr(text, ' ');
    if (space != NULL) {
        *space = '\0';
        module->arguments = space + 1;
    }
    module->phys = tag.start;
    module->size = tag.end - tag.start;
    module->data = phys_to_virt(tag.start);
    info->module_count++;
    return 0;
}

static enum boot_memory_kind memory_kind(uint32_t type)
{
    switch (type) {
    case 1:
        return BOOT_MEMORY_RAM;
    case 3:
        return BOOT_MEMORY_ACPI;
    case 4:
        return BOOT_MEMORY_NVS;
    case 5:
        return BOOT_MEMORY_BAD;
    default:
        return BOOT_MEMORY_RESERVED;
    }
}

static int parse_memory_map(const struct cursor *cursor)
{
    struct boot_info *info = cursor->info;
    struct memory_map_tag tag;

    read_tag(cursor, &tag, sizeof(tag));
    if (cursor->size < sizeof(tag) || tag.entry_size < sizeof(struct memory_map_entry)) {
        return broken(cursor, "is no memory map");
    }
    for (size_t offset = sizeof(tag);
         cursor->size - offset >= tag.entry_size && offset < cursor->size;
         offset += tag.entry_size) {
        struct memory_map_entry entry;

        memcpy(&entry, cursor->at + offset, sizeof(entry));
        if (entry.size == 0) {
            continue;
        }
        if (entry.size - 1 > UINT64_MAX - entry.base) {
            return broken(cursor, "has a memory range that wraps around");
        }
        if (info->memory_count == BOOT_MAX_MEMORY_RANGES) {
            log_warn("boot information: more than %d memory ranges; those from 0x%lx on are left "
                     "out",
                     BOOT_MAX_MEMORY_RANGES, entry.base);
            break;
        }
        info->memory[info->memory_count++] = (struct boot_memory_range){
            .base = entry.base, .size = entry.size, .kind = memory_kind(entry.type)};
    }
    return 0;
}

static void parse_framebuffer(const struct cursor *cursor)
{
    struct framebuffer_tag tag;

    read_tag(cursor, &tag, sizeof(tag));
    cursor->info->framebuffer = (struct boot_framebuffer){
        .phys = tag.address,
        .pitch = tag.pitch,
        .width = tag.width,
        .height = tag.height,
        .bits_per_pixel = tag.bits_per_pixel,
        .rgb = tag.type == FRAMEBUFFER_RGB,
    };
    if (tag.type == FRAMEBUFFER_RGB) {
        cursor->info->framebuffer.red_position = tag.red_position;
        cursor->info->framebuffer.red_size = tag.red_size;
        cursor->info->framebuffer.green_position = tag.green_position;
        cursor->info->framebuffer.green_size = tag.green_size;
        cursor->info->framebuffer.blue_position = tag.blue_position;
        cursor->info->framebuffer.blue_size = tag.blue_size;
    }
}

static int parse_elf_sections(const struct cursor *cursor)
{
    struct boot_info *info = cursor->info;
    struct elf_sections_tag tag;
    uint64_t size;

    read_tag(cursor, &tag, sizeof(tag));
    size = (uint64_t)tag.count * tag.entry_size;
    if (cursor->size < sizeof(tag) || size > cursor->size - sizeof(tag)) {
        return broken(cursor, "has fewer ELF sections than it says");
    }
    info->elf_sections = keep(cursor->arena, cursor->at + sizeof(tag), size, 0);
    if (info->elf_sections == NULL) {
        log_warn("boot information: no room for %u ELF section headers", tag.count);
        return 0;
    }
    info->elf_section_count = tag.count;
    info->elf_section_size = tag.entry_size;
    info->elf_section_names = tag.names;
    return 0;
}

static void parse_rsdp(const struct cursor *cursor)
{
    size_t size = cursor->size - sizeof(struct tag);

    memset(cursor->info->rsdp, 0, sizeof(cursor->info->rsdp));
    memcpy(cursor->info->rsdp, cursor->at + sizeof(struct tag),
           size < sizeof(cursor->info->rsdp) ? size : sizeof(cursor->info->rsdp));
}

static int parse_tag(const struct cursor *cursor, uint32_t type, bool *new_rsdp)
{
    switch (type) {
    case TAG_CMDLINE:
        cursor->info->cmdline = keep_string(cursor, sizeof(struct tag));
        return 0;
    case TAG_LOADER:
        cursor->info->loader = keep_string(cursor, sizeof(struct tag));
        return 0;
    case TAG_MODULE:
        return parse_module(cursor);
    case TAG_MEMORY_MAP:
        return parse_memory_map(cursor);
    case TAG_FRAMEBUFFER:
        parse_framebuffer(cursor);
        return 0;
    case TAG_ELF_SECTIONS:
        return parse_elf_sections(cursor);
    case TAG_EFI32_SYSTEM_TABLE:
    case TAG_EFI64_SYSTEM_TABLE:
        cursor->info->efi = true;
        return 0;
    case TAG_ACPI_OLD:
        if (!*new_rsdp) {
            parse_rsdp(cursor);
        }
        return 0;
    case TAG_ACPI_NEW:
        *new_rsdp = true;
        parse_rsdp(cursor);
        return 0;
    default:
        return 0; /* nothing we need */
    }
}

int multiboot2_parse(const void *data, size_t size, struct boot_arena *arena,
                     struct boot_info *info)
{
    struct cursor cursor = {
        .offset = sizeof(struct information_header), .arena = arena, .info = info};
    struct information_header header;
    bool new_rsdp = false;

    *info = (struct boot_info){.loader = "", .cmdline = ""};
    if (size < sizeof(header)) {
        log_error("boot information: %zu bytes are too short", size);
        return -EINVAL;
    }
    memcpy(&header, data, sizeof(header));
    if (header.total_size < sizeof(header) || header.total_size > size) {
        log_error("boot information: its size, %u bytes, cannot be true", header.total_size);
        return -EINVAL;
    }
    for (;;) {
        size_t left = header.total_size - cursor.offset;
        struct tag tag;
        int error;

        if (cursor.offset > header.total_size || left < sizeof(tag)) {
            log_error("boot information: no end tag in %u bytes", header.total_size);
            return -EINVAL;
        }
        cursor.at = (const uint8_t *)data + cursor.offset;
        memcpy(&tag, cursor.at, sizeof(tag));
        if (tag.type == TAG_END) {
            return 0;
        }
        if (tag.size < sizeof(tag) || tag.size > left) {
            return broken(&cursor, "has a size that does not fit");
        }
        cursor.size = tag.size;
        error = parse_tag(&cursor, tag.type, &new_rsdp);
        if (error != 0) {
            return error;
        }
        cursor.offset += (tag.size + (size_t)TAG_ALIGNMENT - 1) & ~(size_t)(TAG_ALIGNMENT - 1);
    }
}
