#ifndef TESTS_UNIT_LOADER_ELF_BUILDER_H
#define TESTS_UNIT_LOADER_ELF_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUILD_SIZE 0x4000u

/* An ELF file being put together for a test, byte by byte. The header is at 0, program headers are
 * at 0x40 and data starts at 0x200. */
struct elf_builder {
    uint8_t bytes[BUILD_SIZE];
    size_t size;
    bool is64;
    unsigned segments;
};

void put16(uint8_t *to, uint16_t value);
void put32(uint8_t *to, uint32_t value);
void put64(uint8_t *to, uint64_t value);

void elf_begin(struct elf_builder *elf, bool is64, uint64_t entry);
/* Adds a program header for bytes that the caller puts at `offset`. */
void elf_add_segment(struct elf_builder *elf, uint32_t type, uint64_t offset, uint64_t virt,
                     uint64_t phys, uint64_t file_size, uint64_t memory_size);
/* Adds a section header table at `offset`, whose entries the caller fills. Entry size returned. */
size_t elf_set_sections(struct elf_builder *elf, uint64_t offset, unsigned count, unsigned names);
void elf_put_section(struct elf_builder *elf, uint64_t table, unsigned index, uint32_t type,
                     uint64_t address, uint64_t offset, uint64_t size);

#endif
