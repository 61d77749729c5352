/* The multiboot2 specification, version 2.0, section 3.1: what an image asks for. */
#include <errno.h>
#include <string.h>

#include "guest/loader/multiboot.h"
#include "guest/loader/multiboot2.h"

#define HEADER_MAGIC      0xe85250d6u
#define HEADER_SEARCH     32768u
#define ARCHITECTURE_I386 0u

#define TAG_OPTIONAL 1u /* flag: may be ignored */

#define CONSOLE_REQUIRED 1u

enum header_tag {
    HEADER_END = 0,
    HEADER_INFORMATION_REQUEST = 1,
    HEADER_ADDRESSES = 2,
    HEADER_ENTRY = 3,
    HEADER_CONSOLE = 4,
    HEADER_FRAMEBUFFER = 5,
    HEADER_MODULE_ALIGN = 6,
    HEADER_EFI_BOOT_SERVICES = 7,
    HEADER_EFI32_ENTRY = 8,
    HEADER_EFI64_ENTRY = 9,
    HEADER_RELOCATABLE = 10,
};

struct header_start {
    uint32_t magic;
    uint32_t architecture;
    uint32_t length;
    uint32_t checksum;
};

struct tag {
    uint16_t type;
    uint16_t flags;
    uint32_t size; /* with this, without the padding to the next multiple of 8 */
};

struct addresses {
    uint32_t header;
    uint32_t load;
    uint32_t load_end;
    uint32_t bss_end;
};

struct relocation {
    uint32_t min_address;
    uint32_t max_address;
    uint32_t alignment;
    uint32_t preference;
};

/* Names of the information that an image can ask for, by type. */
static const char *const information_names[] = {
    [5] = "the BIOS boot device",
    [7] = "VBE",
    [8] = "a framebuffer",
    [10] = "APM",
    [11] = "the 32-bit EFI system table",
    [12] = "the 64-bit EFI system table",
    [13] = "SMBIOS tables",
    [16] = "network information",
    [17] = "the EFI memory map",
    [18] = "EFI boot services",
    [19] = "the 32-bit EFI image handle",
    [20] = "the 64-bit EFI image handle",
};

static int check_request(const struct loading *loading, const struct guest_image *image,
                         uint32_t type)
{
    if (multiboot2_gives(type)) {
        return 0;
    }
    if (type < sizeof(information_names) / sizeof(information_names[0]) &&
        information_names[type] != NULL) {
        return loading_refuse(loading, -ENOTSUP, image, "requires %s, which is not offered",
                              information_names[type]);
    }
    return loading_refuse(loading, -ENOTSUP, image, "requires information of unknown type %u",
                          type);
}

static int read_request(const struct loading *loading, const struct guest_image *image,
                        uint64_t offset, uint64_t end)
{
    uint32_t type;

    while (offset + sizeof(type) <= end && image_read(image, offset, &type, sizeof(type))) {
        int error = check_request(loading, image, type);
        if (error != 0) {
            return error;
        }
        offset += sizeof(type);
    }
    return 0;
}

static int too_short(const struct loading *loading, const struct guest_image *image,
                     const struct tag *tag)
{
    return loading_refuse(loading, -ENOEXEC, image, "its header tag %u is too short (%u bytes)",
                          tag->type, tag->size);
}

static int read_addresses(const struct loading *loading, const struct guest_image *image,
                          const struct tag *tag, uint64_t body, struct multiboot_header *header)
{
    struct addresses addresses;

    if (tag->size < sizeof(*tag) + sizeof(addresses) ||
        !image_read(image, body, &addresses, sizeof(addresses))) {
        return too_short(loading, image, tag);
    }
    header->has_addresses = true;
    header->header_address = addresses.header;
    header->load_address = addresses.load;
    header->load_end = addresses.load_end;
    header->bss_end = addresses.bss_end;
    return 0;
}

static int read_relocation(const struct loading *loading, const struct guest_image *image,
                           const struct tag *tag, uint64_t body, struct multiboot_header *header)
{
    struct relocation relocation;

    if (tag->size < sizeof(*tag) + sizeof(relocation) ||
        !image_read(image, body, &relocation, sizeof(relocation))) {
        return too_short(loading, image, tag);
    }
    header->relocatable = true;
    header->min_address = relocation.min_address;
    header->max_address = relocation.max_address;
    header->alignment = relocation.alignment;
    header->preference = relocation.preference;
    return 0;
}

/* Reads one tag, whose size was checked to lie in the header. `body` is the offset of what follows
 * its first 8 bytes. */
static int read_tag(const struct loading *loading, const struct guest_image *image,
                    const struct tag *tag, uint64_t body, struct multiboot_header *header)
{
    const bool optional = (tag->flags & TAG_OPTIONAL) != 0;
    uint32_t word = 0;
    const bool has_word =
        tag->size >= sizeof(*tag) + sizeof(word) && image_read(image, body, &word, sizeof(word));

    switch (tag->type) {
    case HEADER_MODULE_ALIGN:      /* they always are */
    case HEADER_EFI_BOOT_SERVICES: /* these three speak of EFI machines only */
    case HEADER_EFI32_ENTRY:
    case HEADER_EFI64_ENTRY:
        return 0;
    case HEADER_INFORMATION_REQUEST:
        return optional ? 0 : read_request(loading, image, body, body + tag->size - sizeof(*tag));
    case HEADER_ADDRESSES:
        return read_addresses(loading, image, tag, body, header);
    case HEADER_ENTRY:
        header->has_entry = has_word;
        header->entry = word;
        return has_word ? 0 : too_short(loading, image, tag);
    case HEADER_RELOCATABLE:
        return read_relocation(loading, image, tag, body, header);
    case HEADER_CONSOLE:
        if (!optional && (word & CONSOLE_REQUIRED) != 0) {
            return loading_refuse(loading, -ENOTSUP, image,
                                  "requires a text console, there is no screen");
        }
        return 0;
    case HEADER_FRAMEBUFFER:
        if (!optional) {
            return loading_refuse(loading, -ENOTSUP, image,
                                  "requires a framebuffer, there is no screen");
        }
        return 0;
    default:
        if (!optional) {
            return loading_refuse(loading, -ENOTSUP, image, "requires unknown header tag %u",
                                  tag->type);
        }
        return 0;
    }
}

static int read_tags(const struct loading *loading, const struct guest_image *image,
                     uint64_t offset, uint64_t end, struct multiboot_header *header)
{
    struct tag tag;

    for (; offset + sizeof(tag) <= end; offset += align_up(tag.size, MULTIBOOT2_ALIGNMENT)) {
        if (!image_read(image, offset, &tag, sizeof(tag)) || tag.size < sizeof(tag) ||
            tag.size > end - offset) {
            return loading_refuse(loading, -ENOEXEC, image,
                                  "its header tag at %lu does not lie in the header", offset);
        }
        if (tag.type == HEADER_END) {
            break;
        }
        int error = read_tag(loading, image, &tag, offset + sizeof(tag), header);
        if (error != 0) {
            return error;
        }
    }
    if (header->has_addresses && !header->has_entry) {
        return loading_refuse(loading, -ENOEXEC, image,
                              "its header gives load addresses, but no entry address");
    }
    return 0;
}

int multiboot2_read_header(const struct loading *loading, const struct guest_image *image,
                           struct multiboot_header *header)
{
    struct header_start start;
    uint64_t offset = 0;

    memset(header, 0, sizeof(*header));
    for (;; offset += MULTIBOOT2_ALIGNMENT) {
        if (offset > HEADER_SEARCH - sizeof(start) ||
            !image_read(image, offset, &start, sizeof(start))) {
            return -ENOENT;
        }
        if (start.magic == HEADER_MAGIC &&
            start.magic + start.architecture + start.length + start.checksum == 0) {
            break;
        }
    }
    header->offset = offset;
    if (start.architecture != ARCHITECTURE_I386) {
        return loading_refuse(loading, -ENOTSUP, image,
                              "its multiboot2 header is for architecture %u, not for x86",
                              start.architecture);
    }
    if (!image_has(image, offset, start.length) || start.length < sizeof(start)) {
        return loading_refuse(loading, -ENOEXEC, image,
                              "truncated: its multiboot2 header promises %u bytes, the module has "
                              "%lu",
                              start.length, image->size - offset);
    }
    return read_tags(loading, image, offset + sizeof(start), offset + start.length, header);
}
