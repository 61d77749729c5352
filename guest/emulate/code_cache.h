/*
 * Drivers access their device with the same few instructions again and again. Each entry keeps one,
 * decoded, with all that its translation and its decoding depended on; that is compared in full at
 * each use, so that an entry is never stale and nobody has to invalidate it.
 */
#ifndef GUEST_EMULATE_CODE_CACHE_H
#define GUEST_EMULATE_CODE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/emulate/decode.h"
#include "guest/emulate/page_walk.h"
#include "virt/vcpu.h"

struct code_cache_entry {
    uint64_t linear;
    uint64_t cr3;
    uint64_t efer;
    uint32_t cs_attributes;
    uint8_t cpl;
    /* A simple move, of which virt_code_place says all that the outcome depends on: CR0 and CR4
     * have no say in it, and the CPL is in cs_attributes. */
    bool placed_move;
    uint64_t cr0;
    uint64_t cr4;
    uint64_t bytes[2]; /* the code */
    const void *code;  /* where it lies; NULL: entry is empty */
    /* The guest's page tables. What is less than PAGE_WALK_LEVELS_MAX is filled up with words that
     * are what they are, so that all are compared alike. */
    const uint64_t *words[PAGE_WALK_LEVELS_MAX];
    uint64_t values[PAGE_WALK_LEVELS_MAX];
    struct instruction instruction;
};

#define CODE_CACHE_SIZE 16

/** The one entry that may have what is at `linear`. */
static inline struct code_cache_entry *code_cache_slot(struct code_cache_entry *cache,
                                                       uint64_t linear)
{
    return &cache[(linear ^ (linear >> 4)) % CODE_CACHE_SIZE];
}

static inline uint64_t code_cache_word_change(const struct code_cache_entry *entry, unsigned level)
{
    return __atomic_load_n(entry->words[level], __ATOMIC_RELAXED) ^ entry->values[level];
}

_Static_assert(PAGE_WALK_LEVELS_MAX == 4, "all of them are looked at below");

/** Whether guest memory has the same translation and the same code as when the entry was made; for
 * entries that are not empty. */
static inline bool code_cache_unchanged(const struct code_cache_entry *entry)
{
    uint64_t bytes[2];

    /* Unaligned loads, which a plain assignment may not be. */
    __builtin_memcpy(bytes, entry->code, sizeof(bytes));
    return (code_cache_word_change(entry, 0) | code_cache_word_change(entry, 1) |
            code_cache_word_change(entry, 2) | code_cache_word_change(entry, 3) |
            (bytes[0] ^ entry->bytes[0]) | (bytes[1] ^ entry->bytes[1])) == 0;
}

/** Whether the entry is the simple move that a fetch at `place` and its decoding would find. */
static inline bool code_cache_has_move(const struct code_cache_entry *entry,
                                       const struct virt_code_place *place)
{
    return ((entry->linear ^ place->rip) | (entry->cr3 ^ place->cr3) | (entry->efer ^ place->efer) |
            (entry->cs_attributes ^ place->cs_attributes)) == 0 &&
           entry->placed_move && code_cache_unchanged(entry);
}

/** Whether the entry is what a fetch at `linear` in that mode and its decoding would find. */
static inline bool code_cache_hit(const struct code_cache_entry *entry,
                                  const struct virt_mode *mode, uint64_t linear)
{
    return ((entry->linear ^ linear) | (entry->cr0 ^ mode->cr0) | (entry->cr3 ^ mode->cr3) |
            (entry->cr4 ^ mode->cr4) | (entry->efer ^ mode->efer) |
            (entry->cs_attributes ^ mode->cs_attributes) | (uint64_t)(entry->cpl ^ mode->cpl)) ==
               0 &&
           entry->code != NULL && code_cache_unchanged(entry);
}

#endif
