/* What a VM is started from: the images that its description names, held together. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "manage/images.h"

/* Multiboot headers are looked for in so many bytes (Multiboot 3.1.1, Multiboot2 3.1.1). */
#define MULTIBOOT1_SEARCH 8192u
#define MULTIBOOT1_MAGIC  0x1badb002u
#define MULTIBOOT2_SEARCH 32768u
#define MULTIBOOT2_MAGIC  0xe85250d6u

/* Linux's setup header (Documentation/x86/boot.rst). */
#define LINUX_HEADER       0x202u
#define LINUX_HEADER_MAGIC 0x53726448u /* "HdrS" */

static uint32_t read_u32(const uint8_t *data, uint64_t offset)
{
    uint32_t value;

    memcpy(&value, data + offset, sizeof(value));
    return value;
}

/* A header's first three words, or four, add up to nothing. */
static bool has_multiboot_header(const uint8_t *data, uint64_t size)
{
    for (uint64_t at = 0; at < MULTIBOOT2_SEARCH && at + 16 <= size; at += 4) {
        uint32_t magic = read_u32(data, at);
        uint32_t sum = magic + read_u32(data, at + 4) + read_u32(data, at + 8);

        if ((magic == MULTIBOOT1_MAGIC && at < MULTIBOOT1_SEARCH && sum == 0) ||
            (magic == MULTIBOOT2_MAGIC && sum + read_u32(data, at + 12) == 0)) {
            return true;
        }
    }
    return false;
}

bool image_kind(const uint8_t *data, uint64_t size, enum boot_kind *kind)
{
    *kind = BOOT_KIND_LINUX;
    if (size >= LINUX_HEADER + 4 && read_u32(data, LINUX_HEADER) == LINUX_HEADER_MAGIC) {
        return true;
    }
    if (has_multiboot_header(data, size)) {
        *kind = BOOT_KIND_MULTIBOOT;
        return true;
    }
    /* An ELF file without such a header can only be a Linux. */
    return size >= 4 && memcmp(data, "\177ELF", 4) == 0;
}

static int take_one(struct image_set *set, const char *name, struct guest_image *file, char *reason,
                    size_t size)
{
    struct image_use *use = &set->uses[set->count];

    file->name = name;
    if (images_use(name, use) != 0) {
        snprintf(reason, size, "%s: there is no image of that name", name);
        return -ENOENT;
    }
    set->count++;
    file->data = use->file.data;
    file->size = use->file.size;
    return 0;
}

int image_set_take(struct image_set *set, const struct vm_description *description,
                   bool boots_other, char *reason, size_t size)
{
    int error;

    memset(set, 0, sizeof(*set));
    set->images.boot = description->boot;
    error = take_one(set, description->image, &set->images.image, reason, size);
    if (boots_other) {
        error = 0;
    }
    if (!error && description->boot == BOOT_KIND_LINUX && description->initrd[0]) {
        error = take_one(set, description->initrd, &set->images.initrd, reason, size);
    }
    for (unsigned i = 0; !error && i < description->module_count; i++) {
        error = take_one(set, description->modules[i].name, &set->images.modules[i], reason, size);
    }
    if (error) {
        image_set_drop(set);
    }
    return error;
}

void image_set_drop(struct image_set *set)
{
    while (set->count > 0) {
        image_use_end(&set->uses[--set->count]);
    }
}
