/*
 * A guest's memory as its instructions see it: by segment and linear address, on RAM and devices
 * alike, page by page, with the faults the CPU would raise. What the instruction emulator, string
 * I/O and task switches share.
 */
#ifndef GUEST_EMULATE_LINEAR_H
#define GUEST_EMULATE_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/bus.h"
#include "guest/emulate/code_cache.h"
#include "guest/emulate/decode.h"
#include "guest/emulate/page_walk.h"
#include "guest/memory.h"
#include "kernel/cpu/x86_defs.h"
#include "virt/vcpu.h"

/* An exception that the guest has to get instead of the instruction's effect. */
struct emulate_fault {
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
    uint64_t address; /* #PF: goes to CR2 */
};

struct emulate_context {
    /* Set once per vCPU. */
    struct virt_vcpu *vcpu;
    struct guest_memory *memory;
    struct mmio_bus *mmio;
    uint8_t physical_bits; /* the guest's MAXPHYADDR */
    /* What devices asked the VM for, or NULL. Any bit ends a string transfer early; with the bits
     * of `retry_request` the device did not take the last element, which is transferred again when
     * the guest is entered next. */
    const unsigned *requests;
    unsigned retry_request;

    /* Set before each call of emulate_instruction: what the exit told about the access, so that
     * it need not be translated again. All false when nothing is known. */
    bool guest_phys_valid;
    bool guest_linear_valid;
    uint64_t guest_phys;
    uint64_t guest_linear;

    /* Given back. */
    struct emulate_fault fault;         /* after EMULATE_FAULT */
    uint8_t bytes[INSTRUCTION_MAX + 1]; /* after EMULATE_UNDECODABLE */
    uint8_t byte_count;                 /* of bytes, as far as they could be fetched */

    /* The emulator's own. */
    struct virt_mode mode; /* read from the vCPU when an instruction is not in the cache */
    struct instruction decoded;
    struct code_cache_entry code_cache[CODE_CACHE_SIZE];
};

/* A memory operand of up to 8 bytes after translation: it may lie on two pages. */
struct linear_operand {
    uint64_t guest_phys;
    uint64_t second_phys; /* of the part beyond `first_size` */
    uint8_t size;         /* 1, 2, 4 or 8 */
    uint8_t first_size;   /* bytes on the first page */
};

/** 16, 32 or 64, from the code segment and EFER.LMA. */
static inline enum cpu_bits linear_cpu_bits(const struct virt_mode *mode)
{
    if ((mode->efer & EFER_LMA) != 0 && (mode->cs_attributes & SEGMENT_L) != 0) {
        return CPU_64_BIT;
    }
    return (mode->cs_attributes & SEGMENT_DB) != 0 ? CPU_32_BIT : CPU_16_BIT;
}

/**
 * Linear address of `offset` in a segment, checked as the CPU does (SDM vol. 3, 5.3, and vol. 1,
 * 3.3.7.1): canonical form in 64-bit mode; otherwise limit, type and usability.
 * False: context->fault is set (#GP or #SS).
 */
bool linear_address(struct emulate_context *context, enum virt_segment segment, uint64_t offset,
                    unsigned size, bool write, uint64_t *linear);

/**
 * Translates [linear, +size), all pages of it, before anything is accessed. `access`: PAGE_ACCESS_
 * bits without PAGE_ACCESS_USER, which follows from CPL unless PAGE_ACCESS_IMPLICIT is set.
 * False: context->fault is set (#PF).
 */
bool linear_resolve(struct emulate_context *context, uint64_t linear, unsigned size,
                    uint32_t access, struct linear_operand *operand);

/** Reads, zero-extended, or writes an operand: a device if one claims the address, else RAM, else
 * the empty bus (ones; nothing). */
uint64_t linear_operand_read(struct emulate_context *context, const struct linear_operand *operand);
void linear_operand_write(struct emulate_context *context, const struct linear_operand *operand,
                          uint64_t value);

/** Copies any number of bytes at a linear address; false: context->fault is set, and bytes before
 * the faulting page may have been copied. `access` as for linear_resolve. context->mode must be
 * valid. */
bool linear_read(struct emulate_context *context, uint64_t linear, void *to, size_t length,
                 uint32_t access);
bool linear_write(struct emulate_context *context, uint64_t linear, const void *from, size_t length,
                  uint32_t access);

#endif
