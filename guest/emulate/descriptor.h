/*
 * Segment descriptors in a guest's GDT and LDT: reading them, and loading segment registers from
 * them as a task switch does (SDM vol. 3, 3.4.5 and 7.3).
 */
#ifndef GUEST_EMULATE_DESCRIPTOR_H
#define GUEST_EMULATE_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/emulate/linear.h"

#define SELECTOR_TABLE 4u /* in the LDT */
#define SELECTOR_RPL   3u

#define DESCRIPTOR_TYPE   (0xfu | SEGMENT_S)
#define DESCRIPTOR_BUSY   2u /* of a TSS */
#define DESCRIPTOR_TSS_16 1u
#define DESCRIPTOR_LDT    2u
#define DESCRIPTOR_TSS_32 9u

struct descriptor {
    uint64_t address; /* linear, of the descriptor itself */
    uint64_t base;
    uint32_t limit;
    uint32_t attributes; /* as struct virt_segment_state has them */
};

/* Access to the tables. context->mode must be valid; the tables are read as by the supervisor. */
struct descriptor_tables {
    struct emulate_context *context;
    struct virt_table_state gdtr;
    bool external; /* faults were not caused by an instruction: EXT in their error codes */
};

/** Sets context->fault to one that names a selector; returns false for the caller to return. */
bool descriptor_fault(struct descriptor_tables *tables, unsigned vector, uint16_t selector);

/** Reads the descriptor of a selector that is not null; false: context->fault is set, to `vector`
 * where there is no such descriptor. */
bool descriptor_read(struct descriptor_tables *tables, uint16_t selector, unsigned vector,
                     struct descriptor *descriptor);
/** Writes back the type, after attributes have been changed. */
bool descriptor_write_type(struct descriptor_tables *tables, const struct descriptor *descriptor);

/** Loads LDTR, or a segment register for a task that runs at `cpl`. False: context->fault is set
 * (#TS, #NP, #SS, #PF). */
bool descriptor_load_ldt(struct descriptor_tables *tables, uint16_t selector);
bool descriptor_load_segment(struct descriptor_tables *tables, enum virt_segment which,
                             uint16_t selector, unsigned cpl);

#endif
