#include "vmx/ept.h"

#include <errno.h>
#include <string.h>

#include "vmx/definitions.h"

#define ENTRIES    512u
#define PAGE_SIZE  UINT64_C(4096)
#define TOP_LEVEL  3u
#define LEVEL_1G   2u
#define LEVEL_2M   1u
#define LEVEL_PAGE 0u

/* A change to a range of addresses: to be mapped if `leaf` is not 0, else to be unmapped. */
struct change {
    uint64_t start;
    uint64_t end;  /* first address after the range */
    uint64_t host; /* host address of `start` */
    uint64_t leaf; /* permissions and memory type of the leaf entries */
};

/* Bytes that one entry of a table at this level covers. */
static uint64_t entry_span(unsigned level)
{
    return PAGE_SIZE << (9 * level);
}

static unsigned entry_index(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (12 + 9 * level)) & (ENTRIES - 1);
}

static bool is_present(uint64_t entry)
{
    return entry & EPT_PERMISSIONS;
}

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == LEVEL_PAGE || (entry & EPT_ENTRY_LARGE);
}

static bool level_has_pages(const struct ept *ept, unsigned level)
{
    return level == LEVEL_PAGE || (level == LEVEL_2M && ept->large_2m) ||
           (level == LEVEL_1G && ept->large_1g);
}

static uint64_t *table_at(const struct ept *ept, uint64_t phys)
{
    return ept->tables.map(ept->tables.context, phys);
}

static uint64_t new_table(struct ept *ept)
{
    uint64_t phys = ept->tables.alloc(ept->tables.context);

    if (phys) {
        memset(table_at(ept, phys), 0, PAGE_SIZE);
        ept->table_count++;
    }
    return phys;
}

/* CPUs read the tables at any time: entries change in one store, and never before what they point
 * to is ready. */
static void set_entry(struct ept *ept, uint64_t *entry, uint64_t value)
{
    if (is_present(*entry) && *entry != value) {
        ept->stale = true;
    }
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static void invalidate(struct ept *ept)
{
    if (ept->stale) {
        ept->tables.invalidate(ept->tables.context);
        ept->stale = false;
    }
}

/* Frees a table and all below it. No CPU may know of it any more. */
static void free_tables(struct ept *ept, uint64_t phys, unsigned level)
{
    const uint64_t *table = table_at(ept, phys);

    if (level > LEVEL_PAGE) {
        for (unsigned i = 0; i < ENTRIES; i++) {
            if (is_present(table[i]) && !is_leaf(table[i], level)) {
                free_tables(ept, table[i] & EPT_ADDRESS_MASK, level - 1);
            }
        }
    }
    ept->tables.free(ept->tables.context, phys);
    ept->table_count--;
}

/* Gives an entry its final value; what hung below it is freed once no CPU walks there. */
static void replace_entry(struct ept *ept, uint64_t *entry, uint64_t value, unsigned level)
{
    uint64_t old = *entry;

    set_entry(ept, entry, value);
    if (is_present(old) && !is_leaf(old, level)) {
        invalidate(ept);
        free_tables(ept, old & EPT_ADDRESS_MASK, level - 1);
    }
}

/* Makes the entry point to a table: a new one, or the large page that was there in smaller ones. */
static int make_table(struct ept *ept, uint64_t *entry, unsigned level)
{
    uint64_t old = *entry;
    uint64_t phys;

    if (is_present(old) && !is_leaf(old, level)) {
        return 0;
    }
    phys = new_table(ept);
    if (!phys) {
        return -ENOMEM;
    }
    if (is_present(old)) {
        uint64_t *table = table_at(ept, phys);
        uint64_t piece = level - 1 == LEVEL_PAGE ? old & ~EPT_ENTRY_LARGE : old;

        for (unsigned i = 0; i < ENTRIES; i++) {
            table[i] = piece + i * entry_span(level - 1);
        }
    }
    set_entry(ept, entry, phys | EPT_PERMISSIONS);
    return 0;
}

/* True, and the large page's entry, if the table's entries are the pieces of one large page. */
static bool mergeable(const uint64_t *table, unsigned level, uint64_t *merged)
{
    const uint64_t used = EPT_ENTRY_ACCESSED | EPT_ENTRY_DIRTY;
    uint64_t first = table[0] & ~used;
    uint64_t seen = 0;

    if (!is_present(first) || !is_leaf(first, level) ||
        (first & EPT_ADDRESS_MASK) % entry_span(level + 1)) {
        return false;
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        if ((table[i] & ~used) != first + i * entry_span(level)) {
            return false;
        }
        seen |= table[i] & used;
    }
    *merged = first | seen | EPT_ENTRY_LARGE;
    return true;
}

static bool is_empty(const uint64_t *table)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (is_present(table[i])) {
            return false;
        }
    }
    return true;
}

/* After a change below: a table that says nothing, or no more than a large page would, goes. */
static void simplify(struct ept *ept, uint64_t *entry, unsigned level)
{
    const uint64_t *table = table_at(ept, *entry & EPT_ADDRESS_MASK);
    uint64_t merged;

    if (is_empty(table)) {
        replace_entry(ept, entry, 0, level);
    } else if (level_has_pages(ept, level) && mergeable(table, level - 1, &merged)) {
        replace_entry(ept, entry, merged, level);
    }
}

static int apply(struct ept *ept, uint64_t table_phys, unsigned level, const struct change *change);

/* Applies the change to one entry, of whose span it covers at least a part. */
static int apply_entry(struct ept *ept, uint64_t *entry, unsigned level,
                       const struct change *change)
{
    bool whole = change->end - change->start == entry_span(level);
    int error;

    if (!change->leaf && (whole || !is_present(*entry))) {
        replace_entry(ept, entry, 0, level);
        return 0;
    }
    if (change->leaf && whole && level_has_pages(ept, level) &&
        change->host % entry_span(level) == 0) {
        replace_entry(ept, entry,
                      change->host | change->leaf | (level == LEVEL_PAGE ? 0 : EPT_ENTRY_LARGE),
                      level);
        return 0;
    }
    error = make_table(ept, entry, level);
    if (error) {
        return error;
    }
    error = apply(ept, *entry & EPT_ADDRESS_MASK, level - 1, change);
    simplify(ept, entry, level);
    return error;
}

/* Goes on after an error: an unmap does as much as it can. */
static int apply(struct ept *ept, uint64_t table_phys, unsigned level, const struct change *change)
{
    uint64_t *table = table_at(ept, table_phys);
    uint64_t span = entry_span(level);
    struct change part = *change;
    int result = 0;

    while (part.start < change->end) {
        uint64_t next = (part.start | (span - 1)) + 1;
        int error;

        part.end = next < change->end ? next : change->end;
        error = apply_entry(ept, &table[entry_index(part.start, level)], level, &part);
        if (error) {
            result = error;
        }
        part.host += part.end - part.start;
        part.start = part.end;
    }
    return result;
}

static bool valid_range(uint64_t start, uint64_t size, unsigned bits)
{
    uint64_t limit = UINT64_C(1) << bits;

    return start % PAGE_SIZE == 0 && size % PAGE_SIZE == 0 && start <= limit &&
           size <= limit - start;
}

int ept_init(struct ept *ept, const struct ept_tables *tables, bool large_2m, bool large_1g,
             bool accessed_dirty)
{
    *ept = (struct ept){
        .tables = *tables,
        .large_2m = large_2m,
        .large_1g = large_1g,
        .accessed_dirty = accessed_dirty,
    };
    ept->root = new_table(ept);
    return ept->root ? 0 : -ENOMEM;
}

void ept_destroy(struct ept *ept)
{
    free_tables(ept, ept->root, TOP_LEVEL);
    ept->root = 0;
}

uint64_t ept_pointer(const struct ept *ept)
{
    return ept->root | EPTP_TYPE_WRITE_BACK | (TOP_LEVEL << EPTP_WALK_SHIFT) |
           (ept->accessed_dirty ? EPTP_ACCESSED_DIRTY : 0);
}

int ept_map(struct ept *ept, uint64_t guest_phys, uint64_t host_phys, uint64_t size, unsigned prot,
            enum virt_memory_type type)
{
    struct change change = {.start = guest_phys, .end = guest_phys + size, .host = host_phys};
    int error;

    if (!valid_range(guest_phys, size, EPT_ADDRESS_BITS) || !valid_range(host_phys, size, 52) ||
        !(prot & VIRT_PROT_READ) || (prot & ~VIRT_PROT_ALL)) {
        return -EINVAL;
    }
    change.leaf = EPT_ENTRY_READ | (prot & VIRT_PROT_WRITE ? EPT_ENTRY_WRITE : 0) |
                  (prot & VIRT_PROT_EXEC ? EPT_ENTRY_EXECUTE : 0) |
                  (type == VIRT_MEMORY_WRITE_BACK ? EPT_MEMORY_WRITE_BACK : EPT_MEMORY_UNCACHED);
    error = apply(ept, ept->root, TOP_LEVEL, &change);
    invalidate(ept);
    return error;
}

int ept_unmap(struct ept *ept, uint64_t guest_phys, uint64_t size)
{
    const struct change change = {.start = guest_phys, .end = guest_phys + size};
    int error;

    if (!valid_range(guest_phys, size, EPT_ADDRESS_BITS)) {
        return -EINVAL;
    }
    error = apply(ept, ept->root, TOP_LEVEL, &change);
    invalidate(ept);
    return error;
}

bool ept_lookup(const struct ept *ept, uint64_t guest_phys, struct ept_mapping *mapping)
{
    uint64_t table = ept->root;

    if (guest_phys >> EPT_ADDRESS_BITS) {
        return false;
    }
    for (unsigned level = TOP_LEVEL;; level--) {
        uint64_t entry = table_at(ept, table)[entry_index(guest_phys, level)];
        uint64_t offset = guest_phys & (entry_span(level) - 1);

        if (!is_present(entry)) {
            return false;
        }
        if (is_leaf(entry, level)) {
            *mapping = (struct ept_mapping){
                .host_phys = (entry & EPT_ADDRESS_MASK & ~(entry_span(level) - 1)) + offset,
                .page_size = entry_span(level),
                .entry = entry,
            };
            return true;
        }
        table = entry & EPT_ADDRESS_MASK;
    }
}
