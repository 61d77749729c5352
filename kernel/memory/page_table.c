#include "kernel/memory/page_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define ENTRIES 512u

static uint64_t level_span(enum page_level level)
{
    return UINT64_C(4096) << (9 * level);
}

static uint64_t *table_at(const struct page_table *table, uint64_t address)
{
    return (uint64_t *)(table->map + (address & PAGE_ADDRESS_MASK));
}

static uint64_t *entry_of(uint64_t *entries, uint64_t virt, enum page_level level)
{
    return &entries[virt / level_span(level) % ENTRIES];
}

static bool is_table(uint64_t entry, enum page_level level)
{
    return (entry & PAGE_PRESENT) != 0 && level != PAGE_LEVEL_4K && (entry & PAGE_LARGE) == 0;
}

/* The table below `entry`; made if there is none, with the same mapping if it was a large page. */
static uint64_t *descend(struct page_table *table, uint64_t *entry, enum page_level level)
{
    uint64_t page;
    uint64_t *entries;

    if (is_table(*entry, level)) {
        return table_at(table, *entry);
    }
    page = table->alloc();
    if (page == 0) {
        return NULL;
    }
    entries = table_at(table, page);
    if ((*entry & PAGE_PRESENT) == 0) {
        memset(entries, 0, ENTRIES * sizeof(*entries));
    } else {
        uint64_t part = *entry;

        if (level - 1 == PAGE_LEVEL_4K) {
            part &= ~PAGE_LARGE;
        }
        for (unsigned i = 0; i < ENTRIES; i++) {
            entries[i] = part + i * level_span(level - 1);
        }
    }
    *entry = page | PAGE_PRESENT | PAGE_WRITABLE;
    return entries;
}

static int map_level(struct page_table *table, uint64_t *entries, enum page_level level,
                     uint64_t virt, uint64_t phys, uint64_t size, uint64_t flags)
{
    uint64_t span = level_span(level);

    while (size > 0) {
        uint64_t *entry = entry_of(entries, virt, level);
        uint64_t part = span - virt % span;

        if (part > size) {
            part = size;
        }
        if (level == PAGE_LEVEL_4K) {
            *entry = phys | flags | PAGE_PRESENT;
        } else if (level <= table->largest && part == span && phys % span == 0 &&
                   !is_table(*entry, level)) {
            *entry = phys | flags | PAGE_PRESENT | PAGE_LARGE;
        } else {
            uint64_t *below = descend(table, entry, level);
            int error;

            if (below == NULL) {
                return -ENOMEM;
            }
            error = map_level(table, below, level - 1, virt, phys, part, flags);
            if (error != 0) {
                return error;
            }
        }
        virt += part;
        phys += part;
        size -= part;
    }
    return 0;
}

int page_table_map(struct page_table *table, uint64_t virt, uint64_t phys, uint64_t size,
                   uint64_t flags)
{
    if (table->root == 0) {
        table->root = table->alloc();
        if (table->root == 0) {
            return -ENOMEM;
        }
        memset(table_at(table, table->root), 0, ENTRIES * sizeof(uint64_t));
    }
    return map_level(table, table_at(table, table->root), PAGE_LEVEL_TOP, virt, phys, size, flags);
}

static void unmap_level(struct page_table *table, uint64_t *entries, enum page_level level,
                        uint64_t virt, uint64_t size)
{
    uint64_t span = level_span(level);

    while (size > 0) {
        uint64_t *entry = entry_of(entries, virt, level);
        uint64_t part = span - virt % span;

        if (part > size) {
            part = size;
        }
        if (is_table(*entry, level)) {
            unmap_level(table, table_at(table, *entry), level - 1, virt, part);
        } else if (part == span) {
            *entry = 0;
        }
        virt += part;
        size -= part;
    }
}

void page_table_unmap(struct page_table *table, uint64_t virt, uint64_t size)
{
    if (table->root != 0) {
        unmap_level(table, table_at(table, table->root), PAGE_LEVEL_TOP, virt, size);
    }
}

uint64_t page_table_lookup(const struct page_table *table, uint64_t virt, enum page_level *level)
{
    uint64_t entry = table->root | PAGE_PRESENT;

    if (table->root == 0) {
        return 0;
    }
    for (*level = PAGE_LEVEL_TOP;; (*level)--) {
        entry = *entry_of(table_at(table, entry), virt, *level);
        if (!is_table(entry, *level)) {
            return (entry & PAGE_PRESENT) != 0 ? entry : 0;
        }
    }
}
