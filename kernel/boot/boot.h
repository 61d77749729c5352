/*
 * What the first instructions leave behind for the kernel (boot.S), and where the image lies
 * (linker.ld).
 */
#ifndef KERNEL_BOOT_BOOT_H
#define KERNEL_BOOT_BOOT_H

#include <stdint.h>

#define KERNEL_BASE UINT64_C(0xffffffff80000000)

/** TSC at the kernel's first instructions: where boot time is counted from. */
extern uint64_t boot_tsc;
/** Physical address of the image: where the boot loader put it, a multiple of 2 MiB. */
extern uint64_t kernel_image_phys;

/** The first page tables: the low 4 GiB at 0 and in the direct map, and the image. */
extern char boot_top[];

/* Page-aligned borders of the image: text from image_start, then read-only data, then data. */
extern char image_start[];
extern char rodata_start[];
extern char data_start[];
extern char image_end[];
/* The boot CPU's stacks in the image, each a struct guarded_stack. */
extern char stacks_start[];
extern char stacks_end[];

/** Entered from boot.S in long mode, interrupts off; `information` is the physical address of the
 * multiboot2 boot information. */
_Noreturn void kernel_main(uint64_t information);

#endif
