/* The multiboot2 specification, version 2.0, section 3.6: what an image is told. */
#include <string.h>

#include "guest/layout.h"
#include "guest/loader/memory_map.h"
#include "guest/loader/multiboot.h"
#include "guest/loader/multiboot2.h"

#define RSDP_OLD_SIZE 20u
#define RSDP_NEW_SIZE 36u

struct tag {
    uint32_t type;
    uint32_t size;
};

struct module_tag {
    struct tag tag;
    uint32_t start;
    uint32_t end;
};

struct memory_tag {
    struct tag tag;
    uint32_t lower;
    uint32_t upper;
};

struct memory_map_tag {
    struct tag tag;
    uint32_t entry_size;
    uint32_t entry_version;
    struct {
        uint64_t base;
        uint64_t size;
        uint32_t type;
        uint32_t reserved;
    } entries[MEMORY_MAP_MAX];
};

struct sections_tag {
    struct tag tag;
    uint32_t count;
    uint32_t entry_size;
    uint32_t names;
};

struct load_base_tag {
    struct tag tag;
    uint32_t address;
};

bool multiboot2_gives(uint32_t type)
{
    switch (type) {
    case INFORMATION_END:
    case INFORMATION_CMDLINE:
    case INFORMATION_LOADER_NAME:
    case INFORMATION_MODULE:
    case INFORMATION_MEMORY:
    case INFORMATION_MEMORY_MAP:
    case INFORMATION_ELF_SECTIONS:
    case INFORMATION_RSDP_OLD:
    case INFORMATION_RSDP_NEW:
    case INFORMATION_LOAD_BASE:
        return true;
    default:
        return false;
    }
}

static int put_string(struct multiboot_load *load, uint32_t type, const char *string)
{
    size_t size = strlen(string) + 1;
    const struct tag tag = {type, (uint32_t)(sizeof(tag) + size)};
    int error = multiboot_put(load, &tag, sizeof(tag), NULL);

    return error != 0 ? error : multiboot_append(load, string, size);
}

static int put_modules(struct multiboot_load *load)
{
    for (unsigned i = 0; i < load->boot->module_count; i++) {
        const struct multiboot_module *module = &load->boot->modules[i];
        size_t size = strlen(module->cmdline) + 1;
        const struct module_tag tag = {
            .tag = {INFORMATION_MODULE, (uint32_t)(sizeof(tag) + size)},
            .start = load->module_address[i],
            .end = load->module_address[i] + (uint32_t)module->image.size,
        };
        int error = multiboot_put(load, &tag, sizeof(tag), NULL);
        if (error == 0) {
            error = multiboot_append(load, module->cmdline, size);
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static int put_memory(struct multiboot_load *load)
{
    const struct memory_tag sizes = {{INFORMATION_MEMORY, sizeof(sizes)},
                                     multiboot_memory_lower(load),
                                     multiboot_memory_upper(load)};
    struct memory_map map;
    struct memory_map_tag tag;

    memset(&tag, 0, sizeof(tag));
    memory_map_build(load->loading.memory, &map);
    tag.entry_size = sizeof(tag.entries[0]);
    tag.tag.type = INFORMATION_MEMORY_MAP;
    tag.tag.size =
        (uint32_t)(offsetof(struct memory_map_tag, entries) + map.count * sizeof(tag.entries[0]));
    for (unsigned i = 0; i < map.count; i++) {
        tag.entries[i].base = map.entries[i].base;
        tag.entries[i].size = map.entries[i].size;
        tag.entries[i].type = map.entries[i].type;
    }
    int error = multiboot_put(load, &sizes, sizeof(sizes), NULL);
    return error != 0 ? error : multiboot_put(load, &tag, tag.tag.size, NULL);
}

static int put_sections(struct multiboot_load *load)
{
    const size_t size = multiboot_sections_size(load);
    const struct sections_tag tag = {
        .tag = {INFORMATION_ELF_SECTIONS, (uint32_t)(sizeof(tag) + size)},
        .count = load->elf.section_count,
        .entry_size = load->elf.section_size,
        .names = load->elf.section_names,
    };

    if (size == 0) {
        return 0;
    }
    int error = multiboot_put(load, &tag, sizeof(tag), NULL);
    return error != 0 ? error : multiboot_append_sections(load);
}

/* Copies of the RSDP (ACPI 6.5, 5.2.5.3): the first version is the beginning of the second. */
static int put_rsdp(struct multiboot_load *load)
{
    uint8_t rsdp[RSDP_NEW_SIZE];
    const struct tag old_tag = {INFORMATION_RSDP_OLD, sizeof(old_tag) + RSDP_OLD_SIZE};
    const struct tag new_tag = {INFORMATION_RSDP_NEW, sizeof(new_tag) + RSDP_NEW_SIZE};

    if (guest_memory_read(load->loading.memory, LAYOUT_RSDP, rsdp, sizeof(rsdp)) != 0 ||
        memcmp(rsdp, "RSD PTR ", 8) != 0) {
        return 0;
    }
    int error = multiboot_put(load, &old_tag, sizeof(old_tag), NULL);
    if (error == 0) {
        error = multiboot_append(load, rsdp, RSDP_OLD_SIZE);
    }
    if (error == 0 && rsdp[15] >= 2) { /* revision */
        error = multiboot_put(load, &new_tag, sizeof(new_tag), NULL);
        if (error == 0) {
            error = multiboot_append(load, rsdp, RSDP_NEW_SIZE);
        }
    }
    return error;
}

static int put_load_base(struct multiboot_load *load)
{
    const struct load_base_tag tag = {{INFORMATION_LOAD_BASE, sizeof(tag)},
                                      (uint32_t)load->extent.first};

    return load->header.relocatable ? multiboot_put(load, &tag, sizeof(tag), NULL) : 0;
}

static int put_end(struct multiboot_load *load)
{
    const struct tag end = {INFORMATION_END, sizeof(end)};
    uint32_t start[2] = {0, 0}; /* total size, reserved */
    int error = multiboot_put(load, &end, sizeof(end), NULL);

    if (error == 0) {
        start[0] = (uint32_t)(load->information - LAYOUT_MULTIBOOT);
        error = guest_memory_write(load->loading.memory, LAYOUT_MULTIBOOT, start, sizeof(start));
    }
    return error;
}

int multiboot2_write_information(struct multiboot_load *load)
{
    static int (*const parts[])(struct multiboot_load *) = {
        put_modules, put_memory, put_sections, put_rsdp, put_load_base, put_end};

    load->information = LAYOUT_MULTIBOOT + 2 * sizeof(uint32_t);
    int error = put_string(load, INFORMATION_CMDLINE, load->boot->cmdline);
    if (error == 0) {
        error = put_string(load, INFORMATION_LOADER_NAME, MULTIBOOT_LOADER_NAME);
    }
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]) && error == 0; i++) {
        error = parts[i](load);
    }
    return error;
}
