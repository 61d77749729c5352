#include "guest/loader/boot_state.h"

#include <errno.h>
#include <string.h>

#include "guest/layout.h"
#include "kernel/cpu/x86_defs.h"

#define CODE_ATTRIBUTES (0xbu | SEGMENT_S | SEGMENT_P | SEGMENT_G) /* execute, read, accessed */
#define DATA_ATTRIBUTES (0x3u | SEGMENT_S | SEGMENT_P | SEGMENT_G | SEGMENT_DB)
#define TSS_ATTRIBUTES  (0xbu | SEGMENT_P) /* busy, 32 or 64 bits by mode */
#define TSS_LIMIT       0x67u

#define PAGE_PRESENT 0x01u
#define PAGE_WRITE   0x02u
#define PAGE_LARGE   0x80u
#define PAGE_SIZE    UINT64_C(0x1000)
#define ENTRIES      UINT64_C(512)

/* The descriptor (SDM vol. 3, 3.4.5) of a flat segment: base 0, limit 4 GiB. */
static uint64_t flat_descriptor(uint32_t attributes)
{
    return UINT64_C(0x000f00000000ffff) | (uint64_t)attributes << 40;
}

static int set_flat_state(struct guest_memory *memory, uint32_t code_attributes,
                          struct boot_state *state)
{
    const uint64_t gdt[] = {0, 0, flat_descriptor(code_attributes),
                            flat_descriptor(DATA_ATTRIBUTES)};

    memset(state, 0, sizeof(*state));
    for (unsigned i = 0; i < SEGMENT_COUNT; i++) {
        state->segments[i] = (struct virt_segment_state){
            .selector = BOOT_DS, .attributes = DATA_ATTRIBUTES, .limit = UINT32_MAX};
    }
    state->segments[SEGMENT_CS].selector = BOOT_CS;
    state->segments[SEGMENT_CS].attributes = code_attributes;
    state->segments[SEGMENT_LDTR] = (struct virt_segment_state){.attributes = SEGMENT_UNUSABLE};
    state->segments[SEGMENT_TR] =
        (struct virt_segment_state){.attributes = TSS_ATTRIBUTES, .limit = TSS_LIMIT};
    state->gdtr = (struct virt_table_state){.base = LAYOUT_GDT, .limit = sizeof(gdt) - 1};
    state->rflags = RFLAGS_FIXED1;
    return guest_memory_write(memory, LAYOUT_GDT, gdt, sizeof(gdt));
}

int boot_state_protected(struct guest_memory *memory, uint32_t rip, struct boot_state *state)
{
    int error = set_flat_state(memory, CODE_ATTRIBUTES | SEGMENT_DB, state);

    state->rip = rip;
    state->cr0 = CR0_PE | CR0_ET;
    return error;
}

/* One PML4, one PDPT, four page directories with 2 MiB pages, in this order. */
static int write_page_tables(struct guest_memory *memory)
{
    const uint64_t flags = PAGE_PRESENT | PAGE_WRITE;
    uint64_t *tables = guest_memory_pointer(memory, LAYOUT_PAGE_TABLES, 6 * PAGE_SIZE);

    if (tables == NULL) {
        return -EFAULT;
    }
    uint64_t *pdpt = tables + ENTRIES;
    uint64_t *directories = pdpt + ENTRIES;
    tables[0] = (LAYOUT_PAGE_TABLES + PAGE_SIZE) | flags;
    for (uint64_t i = 0; i < 4; i++) {
        pdpt[i] = (LAYOUT_PAGE_TABLES + (2 + i) * PAGE_SIZE) | flags;
    }
    for (uint64_t i = 0; i < 4 * ENTRIES; i++) {
        directories[i] = i * 0x200000 | flags | PAGE_LARGE;
    }
    return 0;
}

int boot_state_long(struct guest_memory *memory, uint64_t rip, struct boot_state *state)
{
    int error = set_flat_state(memory, CODE_ATTRIBUTES | SEGMENT_L, state);

    state->rip = rip;
    state->cr0 = CR0_PE | CR0_ET | CR0_PG;
    state->cr3 = LAYOUT_PAGE_TABLES;
    state->cr4 = CR4_PAE;
    state->efer = EFER_LME | EFER_LMA;
    return error != 0 ? error : write_page_tables(memory);
}

int boot_bios_data(struct guest_memory *memory)
{
    /* From 0x400: COM1 .. COM4, LPT1 .. LPT3, EBDA segment, equipment word, a byte of its own, then
     * base memory in KiB. */
    const uint8_t data[] = {0xf8,
                            0x03,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            (LAYOUT_EBDA >> 4) & 0xff,
                            LAYOUT_EBDA >> 12,
                            0x00,
                            0x02 /* one serial port */,
                            0,
                            (LAYOUT_EBDA >> 10) & 0xff,
                            LAYOUT_EBDA >> 18};
    const uint8_t ebda_kib = (LAYOUT_BASE_MEMORY_END - LAYOUT_EBDA) >> 10;
    int error = guest_memory_write(memory, LAYOUT_BIOS_DATA, data, sizeof(data));

    return error != 0 ? error : guest_memory_write(memory, LAYOUT_EBDA, &ebda_kib, 1);
}
