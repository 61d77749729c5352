#include "guest/loader/memory_map.h"

#include "guest/layout.h"

static void add(struct memory_map *map, uint64_t base, uint64_t end, uint32_t type)
{
    if (base < end) {
        map->entries[map->count++] = (struct memory_map_entry){base, end - base, type};
    }
}

void memory_map_build(const struct guest_memory *memory, struct memory_map *map)
{
    map->count = 0;
    add(map, 0, LAYOUT_EBDA, MEMORY_MAP_RAM);
    add(map, LAYOUT_EBDA, LAYOUT_BASE_MEMORY_END, MEMORY_MAP_RESERVED);
    add(map, LAYOUT_ACPI, LAYOUT_ACPI_END, MEMORY_MAP_RESERVED);
    add(map, LAYOUT_EXTENDED_MEMORY, memory->low_size, MEMORY_MAP_RAM);
    add(map, LAYOUT_IOAPIC, LAYOUT_IOAPIC + LAYOUT_APIC_SIZE, MEMORY_MAP_RESERVED);
    add(map, LAYOUT_LOCAL_APIC, LAYOUT_LOCAL_APIC + LAYOUT_APIC_SIZE, MEMORY_MAP_RESERVED);
    add(map, GUEST_HIGH_RAM, GUEST_HIGH_RAM + memory->high_size, MEMORY_MAP_RAM);
}
