/*
 * Names for code addresses, from the symbol table which the boot loader keeps in memory with the
 * image. Without one, lookups find nothing.
 */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ELF-64 structures (System V ABI, chapter 4), as far as they are needed here. */
struct elf_section {
    uint32_t name;
    uint32_t type;
    uint64_t flags;
    uint64_t address; /* of sections outside the image: where the boot loader put them */
    uint64_t offset;
    uint64_t size;
    uint32_t link;
    uint32_t info;
    uint64_t alignment;
    uint64_t entry_size;
};

struct elf_symbol {
    uint32_t name; /* offset in the string table */
    uint8_t info;  /* type in bits 3:0 */
    uint8_t other;
    uint16_t section;
    uint64_t value;
    uint64_t size;
};

#define ELF_SECTION_SYMTAB   2u
#define ELF_SECTION_STRTAB   3u
#define ELF_SECTION_ALLOC    2u      /* flag: part of the loaded image */
#define ELF_SECTION_RESERVED 0xff00u /* section indices from here up are not sections */
#define ELF_SYMBOL_TYPE_MASK 0xfu
#define ELF_SYMBOL_NOTYPE    0u
#define ELF_SYMBOL_FUNCTION  2u

struct symbol_table {
    const struct elf_symbol *symbols;
    size_t count;
    const char *names;
    size_t names_size;
};

/**
 * The function that holds `address`: its name (inside the table, NUL-terminated) and how far in the
 * address is. False if there is none, or the table is broken there.
 */
bool symbol_table_find(const struct symbol_table *table, uint64_t address, const char **name,
                       uint64_t *offset);

/** Finds the kernel's own table by the boot information; once. */
void symbols_init(void);

/** As symbol_table_find in the kernel's own table. Any context. */
bool symbol_find(uint64_t address, const char **name, uint64_t *offset);

#endif
