#include <errno.h>
#include <string.h>

#include "guest/layout.h"
#include "guest/loader/elf.h"
#include "guest/loader/linux.h"
#include "guest/loader/memory_map.h"

#define NOTE_PHYS32_ENTRY 18u
#define NOTE_OWNER        "Xen" /* with its NUL, 4 bytes */

#define START_INFO_MAGIC   0x336ec578u
#define START_INFO_VERSION 1u

/* A 32-bit kernel reaches no initrd above its low memory. */
#define INITRD_END_32 UINT64_C(0x38000000)
#define INITRD_END_64 GUEST_LOW_RAM_END

struct start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t memory_map;
    uint32_t memory_map_count;
    uint32_t reserved;
};

struct start_module {
    uint64_t address;
    uint64_t size;
    uint64_t cmdline;
    uint64_t reserved;
};

struct start_memory {
    uint64_t address;
    uint64_t size;
    uint32_t type; /* as in e820 */
    uint32_t reserved;
};

/* All that the kernel is told, in one piece. */
struct start_page {
    struct start_info info;
    struct start_module initrd;
    struct start_memory memory[MEMORY_MAP_MAX];
};

_Static_assert(sizeof(struct start_info) == 56, "fixed by the protocol");
_Static_assert(sizeof(struct start_page) <= LAYOUT_PAGE_TABLES - LAYOUT_LINUX_BOOT, "its place");

/* Looks for the entry note among the notes in [offset, end) of the image. */
static bool find_entry_note(const struct guest_image *image, uint64_t offset, uint64_t end,
                            uint64_t *entry)
{
    struct {
        uint32_t owner_size;
        uint32_t value_size;
        uint32_t type;
    } note;

    while (offset + sizeof(note) <= end && image_read(image, offset, &note, sizeof(note))) {
        char owner[sizeof(NOTE_OWNER)];
        uint64_t value = offset + sizeof(note) + align_up(note.owner_size, 4);

        if (note.type == NOTE_PHYS32_ENTRY && note.owner_size == sizeof(owner) &&
            image_read(image, offset + sizeof(note), owner, sizeof(owner)) &&
            memcmp(owner, NOTE_OWNER, sizeof(owner)) == 0) {
            uint32_t low;

            *entry = 0;
            if (note.value_size == 8) {
                return image_read(image, value, entry, 8);
            }
            if (note.value_size == 4 && image_read(image, value, &low, 4)) {
                *entry = low;
                return true;
            }
            return false;
        }
        offset = value + align_up(note.value_size, 4);
    }
    return false;
}

static int find_entry(const struct loading *loading, const struct elf *elf, uint64_t *entry)
{
    for (unsigned i = 0; i < elf->segment_count; i++) {
        struct elf_segment segment;

        elf_get_segment(elf, i, &segment);
        if (segment.type == ELF_SEGMENT_NOTE &&
            image_has(elf->image, segment.offset, segment.file_size) &&
            find_entry_note(elf->image, segment.offset, segment.offset + segment.file_size,
                            entry)) {
            if (*entry <= UINT32_MAX && elf_holds_phys(elf, *entry)) {
                return 0;
            }
            return loading_refuse(loading, -ENOEXEC, elf->image,
                                  "its PVH entry point 0x%lx is in no segment", *entry);
        }
    }
    return loading_refuse(loading, -ENOTSUP, elf->image,
                          "an ELF file without PVH entry note (Linux needs CONFIG_PVH)");
}

static int write_start_page(const struct loading *loading, const struct linux_boot *boot,
                            uint64_t initrd)
{
    struct memory_map map;
    struct start_page page;

    memset(&page, 0, sizeof(page));
    memory_map_build(loading->memory, &map);
    page.info.magic = START_INFO_MAGIC;
    page.info.version = START_INFO_VERSION;
    page.info.cmdline = LAYOUT_LINUX_CMDLINE;
    page.info.rsdp = LAYOUT_RSDP;
    page.info.memory_map = LAYOUT_LINUX_BOOT + offsetof(struct start_page, memory);
    page.info.memory_map_count = map.count;
    for (unsigned i = 0; i < map.count; i++) {
        page.memory[i].address = map.entries[i].base;
        page.memory[i].size = map.entries[i].size;
        page.memory[i].type = map.entries[i].type;
    }
    if (boot->initrd.data != NULL) {
        page.info.module_count = 1;
        page.info.modules = LAYOUT_LINUX_BOOT + offsetof(struct start_page, initrd);
        page.initrd.address = initrd;
        page.initrd.size = boot->initrd.size;
    }
    return guest_memory_write(loading->memory, LAYOUT_LINUX_BOOT, &page, sizeof(page));
}

int load_pvh(const struct loading *loading, const struct linux_boot *boot, struct boot_state *state)
{
    const struct image_room room = {LAYOUT_LINUX_BOOT_END, LAYOUT_EBDA};
    const size_t cmdline_size = strlen(boot->cmdline) + 1;
    struct elf elf;
    struct elf_extent extent;
    uint64_t entry = 0;
    uint64_t initrd = 0;
    int error = elf_open(loading, &boot->kernel, &elf);

    if (error == 0) {
        error = elf_check_segments(loading, &elf, &extent);
    }
    if (error == 0) {
        error = find_entry(loading, &elf, &entry);
    }
    if (error == 0) {
        error = elf_load_segments(loading, &elf, 0, &room);
    }
    if (error == 0 && boot->initrd.data != NULL) {
        uint64_t first = extent.end > LAYOUT_EXTENDED_MEMORY ? extent.end : LAYOUT_EXTENDED_MEMORY;
        error = image_place_high(loading, &boot->initrd, first,
                                 elf.is64 ? INITRD_END_64 : INITRD_END_32, &initrd);
    }
    if (error != 0) {
        return error;
    }
    if (cmdline_size > LAYOUT_LINUX_BOOT_END - LAYOUT_LINUX_CMDLINE ||
        guest_memory_write(loading->memory, LAYOUT_LINUX_CMDLINE, boot->cmdline, cmdline_size) !=
            0 ||
        write_start_page(loading, boot, initrd) != 0 ||
        boot_state_protected(loading->memory, (uint32_t)entry, state) != 0) {
        return loading_refuse(loading, -ENOMEM, &boot->kernel, "no memory for its parameters");
    }
    state->gpr[GPR_RBX] = LAYOUT_LINUX_BOOT;
    return 0;
}
