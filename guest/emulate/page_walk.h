/*
 * A guest's own page tables: from linear to guest-physical address, with the checks and the
 * accessed and dirty flags of the CPU (SDM vol. 3, ch. 4). Modes: no paging, 32-bit, PAE, 4-level.
 * 5-level paging, protection keys and shadow stacks are withheld from guests.
 */
#ifndef GUEST_EMULATE_PAGE_WALK_H
#define GUEST_EMULATE_PAGE_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/memory.h"
#include "virt/vcpu.h"

/* What an access wants; the first three have the bits of the #PF error code. None set: a read by
 * the supervisor. */
#define PAGE_ACCESS_WRITE (1u << 1)
#define PAGE_ACCESS_USER  (1u << 2) /* CPL 3, and not one of the CPU's own accesses */
#define PAGE_ACCESS_FETCH (1u << 4)
/* To a system structure (GDT, TSS, ...): RFLAGS.AC does not suspend SMAP (SDM vol. 3, 4.6). */
#define PAGE_ACCESS_IMPLICIT (1u << 31)

struct page_walk_result {
    uint64_t guest_phys; /* valid unless fault */
    uint32_t error_code; /* of the #PF, if fault */
    bool fault;
};

/**
 * Translates one linear address. Uses mode's cr0, cr3, cr4, efer and rflags; `physical_bits` is the
 * guest's MAXPHYADDR (32-52). On success accessed and, for writes, dirty flags are set; on a fault
 * memory is as it was. Whether `linear` is canonical is the caller's to check. A paging structure
 * outside RAM reads as all ones.
 */
struct page_walk_result page_walk(struct guest_memory *memory, const struct virt_mode *mode,
                                  unsigned physical_bits, uint64_t linear, uint32_t access);

#define PAGE_WALK_LEVELS_MAX 4

/* The entries that led to a result: as long as they hold these values, and the mode and the access
 * are the same, a new walk would end alike. */
struct page_walk_trace {
    bool complete;  /* false: flags were set on the way, or an entry lies outside RAM */
    bool user_page; /* CPL 3 may use it; false without paging */
    unsigned count;
    const uint64_t *words[PAGE_WALK_LEVELS_MAX]; /* the aligned 8 bytes with the entry */
    uint64_t values[PAGE_WALK_LEVELS_MAX];
};

/** As page_walk, and tells which entries it used. `trace` is set on success only. */
struct page_walk_result page_walk_traced(struct guest_memory *memory, const struct virt_mode *mode,
                                         unsigned physical_bits, uint64_t linear, uint32_t access,
                                         struct page_walk_trace *trace);

#endif
