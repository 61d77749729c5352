/*
 * Four-level page tables (SDM vol. 3, 4.5) as a data structure: mapping and looking up, over any
 * source of table pages. Loading them is the caller's business.
 */
#ifndef KERNEL_MEMORY_PAGE_TABLE_H
#define KERNEL_MEMORY_PAGE_TABLE_H

#include <stdint.h>

#define PAGE_PRESENT       (UINT64_C(1) << 0)
#define PAGE_WRITABLE      (UINT64_C(1) << 1)
#define PAGE_WRITE_THROUGH (UINT64_C(1) << 3) /* low bit of the PAT index */
#define PAGE_CACHE_DISABLE (UINT64_C(1) << 4) /* middle bit of the PAT index */
#define PAGE_LARGE         (UINT64_C(1) << 7) /* in a directory: maps 2 MiB or 1 GiB */
#define PAGE_GLOBAL        (UINT64_C(1) << 8)
#define PAGE_NO_EXECUTE    (UINT64_C(1) << 63)
#define PAGE_ADDRESS_MASK  UINT64_C(0x000ffffffffff000)

enum page_level { PAGE_LEVEL_4K, PAGE_LEVEL_2M, PAGE_LEVEL_1G, PAGE_LEVEL_TOP };

struct page_table {
    uint64_t root;           /* address of the top-level table, 0 before the first mapping */
    uint64_t (*alloc)(void); /* address of a page for a table (need not be clear), 0: none */
    uintptr_t map;           /* where address 0 of the tables' memory can be reached */
    enum page_level largest; /* largest page the CPU has: 2M or 1G */
};

/**
 * Maps [virt, +size) to [phys, +size), all multiples of 4 KiB, with the largest pages that fit and
 * the given flags beside PAGE_PRESENT. What was mapped there is replaced; a large page of which a
 * part is replaced is split. Returns 0, or -ENOMEM (part may be mapped).
 */
int page_table_map(struct page_table *table, uint64_t virt, uint64_t phys, uint64_t size,
                   uint64_t flags);

/** Unmaps [virt, +size), multiples of 4 KiB, where something is mapped; a large page that is in the
 * range only in part stays. The tables remain. Whoever can use them has to be made to forget. */
void page_table_unmap(struct page_table *table, uint64_t virt, uint64_t size);

/** The entry that maps `virt` and at which level; 0 if it is not mapped. */
uint64_t page_table_lookup(const struct page_table *table, uint64_t virt, enum page_level *level);

#endif
