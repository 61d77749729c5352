/*
 * From the boot loader to C: multiboot2 header, check for 64-bit mode, first page tables, long mode,
 * jump to the higher half.
 *
 * The boot loader may put the image at any multiple of 2 MiB below 4 GiB, so until paging is on
 * nothing here uses an absolute address: %ebp holds the physical address of the image, and a symbol
 * is reached as OFFSET(symbol)(%ebp).
 */
#define KERNEL_BASE    0xffffffff80000000
#define OFFSET(symbol) (symbol - KERNEL_BASE)

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289

#define CR0_RUN   0x80010033 /* PG WP NE ET MP PE: caching on, no x87 emulation, no task-switched */
#define CR4_PAE   0x20
#define MSR_EFER  0xc0000080
#define EFER_LME  0x100
#define FLAGS_ID  0x200000
#define TABLE     0x03 /* present, writable */
#define PAGE_2M   0x83 /* the same, a 2 MiB page */
#define COM1      0x3f8
#define VGA_TEXT  0xb8000
#define VGA_CELLS (80 * 25)

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10

    .section .multiboot, "a", @progbits
    .balign 8
header:
    .long MULTIBOOT2_HEADER_MAGIC
    .long 0 /* i386: entered in 32-bit protected mode */
    .long header_end - header
    .long -(MULTIBOOT2_HEADER_MAGIC + (header_end - header))

    .balign 8
    .short 5, 1 /* framebuffer, optional: 1024x768, 32 bits a pixel preferred */
    .long 20, 1024, 768, 32

    .balign 8
    .short 6, 1 /* modules on page boundaries */
    .long 8

    .balign 8
    .short 10, 0 /* relocatable: lowest place first */
    .long 24, 0x100000, 0xffffffff, 0x200000, 1

    .balign 8
    .short 0, 0
    .long 8
header_end:

    .section .text.boot, "ax", @progbits
    .code32
    .globl start
    .type start, @function
start:
    cli
    cld
    mov %eax, %esi
    /* There is no stack yet. The second dword of the boot information is reserved: a stack of one
     * entry, enough for a CALL to learn where we are. */
    lea 8(%ebx), %esp
    call 1f
1:  pop %ebp
    sub $OFFSET(1b), %ebp
    lea OFFSET(boot_stack_top)(%ebp), %esp

    lea OFFSET(message_loader)(%ebp), %edi
    cmp $MULTIBOOT2_LOADER_MAGIC, %esi
    jne refuse

    /* CPUID is there if EFLAGS.ID can be changed; long mode if its leaf says so. */
    lea OFFSET(message_cpu)(%ebp), %edi
    pushf
    pop %eax
    mov %eax, %ecx
    xor $FLAGS_ID, %eax
    push %eax
    popf
    pushf
    pop %eax
    cmp %ecx, %eax
    je refuse
    mov %ebx, %esi /* CPUID takes %ebx */
    rdtsc
    mov %eax, OFFSET(boot_tsc)(%ebp)
    mov %edx, OFFSET(boot_tsc) + 4(%ebp)
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb refuse
    mov $0x80000001, %eax
    cpuid
    test $(1 << 29), %edx
    jz refuse

    mov %ebp, OFFSET(kernel_image_phys)(%ebp)

    /* The low 4 GiB in 2 MiB pages, at 0 and in the direct map: four page directories in a row. */
    lea OFFSET(boot_directories)(%ebp), %edi
    mov $PAGE_2M, %eax
    mov $(4 * 512), %ecx
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    dec %ecx
    jnz 1b
    lea OFFSET(boot_directories) + TABLE(%ebp), %eax
    lea OFFSET(boot_low)(%ebp), %edi
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x1000, %eax
    dec %ecx
    jnz 1b

    /* The image at KERNEL_BASE, in whole 2 MiB pages. */
    lea OFFSET(boot_image_directory)(%ebp), %edi
    lea PAGE_2M(%ebp), %eax
    mov $OFFSET(image_end + 0x1fffff), %ecx
    shr $21, %ecx
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    dec %ecx
    jnz 1b

    lea OFFSET(boot_image_directory) + TABLE(%ebp), %eax
    mov %eax, OFFSET(boot_high) + 510 * 8(%ebp)
    lea OFFSET(boot_low) + TABLE(%ebp), %eax
    mov %eax, OFFSET(boot_top)(%ebp)
    mov %eax, OFFSET(boot_top) + 256 * 8(%ebp)
    lea OFFSET(boot_high) + TABLE(%ebp), %eax
    mov %eax, OFFSET(boot_top) + 511 * 8(%ebp)

    mov $CR4_PAE, %eax
    mov %eax, %cr4
    lea OFFSET(boot_top)(%ebp), %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov $CR0_RUN, %eax
    mov %eax, %cr0

    lea OFFSET(boot_gdt)(%ebp), %eax
    sub $8, %esp
    movw $(boot_gdt_end - boot_gdt - 1), (%esp)
    mov %eax, 2(%esp)
    lgdt (%esp)
    add $8, %esp
    lea OFFSET(long_mode)(%ebp), %eax
    push $SELECTOR_CODE
    push %eax
    lret

    .code64
long_mode:
    movabs $higher_half, %rax
    jmp *%rax
higher_half:
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $boot_stack_top, %rsp
    xor %ebp, %ebp /* the backtrace ends here */
    mov %esi, %edi /* physical address of the boot information */
    push %rbp      /* as a return address: ends the backtrace, aligns the stack */
    jmp kernel_main
    .size start, . - start

/*
 * %edi: message. Shows it on COM1 (115200 8N1) and on the VGA text screen, and halts.
 */
    .code32
refuse:
    mov %edi, %esi
    lea OFFSET(com1_setup)(%ebp), %ebx
    mov $COM1, %edx
1:  movzbl (%ebx), %ecx
    cmp $0xff, %cl
    je 2f
    lea (%edx,%ecx), %edx
    mov 1(%ebx), %al
    out %al, %dx
    mov $COM1, %edx
    add $2, %ebx
    jmp 1b
2:  mov $VGA_TEXT, %edi
    mov $VGA_CELLS, %ecx
    mov $0x0720, %eax /* grey blanks */
    rep stosw
    mov $VGA_TEXT, %edi
3:  lodsb
    test %al, %al
    jz 5f
    mov $0x0f, %ah
    stosw
    mov %al, %bl
    mov $(COM1 + 5), %edx
    mov $100000, %ecx /* a port that is not there must not hold us up for ever */
4:  in %dx, %al
    test $0x20, %al
    loopz 4b
    mov $COM1, %edx
    mov %bl, %al
    out %al, %dx
    jmp 3b
5:  hlt
    jmp 5b

    .section .rodata.boot, "a", @progbits
/* Pairs of register offset and value; 0xff ends. */
com1_setup:
    .byte 1, 0x00, 3, 0x80, 0, 0x01, 1, 0x00, 3, 0x03, 2, 0x07, 4, 0x03, 0xff
message_loader:
    .asciz "innkeeper: not started by a multiboot2 boot loader; boot it with GRUB's multiboot2 command.\r\n"
message_cpu:
    .asciz "innkeeper: this CPU has no 64-bit mode; an x86-64 CPU with Intel VT-x is needed.\r\n"

    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* code, 64-bit */
    .quad 0x00cf93000000ffff /* data */
boot_gdt_end:

    .section .bss.boot, "aw", @nobits
    .balign 4096
    .globl boot_top /* trampoline.S: other CPUs come by the same way */
boot_top:
    .skip 4096
boot_low:
    .skip 4096
boot_directories:
    .skip 4 * 4096
boot_high:
    .skip 4096
boot_image_directory:
    .skip 4096

    .balign 8
    .globl boot_tsc
boot_tsc:
    .skip 8
    .globl kernel_image_phys
kernel_image_phys:
    .skip 8

    /* The boot CPU's stack; paging unmaps the page below it (see struct guarded_stack). */
    .section .bss.stacks, "aw", @nobits
    .balign 4096
    .skip 4096
    .skip 32768
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
