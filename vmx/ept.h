/*
 * Extended page tables (SDM vol. 3, 29.3): builds and changes the tables that translate a guest's
 * physical addresses. Pure: where table frames come from, how they are reached and how CPUs are
 * made to forget old translations is given from outside.
 */
#ifndef VMX_EPT_H
#define VMX_EPT_H

#include <stdbool.h>
#include <stdint.h>

#include "virt/vcpu.h"

/* Guest-physical addresses of a walk of four levels. */
#define EPT_ADDRESS_BITS 48

/* Entry bits (tables 29-1 to 29-7). */
#define EPT_ENTRY_READ        (UINT64_C(1) << 0)
#define EPT_ENTRY_WRITE       (UINT64_C(1) << 1)
#define EPT_ENTRY_EXECUTE     (UINT64_C(1) << 2)
#define EPT_PERMISSIONS       (EPT_ENTRY_READ | EPT_ENTRY_WRITE | EPT_ENTRY_EXECUTE)
#define EPT_MEMORY_TYPE_SHIFT 3
#define EPT_MEMORY_TYPE_MASK  (UINT64_C(7) << 3)
#define EPT_MEMORY_UNCACHED   (UINT64_C(0) << 3)
#define EPT_MEMORY_WRITE_BACK (UINT64_C(6) << 3)
#define EPT_ENTRY_LARGE       (UINT64_C(1) << 7)
#define EPT_ENTRY_ACCESSED    (UINT64_C(1) << 8)
#define EPT_ENTRY_DIRTY       (UINT64_C(1) << 9)
#define EPT_ADDRESS_MASK      UINT64_C(0x000ffffffffff000)

struct ept_tables {
    /** Physical address of a 4 KiB frame, 0 when there is none; need not be cleared. */
    uint64_t (*alloc)(void *context);
    void (*free)(void *context, uint64_t phys);
    /** Address by which a table frame is reached. */
    uint64_t *(*map)(void *context, uint64_t phys);
    /** Every CPU must forget what it knows of these tables before this returns. Called after an
     * entry that a CPU may have cached was changed, and before any table is freed. */
    void (*invalidate)(void *context);
    void *context;
};

struct ept {
    struct ept_tables tables;
    uint64_t root;        /* physical address of the top table */
    bool large_2m;        /* the CPU knows 2 MiB pages */
    bool large_1g;        /* and 1 GiB pages */
    bool accessed_dirty;  /* the CPU keeps accessed and dirty bits */
    bool stale;           /* an entry that may be cached was changed: invalidate */
    uint64_t table_count; /* frames in use, the root too */
};

/** An empty address space. 0 or -ENOMEM. */
int ept_init(struct ept *ept, const struct ept_tables *tables, bool large_2m, bool large_1g,
             bool accessed_dirty);
/** Frees all tables. No CPU may use them any more. */
void ept_destroy(struct ept *ept);

/** The EPT pointer (25.6.11) for the VMCS. */
uint64_t ept_pointer(const struct ept *ept);

/**
 * Maps as virt_space_ops.map says: largest pages possible, what was there is replaced; a table
 * that comes to say the same as one large page becomes one. `prot` 0 is -EINVAL, as is write
 * without read (27.3.3.1: a misconfiguration). After -ENOMEM, any part of the range may be mapped,
 * the new or the old way.
 */
int ept_map(struct ept *ept, uint64_t guest_phys, uint64_t host_phys, uint64_t size, unsigned prot,
            enum virt_memory_type type);

/** Unmaps; tables that become empty are freed. 0, -EINVAL, or -ENOMEM when a large page had to be
 *  split and could not be: then that page is still mapped whole, the rest of the range is not. */
int ept_unmap(struct ept *ept, uint64_t guest_phys, uint64_t size);

struct ept_mapping {
    uint64_t host_phys; /* of the very address asked for */
    uint64_t page_size; /* 4 KiB, 2 MiB or 1 GiB */
    uint64_t entry;     /* the leaf entry as it is in the table */
};

/** Looks an address up; false if nothing is mapped there. */
bool ept_lookup(const struct ept *ept, uint64_t guest_phys, struct ept_mapping *mapping);

#endif
