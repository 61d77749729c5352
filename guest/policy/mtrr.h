/*
 * The memory type range registers of a vCPU (SDM vol. 3, 12.11): kept and checked, as a guest
 * expects to find them. They have no effect: memory types come from the nested page tables.
 */
#ifndef GUEST_POLICY_MTRR_H
#define GUEST_POLICY_MTRR_H

#include <stdbool.h>
#include <stdint.h>

#define MTRR_VARIABLE_COUNT 8u
#define MTRR_FIXED_COUNT    11u

struct mtrrs {
    uint64_t address_mask; /* bits of a physical address from 12 up */
    uint64_t def_type;
    uint64_t fixed[MTRR_FIXED_COUNT];
    uint64_t base[MTRR_VARIABLE_COUNT];
    uint64_t mask[MTRR_VARIABLE_COUNT];
};

/** As firmware leaves them: everything write-back, but uncached the devices below 4 GiB and the
 * legacy video area. */
void mtrrs_init(struct mtrrs *mtrrs, unsigned physical_bits);
/** Whether `index` is one of them: MTRRCAP, the ranges' and the default type's. */
bool mtrr_is(uint32_t index);
/** The index must be one of them. */
uint64_t mtrr_read(const struct mtrrs *mtrrs, uint32_t index);
/** False when the value is not allowed, or the register read-only: #GP. */
bool mtrr_write(struct mtrrs *mtrrs, uint32_t index, uint64_t value);

/** True if `type` is one that MTRRs know: UC, WC, WT, WP, WB. */
bool mtrr_type_valid(uint8_t type);

#endif
