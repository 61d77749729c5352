#include "guest/emulate/page_walk.h"

#include <stddef.h>

#include "kernel/cpu/x86_defs.h"

#define ENTRY_PRESENT  (UINT64_C(1) << 0)
#define ENTRY_WRITE    (UINT64_C(1) << 1)
#define ENTRY_USER     (UINT64_C(1) << 2)
#define ENTRY_ACCESSED (UINT64_C(1) << 5)
#define ENTRY_DIRTY    (UINT64_C(1) << 6)
#define ENTRY_LARGE    (UINT64_C(1) << 7)
#define ENTRY_NX       (UINT64_C(1) << 63)

#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)

#define PAGE_SHIFT  12
#define LARGE_SHIFT 21 /* of a leaf in a page directory, 8-byte entries */
#define HUGE_SHIFT  30
#define TOP_SHIFT   39 /* of the PML4 */

/* Bits that must be clear in a PDPTE of PAE paging, beside those above MAXPHYADDR. */
#define PAE_PDPTE_RESERVED UINT64_C(0x1e6)

struct walk {
    struct guest_memory *memory;
    /* The block of RAM that held the last entry: tables tend to lie close together. */
    uint64_t block_start;
    uint8_t *block;
    /* The entries used that have accessed flags, the last one the leaf: A and D are in the low
     * halves of both entry sizes. */
    uint32_t *entries[PAGE_WALK_LEVELS_MAX];
    uint32_t values[PAGE_WALK_LEVELS_MAX];
    unsigned count;
    const uint64_t *pdpte; /* the one of PAE paging, which has no such flags */
    uint64_t granted;      /* AND of the entries: what all of them allow */
    uint64_t denied;       /* OR of the entries: NX */
    uint64_t guest_phys;
};

enum walk_end { WALK_LEAF, WALK_NOT_PRESENT, WALK_RESERVED };

/* Where the paging-structure entry at `address` can be reached, NULL if there is no RAM. */
static inline void *entry_pointer(struct walk *walk, uint64_t address)
{
    if (walk->block == NULL || address - walk->block_start >= GUEST_BLOCK_SIZE) {
        struct guest_block *block = guest_memory_block(walk->memory, address, &walk->block_start);
        walk->block = block != NULL ? block->host : NULL;
        if (block == NULL) {
            return NULL;
        }
    }
    return walk->block + (address - walk->block_start);
}

static inline void use_entry(struct walk *walk, uint32_t *pointer, uint64_t entry)
{
    walk->granted &= entry;
    walk->denied |= entry;
    walk->entries[walk->count] = pointer;
    walk->values[walk->count] = (uint32_t)entry;
    walk->count++;
}

/* 4-level and PAE paging: SDM vol. 3, 4.5 and 4.4. */
static inline enum walk_end walk_wide(struct walk *walk, const struct virt_mode *mode,
                                      unsigned physical_bits, uint64_t linear)
{
    bool pae = (mode->efer & EFER_LMA) == 0;
    uint64_t reserved = ENTRY_ADDRESS & ~((UINT64_C(1) << physical_bits) - 1);
    uint64_t table = mode->cr3 & ENTRY_ADDRESS;
    unsigned shift = TOP_SHIFT;

    if ((mode->efer & EFER_NXE) == 0) {
        reserved |= ENTRY_NX;
    }
    if (pae) {
        uint64_t *pointer =
            entry_pointer(walk, (mode->cr3 & UINT64_C(0xffffffe0)) | ((linear >> 27) & 0x18));
        uint64_t entry =
            pointer != NULL ? __atomic_load_n(pointer, __ATOMIC_RELAXED) : ~UINT64_C(0);

        if ((entry & ENTRY_PRESENT) == 0) {
            return WALK_NOT_PRESENT;
        }
        reserved |= UINT64_C(0x7ff) << 52;
        if ((entry & (reserved | ENTRY_NX | PAE_PDPTE_RESERVED)) != 0) {
            return WALK_RESERVED;
        }
        walk->pdpte = pointer;
        table = entry & ENTRY_ADDRESS;
        shift = LARGE_SHIFT;
    }
    for (;;) {
        uint64_t *pointer = entry_pointer(walk, table | (((linear >> shift) & 0x1ff) << 3));
        uint64_t entry =
            pointer != NULL ? __atomic_load_n(pointer, __ATOMIC_RELAXED) : ~UINT64_C(0);

        if ((entry & ENTRY_PRESENT) == 0) {
            return WALK_NOT_PRESENT;
        }
        if ((entry & reserved) != 0) {
            return WALK_RESERVED;
        }
        use_entry(walk, (uint32_t *)pointer, entry);
        table = entry & ENTRY_ADDRESS;
        if (shift == PAGE_SHIFT) {
            break;
        }
        if ((entry & ENTRY_LARGE) != 0) {
            /* Bit 12 is the PAT bit of a large page; the rest below its size is reserved. */
            uint64_t below = (UINT64_C(1) << shift) - 1;

            if (shift == TOP_SHIFT || (table & below & ~(UINT64_C(1) << 12)) != 0) {
                return WALK_RESERVED;
            }
            table &= ~below;
            break;
        }
        shift -= 9;
    }
    walk->guest_phys = table | (linear & ((UINT64_C(1) << shift) - 1));
    return WALK_LEAF;
}

/* 32-bit paging with 4-byte entries and 4 MiB pages: SDM vol. 3, 4.3. */
static enum walk_end walk_narrow(struct walk *walk, const struct virt_mode *mode,
                                 unsigned physical_bits, uint64_t linear)
{
    uint64_t table = mode->cr3 & UINT64_C(0xfffff000);
    unsigned pse_bits = physical_bits < 40 ? physical_bits : 40;

    for (unsigned shift = 22;; shift = PAGE_SHIFT) {
        uint32_t *pointer = entry_pointer(walk, table | (((linear >> shift) & 0x3ff) << 2));
        uint32_t entry = pointer != NULL ? __atomic_load_n(pointer, __ATOMIC_RELAXED) : ~0u;

        if ((entry & ENTRY_PRESENT) == 0) {
            return WALK_NOT_PRESENT;
        }
        use_entry(walk, pointer, entry);
        table = entry & 0xfffff000u;
        if (shift == PAGE_SHIFT) {
            walk->guest_phys = table | (linear & 0xfff);
            return WALK_LEAF;
        }
        if ((entry & ENTRY_LARGE) != 0 && (mode->cr4 & CR4_PSE) != 0) {
            /* Bits 20:13 are address bits 39:32, as far as the CPU has them (PSE-36). */
            uint32_t reserved = 0x3fffffu & ~((1u << (pse_bits - 19)) - 1);

            if ((entry & reserved) != 0) {
                return WALK_RESERVED;
            }
            walk->guest_phys =
                (entry & 0xffc00000u) | (uint64_t)(entry & 0x1fe000u) << 19 | (linear & 0x3fffff);
            return WALK_LEAF;
        }
    }
}

/* May an access use a page whose entries grant and deny this (SDM vol. 3, 4.6)? */
static inline bool permitted(const struct virt_mode *mode, const struct walk *walk, uint32_t access)
{
    bool user_page = (walk->granted & ENTRY_USER) != 0;
    bool writable = (walk->granted & ENTRY_WRITE) != 0;

    if ((access & PAGE_ACCESS_USER) != 0) {
        if (!user_page || ((access & PAGE_ACCESS_WRITE) != 0 && !writable)) {
            return false;
        }
    } else {
        if ((access & PAGE_ACCESS_WRITE) != 0 && !writable && (mode->cr0 & CR0_WP) != 0) {
            return false;
        }
        if (user_page && (mode->cr4 & (CR4_SMEP | CR4_SMAP)) != 0) {
            if ((access & PAGE_ACCESS_FETCH) != 0) {
                if ((mode->cr4 & CR4_SMEP) != 0) {
                    return false;
                }
            } else if ((mode->cr4 & CR4_SMAP) != 0 &&
                       ((access & PAGE_ACCESS_IMPLICIT) != 0 || (mode->rflags & RFLAGS_AC) == 0)) {
                return false;
            }
        }
    }
    return (access & PAGE_ACCESS_FETCH) == 0 || (walk->denied & ENTRY_NX) == 0;
}

/* Sets the flags in the entries as they were seen; false when the guest has changed one since, so
 * that the walk has to be done again. */
static __attribute__((noinline)) bool set_flags(struct walk *walk, bool dirty)
{
    for (unsigned i = 0; i < walk->count; i++) {
        uint32_t wanted = walk->values[i] | (uint32_t)ENTRY_ACCESSED;

        if (dirty && i + 1 == walk->count) {
            wanted |= (uint32_t)ENTRY_DIRTY;
        }
        /* An entry that reads as ones because it lies outside RAM has both already. */
        if (wanted != walk->values[i] &&
            !__atomic_compare_exchange_n(walk->entries[i], &walk->values[i], wanted, false,
                                         __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            return false;
        }
    }
    return true;
}

/* An entry is an aligned part of an aligned word, so that two words never tell of one entry. */
static void add_to_trace(struct page_walk_trace *trace, const void *entry)
{
    const uint64_t *word = (const uint64_t *)((uintptr_t)entry & ~(uintptr_t)7);

    if (entry == NULL) {
        trace->complete = false;
        return;
    }
    trace->words[trace->count] = word;
    trace->values[trace->count] = __atomic_load_n(word, __ATOMIC_RELAXED);
    trace->count++;
}

static void make_trace(const struct walk *walk, bool pae, struct page_walk_trace *trace)
{
    trace->complete = true;
    trace->user_page = (walk->granted & ENTRY_USER) != 0;
    trace->count = 0;
    if (pae) {
        add_to_trace(trace, walk->pdpte);
    }
    for (unsigned i = 0; i < walk->count; i++) {
        add_to_trace(trace, walk->entries[i]);
        if (trace->complete && *walk->entries[i] != walk->values[i]) {
            trace->complete = false;
        }
    }
}

static struct page_walk_result page_fault(const struct virt_mode *mode, uint32_t access,
                                          enum walk_end end)
{
    uint32_t error = access & (PF_WRITE | PF_USER);
    bool has_nx = (mode->cr4 & CR4_PAE) != 0 && (mode->efer & EFER_NXE) != 0;

    if ((access & PAGE_ACCESS_FETCH) != 0 && (has_nx || (mode->cr4 & CR4_SMEP) != 0)) {
        error |= PF_FETCH;
    }
    if (end != WALK_NOT_PRESENT) {
        error |= PF_PRESENT;
    }
    if (end == WALK_RESERVED) {
        error |= PF_RESERVED;
    }
    return (struct page_walk_result){.fault = true, .error_code = error};
}

struct page_walk_result page_walk_traced(struct guest_memory *memory, const struct virt_mode *mode,
                                         unsigned physical_bits, uint64_t linear, uint32_t access,
                                         struct page_walk_trace *trace)
{
    bool write = (access & PAGE_ACCESS_WRITE) != 0;
    bool wide = (mode->cr4 & CR4_PAE) != 0;
    struct walk walk;

    if ((mode->cr0 & CR0_PG) == 0) {
        if (trace != NULL) {
            *trace = (struct page_walk_trace){.complete = true};
        }
        return (struct page_walk_result){.guest_phys = linear & UINT32_MAX};
    }
    walk.memory = memory;
    walk.block = NULL;
    do {
        walk.count = 0;
        walk.granted = ~UINT64_C(0);
        walk.denied = 0;
        enum walk_end end = wide ? walk_wide(&walk, mode, physical_bits, linear)
                                 : walk_narrow(&walk, mode, physical_bits, linear);
        if (__builtin_expect(end != WALK_LEAF || !permitted(mode, &walk, access), 0)) {
            return page_fault(mode, access, end);
        }
    } while (__builtin_expect((walk.granted & ENTRY_ACCESSED) == 0 ||
                                  (write && (walk.values[walk.count - 1] & ENTRY_DIRTY) == 0),
                              0) &&
             !set_flags(&walk, write));
    if (trace != NULL) {
        make_trace(&walk, wide && (mode->efer & EFER_LMA) == 0, trace);
    }
    return (struct page_walk_result){.guest_phys = walk.guest_phys};
}

struct page_walk_result page_walk(struct guest_memory *memory, const struct virt_mode *mode,
                                  unsigned physical_bits, uint64_t linear, uint32_t access)
{
    return page_walk_traced(memory, mode, physical_bits, linear, access, NULL);
}
