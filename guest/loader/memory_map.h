/*
 * The memory map that a guest is told, in the form of the BIOS call INT 15h, AX=E820h (ACPI 6.5,
 * 15.1), which all boot protocols took over.
 */
#ifndef GUEST_LOADER_MEMORY_MAP_H
#define GUEST_LOADER_MEMORY_MAP_H

#include <stdint.h>

#include "guest/memory.h"

#define MEMORY_MAP_RAM      1u
#define MEMORY_MAP_RESERVED 2u

#define MEMORY_MAP_MAX 8

struct memory_map_entry {
    uint64_t base;
    uint64_t size;
    uint32_t type;
} __attribute__((packed));

struct memory_map {
    unsigned count;
    struct memory_map_entry entries[MEMORY_MAP_MAX]; /* by address, without overlaps */
};

/** The map of a VM with this memory: base memory, EBDA, ACPI area, RAM above 1 MiB, the APICs'
 * pages, RAM above 4 GiB. */
void memory_map_build(const struct guest_memory *memory, struct memory_map *map);

#endif
