/*
 * Where things lie in a guest's physical memory when it starts: what a PC's firmware and boot
 * loader would have left there. RAM itself is described in guest/memory.h.
 *
 * Boot data of the Linux protocols lies low, because Linux's decompressor puts a trampoline just
 * under the EBDA while it still runs on our page tables. Multiboot information lies just under the
 * EBDA instead, so that multiboot images may be linked nearly anywhere.
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define LAYOUT_BIOS_DATA       0x400u  /* BIOS data area: serial ports, EBDA, base memory size */
#define LAYOUT_GDT             0x800u  /* four descriptors, see guest/loader/boot_state.h */
#define LAYOUT_FIRMWARE_END    0x1000u /* images may start here */
#define LAYOUT_LINUX_BOOT      0x2000u /* boot_params, or hvm_start_info with its tables */
#define LAYOUT_PAGE_TABLES     0x3000u /* PML4, PDPT, 4 page directories: 4 GiB, identity */
#define LAYOUT_PAGE_TABLES_END 0x9000u
#define LAYOUT_LINUX_CMDLINE   0x20000u
#define LAYOUT_LINUX_BOOT_END  0x30000u /* images of Linux start above */
#define LAYOUT_MULTIBOOT       0x80000u /* multiboot information, strings, ELF section headers */
#define LAYOUT_MULTIBOOT_END   0x9f000u
#define LAYOUT_EBDA            0x9fc00u /* end of base memory */
#define LAYOUT_BASE_MEMORY_END 0xa0000u
#define LAYOUT_ACPI            0xe0000u /* the RSDP is its first byte, the tables follow */
#define LAYOUT_RSDP            LAYOUT_ACPI
#define LAYOUT_ACPI_END        0x100000u
#define LAYOUT_EXTENDED_MEMORY 0x100000u

#define LAYOUT_IOAPIC     0xfec00000u
#define LAYOUT_LOCAL_APIC 0xfee00000u
#define LAYOUT_APIC_SIZE  0x1000u

#endif
