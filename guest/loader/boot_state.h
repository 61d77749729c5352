/*
 * What every loader takes and gives: an image by name, and the state in which the first vCPU
 * starts. The state is plain data; whoever owns the vCPU applies it with virt->set_register and
 * friends.
 */
#ifndef GUEST_LOADER_BOOT_STATE_H
#define GUEST_LOADER_BOOT_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "guest/memory.h"
#include "virt/vcpu.h"

/* A file as the boot loader handed it over. It is read only, and cannot change while it is read. */
struct guest_image {
    const char *name;
    const void *data; /* NULL: there is none */
    uint64_t size;
};

/* Everything not listed stays as it is after RESET. */
struct boot_state {
    uint64_t gpr[GPR_COUNT]; /* gpr[GPR_RSP] is the stack pointer */
    uint64_t rip;
    uint64_t rflags;
    uint64_t cr0;
    uint64_t cr3;
    uint64_t cr4;
    uint64_t efer;
    struct virt_segment_state segments[SEGMENT_COUNT];
    struct virt_table_state gdtr;
    struct virt_table_state idtr;
};

/* Selectors that Linux's boot protocol demands (Documentation/x86/boot.rst); the others allow any.
 */
#define BOOT_CS 0x10u
#define BOOT_DS 0x18u

/** 32-bit protected mode, paging off, flat segments, interrupts off, entry at `rip`. Writes the GDT
 * that the segments come from to LAYOUT_GDT. 0 or -EFAULT (no RAM there). */
int boot_state_protected(struct guest_memory *memory, uint32_t rip, struct boot_state *state);

/** 64-bit mode with the first 4 GiB mapped one to one by page tables at LAYOUT_PAGE_TABLES, flat
 * segments (GDT at LAYOUT_GDT), interrupts off, entry at `rip`. 0 or -EFAULT. */
int boot_state_long(struct guest_memory *memory, uint64_t rip, struct boot_state *state);

/** Fills the BIOS data area as a PC's firmware would: COM1, EBDA segment, base memory. 0, -EFAULT.
 */
int boot_bios_data(struct guest_memory *memory);

#endif
