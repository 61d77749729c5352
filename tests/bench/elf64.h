/*
 * What a loader needs of 64-bit ELF files (System V ABI, chapters 4 and 5).
 */
#ifndef TESTS_BENCH_ELF64_H
#define TESTS_BENCH_ELF64_H

#include <stddef.h>
#include <stdint.h>

#define ELF64_MAGIC 0x464c457fu
#define ELF64_CLASS 2u
#define ELF64_LOAD  1u

struct elf64_header {
    uint32_t magic;
    uint8_t class;
    uint8_t ident[11];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t segments; /* offset in the file */
    uint64_t sections;
    uint32_t flags;
    uint16_t header_size;
    uint16_t segment_size;
    uint16_t segment_count;
    uint16_t section_size;
    uint16_t section_count;
    uint16_t section_names;
};

struct elf64_segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t virtual;
    uint64_t physical;
    uint64_t file_size;
    uint64_t memory_size;
    uint64_t alignment;
};

#endif
