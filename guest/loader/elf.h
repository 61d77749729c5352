/*
 * ELF executables for x86, 32 and 64 bits (System V ABI, chapters 4 and 5), as far as a boot loader
 * needs them. Nothing in the file is believed before it is checked.
 */
#ifndef GUEST_LOADER_ELF_H
#define GUEST_LOADER_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/loader/loading.h"

#define ELF_SEGMENT_LOAD 1u
#define ELF_SEGMENT_NOTE 4u

#define ELF_SECTION_NULL   0u
#define ELF_SECTION_NOBITS 8u

#define ELF_SEGMENTS_MAX 64u

struct elf {
    const struct guest_image *image;
    bool is64;
    uint64_t entry;
    uint64_t segment_table; /* offsets in the file */
    uint64_t section_table;
    uint32_t segment_size; /* bytes per table entry */
    uint32_t segment_count;
    uint32_t section_size;
    uint32_t section_count; /* 0: none */
    uint32_t section_names; /* index */
};

struct elf_segment {
    uint32_t type;
    uint64_t offset;
    uint64_t virt;
    uint64_t phys;
    uint64_t file_size;
    uint64_t memory_size;
    uint64_t alignment;
};

struct elf_section {
    uint32_t type;
    uint64_t address;
    uint64_t offset;
    uint64_t size;
    uint64_t alignment;
};

/* The physical addresses that loadable segments take. */
struct elf_extent {
    uint64_t first;
    uint64_t end;
};

/** True if the image starts like an ELF file. */
bool elf_detect(const struct guest_image *image);

/** Checks the header and that both tables lie in the file. 0 or a refusal. */
int elf_open(const struct loading *loading, const struct guest_image *image, struct elf *elf);

/** Reads table entry `index`, which must be less than the count. */
void elf_get_segment(const struct elf *elf, unsigned index, struct elf_segment *segment);
void elf_get_section(const struct elf *elf, unsigned index, struct elf_section *section);

/** Offset of the address (4 or 8 bytes by class) in an entry of the section table. */
static inline uint64_t elf_section_address_offset(const struct elf *elf)
{
    return elf->is64 ? 16 : 12;
}

/** Checks the loadable segments: in the file, nowhere overlapping; and says where they lie.
 * 0 or a refusal. */
int elf_check_segments(const struct loading *loading, const struct elf *elf,
                       struct elf_extent *extent);

/** Loads what elf_check_segments has passed, `shift` higher than linked (modulo 2^64). A segment
 * outside `room` and RAM is refused before anything is written. */
int elf_load_segments(const struct loading *loading, const struct elf *elf, uint64_t shift,
                      const struct image_room *room);

/** Physical address (as linked) of a virtual address, by the loadable segment that holds it;
 * false if none does. */
bool elf_virt_to_phys(const struct elf *elf, uint64_t address, uint64_t *phys);

/** True if some loadable segment holds physical address `phys`, as linked. */
bool elf_holds_phys(const struct elf *elf, uint64_t phys);

#endif
