#include "kernel/memory/frames.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kernel/boot/boot.h"
#include "kernel/boot/boot_info.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/log.h"
#include "kernel/memory/buddy.h"
#include "kernel/memory/paging.h"
#include "kernel/memory/ranges.h"
#include "kernel/panic.h"
#include "kernel/symbols.h"

/* Real-mode structures, firmware data and start-up code for other CPUs live below. */
#define LOW_MEMORY_END UINT64_C(0x100000)
/* What the first page tables reach: memory above is added when the final ones are there. */
#define EARLY_MAP_END (UINT64_C(4) << 30)

static struct buddy buddy;
static struct range_list free_ranges;
static struct spinlock lock;
static uint64_t low_frame;

static void keep_out(uint64_t base, uint64_t size)
{
    uint64_t end = base + size < base ? UINT64_MAX : base + size;

    /* Whole frames: what lies beside it in the same frame stays out too. */
    base &= ~(uint64_t)(FRAME_SIZE - 1);
    end =
        end > UINT64_MAX - FRAME_SIZE ? end : (end + FRAME_SIZE - 1) & ~(uint64_t)(FRAME_SIZE - 1);
    if (!range_list_remove(&free_ranges, base, end)) {
        log_warn("memory: the map has too many pieces; memory from 0x%lx up is left unused", end);
    }
}

/* The highest whole frame below 1 MiB that is free, but for the first: real-mode vectors lie there.
 */
static void choose_low_frame(void)
{
    for (unsigned i = 0; i < free_ranges.count && free_ranges.ranges[i].base < LOW_MEMORY_END;
         i++) {
        uint64_t end = free_ranges.ranges[i].end;
        uint64_t frame;

        end = end < LOW_MEMORY_END ? end : LOW_MEMORY_END;
        frame = (end & ~(uint64_t)(FRAME_SIZE - 1)) - FRAME_SIZE;
        if (end >= UINT64_C(2) * FRAME_SIZE && frame >= free_ranges.ranges[i].base) {
            low_frame = frame;
        }
    }
}

/* All RAM, less everything else that the map lists, less what is in use. */
static void collect_free_ranges(const struct boot_info *boot)
{
    const struct elf_section *sections = boot->elf_sections;

    for (unsigned i = 0; i < boot->memory_count; i++) {
        const struct boot_memory_range *range = &boot->memory[i];

        if (range->kind == BOOT_MEMORY_RAM && range->base < DIRECT_MAP_SIZE) {
            uint64_t end = range->size > DIRECT_MAP_SIZE - range->base ? DIRECT_MAP_SIZE
                                                                       : range->base + range->size;

            if (!range_list_add(&free_ranges, range->base, end)) {
                log_warn("memory: the map has too many pieces; RAM at 0x%lx is left unused",
                         range->base);
            }
        }
    }
    for (unsigned i = 0; i < boot->memory_count; i++) {
        if (boot->memory[i].kind != BOOT_MEMORY_RAM) {
            keep_out(boot->memory[i].base, boot->memory[i].size);
        }
    }
    keep_out(kernel_image_phys, (uint64_t)(image_end - image_start));
    for (unsigned i = 0; i < boot->module_count; i++) {
        keep_out(boot->modules[i].phys, boot->modules[i].size);
    }
    for (unsigned i = 0; i < boot->elf_section_count; i++) {
        if ((sections[i].flags & ELF_SECTION_ALLOC) == 0 && sections[i].address != 0) {
            keep_out(sections[i].address, sections[i].size);
        }
    }
    if (boot->framebuffer.phys != 0) {
        keep_out(boot->framebuffer.phys,
                 (uint64_t)boot->framebuffer.pitch * boot->framebuffer.height);
    }
    choose_low_frame();
    keep_out(0, LOW_MEMORY_END);
}

/* Takes `size` bytes out of the free ranges for good. */
static uint64_t carve(uint64_t size)
{
    for (unsigned i = 0; i < free_ranges.count; i++) {
        uint64_t base = (free_ranges.ranges[i].base + FRAME_SIZE - 1) & ~(uint64_t)(FRAME_SIZE - 1);
        uint64_t end = free_ranges.ranges[i].end;

        end = end < EARLY_MAP_END ? end : EARLY_MAP_END;
        if (base < end && end - base >= size) {
            keep_out(base, size);
            return base;
        }
    }
    panic("memory: no %lu KiB in one piece below 4 GiB for the frame allocator", size >> 10);
}

void frames_init(void)
{
    uint64_t frame_count;
    uint8_t *state;

    collect_free_ranges(boot_info());
    if (free_ranges.count == 0) {
        panic("memory: the boot loader lists no usable RAM above 1 MiB");
    }
    frame_count = free_ranges.ranges[free_ranges.count - 1].end / FRAME_SIZE;
    state = phys_to_virt(carve(frame_count));
    memset(state, 0, frame_count);
    buddy_init(&buddy, state, frame_count, phys_to_virt(0));
    for (unsigned i = 0; i < free_ranges.count && free_ranges.ranges[i].base < EARLY_MAP_END; i++) {
        const struct phys_range *range = &free_ranges.ranges[i];

        buddy_add(&buddy, range->base, range->end < EARLY_MAP_END ? range->end : EARLY_MAP_END);
    }
}

void frames_add_high(void)
{
    for (unsigned i = 0; i < free_ranges.count; i++) {
        const struct phys_range *range = &free_ranges.ranges[i];

        if (range->end > EARLY_MAP_END) {
            buddy_add(&buddy, range->base > EARLY_MAP_END ? range->base : EARLY_MAP_END,
                      range->end);
        }
    }
}

uint64_t frame_alloc(unsigned order)
{
    bool were_on = interrupts_save();
    uint64_t phys;

    spin_lock(&lock);
    phys = buddy_alloc(&buddy, order);
    spin_unlock(&lock);
    interrupts_restore(were_on);
    return phys == UINT64_MAX ? 0 : phys;
}

void frame_free(uint64_t phys, unsigned order)
{
    bool were_on = interrupts_save();

    spin_lock(&lock);
    buddy_free(&buddy, phys, order);
    spin_unlock(&lock);
    interrupts_restore(were_on);
}

uint64_t frame_low(void)
{
    return low_frame;
}

unsigned frame_order(uint64_t phys)
{
    return buddy_order(&buddy, phys);
}

uint64_t frames_free(void)
{
    return buddy.free;
}

uint64_t frames_total(void)
{
    return buddy.total;
}
