#include "guest/loader/elf.h"

#include <errno.h>
#include <string.h>

#define CLASS_32       1
#define CLASS_64       2
#define LITTLE_ENDIAN  1
#define TYPE_EXEC      2
#define TYPE_DYN       3
#define MACHINE_386    3
#define MACHINE_X86_64 62

struct header32 {
    uint8_t ident[16];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint32_t entry;
    uint32_t segment_table;
    uint32_t section_table;
    uint32_t flags;
    uint16_t header_size;
    uint16_t segment_size;
    uint16_t segment_count;
    uint16_t section_size;
    uint16_t section_count;
    uint16_t section_names;
};

struct header64 {
    uint8_t ident[16];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t segment_table;
    uint64_t section_table;
    uint32_t flags;
    uint16_t header_size;
    uint16_t segment_size;
    uint16_t segment_count;
    uint16_t section_size;
    uint16_t section_count;
    uint16_t section_names;
};

struct segment32 {
    uint32_t type;
    uint32_t offset;
    uint32_t virt;
    uint32_t phys;
    uint32_t file_size;
    uint32_t memory_size;
    uint32_t flags;
    uint32_t alignment;
};

struct segment64 {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t virt;
    uint64_t phys;
    uint64_t file_size;
    uint64_t memory_size;
    uint64_t alignment;
};

struct section32 {
    uint32_t name;
    uint32_t type;
    uint32_t flags;
    uint32_t address;
    uint32_t offset;
    uint32_t size;
    uint32_t link;
    uint32_t info;
    uint32_t alignment;
    uint32_t entry_size;
};

struct section64 {
    uint32_t name;
    uint32_t type;
    uint64_t flags;
    uint64_t address;
    uint64_t offset;
    uint64_t size;
    uint32_t link;
    uint32_t info;
    uint64_t alignment;
    uint64_t entry_size;
};

bool elf_detect(const struct guest_image *image)
{
    return image->size >= 4 && memcmp(image->data, "\177ELF", 4) == 0;
}

/* Both classes' headers differ only in the width of some members. */
#define READ_HEADER(elf, header, kind)                  \
    do {                                                \
        (elf)->entry = (header)->entry;                 \
        (elf)->segment_table = (header)->segment_table; \
        (elf)->section_table = (header)->section_table; \
        (elf)->segment_size = (header)->segment_size;   \
        (elf)->segment_count = (header)->segment_count; \
        (elf)->section_size = (header)->section_size;   \
        (elf)->section_count = (header)->section_count; \
        (elf)->section_names = (header)->section_names; \
        (kind) = (header)->type;                        \
    } while (0)

static int check_tables(const struct loading *loading, struct elf *elf)
{
    const struct guest_image *image = elf->image;
    size_t segment_size = elf->is64 ? sizeof(struct segment64) : sizeof(struct segment32);
    size_t section_size = elf->is64 ? sizeof(struct section64) : sizeof(struct section32);

    if (elf->segment_count == 0 || elf->segment_size < segment_size) {
        return loading_refuse(loading, -ENOEXEC, image, "ELF file has no program headers");
    }
    if (elf->segment_count > ELF_SEGMENTS_MAX) {
        return loading_refuse(loading, -ENOEXEC, image, "ELF file has %u program headers, over %u",
                              elf->segment_count, ELF_SEGMENTS_MAX);
    }
    if (!image_has(image, elf->segment_table, (uint64_t)elf->segment_count * elf->segment_size)) {
        return loading_refuse(loading, -ENOEXEC, image,
                              "truncated: %u program headers at %lu do not lie in its %lu bytes",
                              elf->segment_count, elf->segment_table, image->size);
    }
    if (elf->section_table == 0 || elf->section_size < section_size) {
        elf->section_count = 0;
    }
    if (elf->section_count > 0 &&
        !image_has(image, elf->section_table, (uint64_t)elf->section_count * elf->section_size)) {
        return loading_refuse(loading, -ENOEXEC, image,
                              "truncated: %u section headers at %lu do not lie in its %lu bytes",
                              elf->section_count, elf->section_table, image->size);
    }
    return 0;
}

int elf_open(const struct loading *loading, const struct guest_image *image, struct elf *elf)
{
    struct header64 header64;
    struct header32 header32;
    uint16_t type;

    memset(elf, 0, sizeof(*elf));
    elf->image = image;
    /* Up to the machine, both classes are laid out alike. */
    if (!image_read(image, 0, &header32, sizeof(header32))) {
        return loading_refuse(loading, -ENOEXEC, image, "truncated: %lu bytes hold no ELF header",
                              image->size);
    }
    if (header32.ident[5] != LITTLE_ENDIAN ||
        (header32.machine != MACHINE_386 && header32.machine != MACHINE_X86_64)) {
        return loading_refuse(loading, -ENOEXEC, image, "ELF file for machine %u, not for x86",
                              header32.machine);
    }
    if (header32.ident[4] == CLASS_32) {
        READ_HEADER(elf, &header32, type);
    } else if (header32.ident[4] == CLASS_64) {
        elf->is64 = true;
        if (!image_read(image, 0, &header64, sizeof(header64))) {
            return loading_refuse(loading, -ENOEXEC, image,
                                  "truncated: %lu bytes hold no ELF header", image->size);
        }
        READ_HEADER(elf, &header64, type);
    } else {
        return loading_refuse(loading, -ENOEXEC, image, "ELF file of unknown class %u",
                              header32.ident[4]);
    }
    if (type != TYPE_EXEC && type != TYPE_DYN) {
        return loading_refuse(loading, -ENOEXEC, image, "ELF file of type %u is no executable",
                              type);
    }
    return check_tables(loading, elf);
}

#define READ_SEGMENT(segment, entry)                   \
    do {                                               \
        (segment)->type = (entry)->type;               \
        (segment)->offset = (entry)->offset;           \
        (segment)->virt = (entry)->virt;               \
        (segment)->phys = (entry)->phys;               \
        (segment)->file_size = (entry)->file_size;     \
        (segment)->memory_size = (entry)->memory_size; \
        (segment)->alignment = (entry)->alignment;     \
    } while (0)

void elf_get_segment(const struct elf *elf, unsigned index, struct elf_segment *segment)
{
    uint64_t offset = elf->segment_table + (uint64_t)index * elf->segment_size;

    /* elf_open has checked that the table lies in the file. */
    if (elf->is64) {
        struct segment64 entry;
        (void)image_read(elf->image, offset, &entry, sizeof(entry));
        READ_SEGMENT(segment, &entry);
    } else {
        struct segment32 entry;
        (void)image_read(elf->image, offset, &entry, sizeof(entry));
        READ_SEGMENT(segment, &entry);
    }
}

#define READ_SECTION(section, entry)               \
    do {                                           \
        (section)->type = (entry)->type;           \
        (section)->address = (entry)->address;     \
        (section)->offset = (entry)->offset;       \
        (section)->size = (entry)->size;           \
        (section)->alignment = (entry)->alignment; \
    } while (0)

void elf_get_section(const struct elf *elf, unsigned index, struct elf_section *section)
{
    uint64_t offset = elf->section_table + (uint64_t)index * elf->section_size;

    if (elf->is64) {
        struct section64 entry;
        (void)image_read(elf->image, offset, &entry, sizeof(entry));
        READ_SECTION(section, &entry);
    } else {
        struct section32 entry;
        (void)image_read(elf->image, offset, &entry, sizeof(entry));
        READ_SECTION(section, &entry);
    }
}

/* Finds the next segment from `*index` on that takes memory, and moves `*index` behind it. */
static bool next_loaded(const struct elf *elf, unsigned *index, struct elf_segment *segment)
{
    while (*index < elf->segment_count) {
        elf_get_segment(elf, (*index)++, segment);
        if (segment->type == ELF_SEGMENT_LOAD && segment->memory_size > 0) {
            return true;
        }
    }
    return false;
}

static int check_segment(const struct loading *loading, const struct elf *elf, unsigned index,
                         const struct elf_segment *segment)
{
    if (!image_has(elf->image, segment->offset, segment->file_size)) {
        return loading_refuse(loading, -ENOEXEC, elf->image,
                              "truncated: segment %u promises %lu bytes at %lu, the module has %lu",
                              index, segment->file_size, segment->offset, elf->image->size);
    }
    if (segment->file_size > segment->memory_size ||
        segment->memory_size > UINT64_MAX - segment->phys ||
        segment->memory_size > UINT64_MAX - segment->virt) {
        return loading_refuse(loading, -ENOEXEC, elf->image,
                              "segment %u has an impossible size (%lu in the file, %lu in memory)",
                              index, segment->file_size, segment->memory_size);
    }
    struct elf_segment other;
    for (unsigned i = 0; next_loaded(elf, &i, &other) && i <= index;) {
        if (segment->phys < other.phys + other.memory_size &&
            other.phys < segment->phys + segment->memory_size) {
            return loading_refuse(loading, -ENOEXEC, elf->image,
                                  "segments %u and %u overlap at 0x%lx", i - 1, index,
                                  segment->phys > other.phys ? segment->phys : other.phys);
        }
    }
    return 0;
}

int elf_check_segments(const struct loading *loading, const struct elf *elf,
                       struct elf_extent *extent)
{
    struct elf_segment segment;

    extent->first = UINT64_MAX;
    extent->end = 0;
    for (unsigned i = 0; next_loaded(elf, &i, &segment);) {
        int error = check_segment(loading, elf, i - 1, &segment);
        if (error != 0) {
            return error;
        }
        if (segment.phys < extent->first) {
            extent->first = segment.phys;
        }
        if (segment.phys + segment.memory_size > extent->end) {
            extent->end = segment.phys + segment.memory_size;
        }
    }
    if (extent->end == 0) {
        return loading_refuse(loading, -ENOEXEC, elf->image, "ELF file has nothing to load");
    }
    return 0;
}

int elf_load_segments(const struct loading *loading, const struct elf *elf, uint64_t shift,
                      const struct image_room *room)
{
    struct elf_segment segment;

    for (unsigned i = 0; next_loaded(elf, &i, &segment);) {
        uint64_t first = segment.phys + shift;
        int error = image_check_room(loading, elf->image, room, "a segment", first,
                                     first + segment.memory_size);
        if (error != 0) {
            return error;
        }
    }
    for (unsigned i = 0; next_loaded(elf, &i, &segment);) {
        int error = image_copy(loading, elf->image, segment.offset, segment.file_size,
                               segment.phys + shift);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

bool elf_virt_to_phys(const struct elf *elf, uint64_t address, uint64_t *phys)
{
    struct elf_segment segment;

    for (unsigned i = 0; next_loaded(elf, &i, &segment);) {
        if (address >= segment.virt && address - segment.virt < segment.memory_size) {
            *phys = segment.phys + (address - segment.virt);
            return true;
        }
    }
    return false;
}

bool elf_holds_phys(const struct elf *elf, uint64_t phys)
{
    struct elf_segment segment;

    for (unsigned i = 0; next_loaded(elf, &i, &segment);) {
        if (phys >= segment.phys && phys - segment.phys < segment.memory_size) {
            return true;
        }
    }
    return false;
}
