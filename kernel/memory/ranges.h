/*
 * A set of physical addresses as a sorted list of disjoint ranges: how the free memory of the
 * machine is worked out from the boot loader's map, which may overlap itself.
 */
#ifndef KERNEL_MEMORY_RANGES_H
#define KERNEL_MEMORY_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#define RANGES_MAX 256u

struct phys_range {
    uint64_t base;
    uint64_t end; /* first address after it */
};

struct range_list {
    struct phys_range ranges[RANGES_MAX];
    unsigned count;
};

/** Adds [base, end), joined with what it touches. False, and nothing added, if the list is full. */
bool range_list_add(struct range_list *list, uint64_t base, uint64_t end);

/** Takes [base, end) out. If that would split a range and the list is full, the upper part is lost
 * too and the result is false. */
bool range_list_remove(struct range_list *list, uint64_t base, uint64_t end);

#endif
