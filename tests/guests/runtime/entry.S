/*
 * From the boot loader's 32-bit protected mode (multiboot 1) to C in long mode: identity mapping of
 * 4 GiB for the supervisor, but for the third GiB: there lies the first one again, for ring 3.
 */
#include "tests/guests/runtime/layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3 /* modules on pages, memory information */

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC
    .long MULTIBOOT_FLAGS
    .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .section .bss
    .balign 4096
    .globl page_pml4, page_pdpt, page_directories, page_user_directory
page_pml4:
    .skip 4096
page_pdpt:
    .skip 4096
page_directories:
    .skip 4 * 4096
page_user_directory:
    .skip 4096
    .globl boot_magic, boot_information
boot_magic:
    .skip 4
boot_information:
    .skip 4
    .balign 16
    .skip 65536
stack_top:

    .text
    .code32
    .globl _start
_start:
    cli
    cld
    movl $stack_top, %esp
    movl %eax, boot_magic
    movl %ebx, boot_information

    /* Tables: flags 3 are present and writable, 7 user too, 0x80 a large page. */
    movl $(page_pdpt + 7), page_pml4
    movl $(page_directories + 0x0003), page_pdpt
    movl $(page_directories + 0x1003), page_pdpt + 8
    movl $(page_directories + 0x3003), page_pdpt + 24
    movl $(page_user_directory + 7), page_pdpt + 8 * USER_ALIAS_PDPT_INDEX
    xorl %ecx, %ecx
    movl $0x83, %eax
1:  movl %eax, page_directories(, %ecx, 8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $2048, %ecx
    jne 1b
    xorl %ecx, %ecx
    movl $0x87, %eax
2:  movl %eax, page_user_directory(, %ecx, 8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $512, %ecx
    jne 2b

    movl $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $page_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
    movl %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $KERNEL_CS, $1f

    .code64
1:  movl $KERNEL_DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl $stack_top, %esp
    call runtime_main
2:  hlt
    jmp 2b

    .section .rodata
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
boot_gdt_pointer:
    .word 23
    .long boot_gdt

    .section .note.GNU-stack, "", @progbits
