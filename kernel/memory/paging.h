/*
 * The kernel's own address space:
 *
 * - 0xffff800000000000, the direct map: all RAM and the firmware's ACPI memory, RW NX; the kernel's
 *   text and read-only data are read-only there too
 * - 0xffffc00000000000: devices and guarded stacks, RW NX
 * - 0xffffe00000000000: windows (kernel/memory/window.h), RW NX
 * - 0xffffffff80000000, the kernel image: text RX, rodata R NX, data RW NX
 *
 * Nothing is mapped at low addresses once the kernel runs; no page is ever both writable and
 * executable.
 */
#ifndef KERNEL_MEMORY_PAGING_H
#define KERNEL_MEMORY_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIRECT_MAP_BASE UINT64_C(0xffff800000000000)
#define DIRECT_MAP_SIZE (UINT64_C(1) << 46)

/** Address of physical memory in the direct map. */
static inline void *phys_to_virt(uint64_t phys)
{
    return (void *)(phys + DIRECT_MAP_BASE);
}

/** Physical address of an address in the direct map or in the kernel image. */
uint64_t virt_to_phys(const void *address);

enum map_type { MAP_DEVICE /* uncached */, MAP_WRITE_COMBINING, MAP_NORMAL };

/** Maps physical [phys, +size) anywhere, RW NX, and returns its address; NULL when memory is short.
 *  `phys` need not be aligned. Never unmapped. */
void *map_physical(uint64_t phys, size_t size, enum map_type type);

/** A stack of `size` bytes (multiple of 4 KiB) with an unmapped guard page below; returns its top,
 * NULL when memory is short. */
void *stack_alloc(size_t size);
void stack_free(void *top, size_t size);

/* Where windows are. */
#define WINDOW_AREA_BASE UINT64_C(0xffffe00000000000)
#define WINDOW_AREA_END  UINT64_C(0xfffff00000000000)

/** Maps physical [phys, +size) at an address in the windows' area where nothing is mapped, all
 * multiples of 4 KiB. 0 or -ENOMEM (part may be mapped). */
int paging_map(void *at, uint64_t phys, uint64_t size);
/** Unmaps what paging_map mapped, by ranges that it was given, and has every CPU forget it. By a
 * thread, without a spinlock. */
void paging_unmap(void *at, uint64_t size);

/** Whether `address` lies in the unmapped page below a stack. Any context. */
bool paging_is_guard(uint64_t address);

/** Whether the kernel can read at `address`; before paging_init only the image counts. Any context.
 */
bool paging_is_mapped(uint64_t address);

/** Builds the final page tables and switches to them: after frames_init, once, by the boot CPU. */
void paging_init(void);

/** Physical address of the kernel's top-level page table (CR3 for host state). */
uint64_t kernel_cr3(void);

#endif
