/*
 * Starts an uncompressed Linux (vmlinux) wherever a multiboot image can be started: on a bare
 * machine, in Innkeeper's guests, in KVM's. So the kernel starts in the same way everywhere, and
 * decompresses nothing. The first module is the kernel, the second the initial RAM disk; the
 * command line is Linux's, with what the TSC said at the jump into the kernel added to it.
 *
 * 64-bit boot protocol (Linux, Documentation/x86/boot.rst; zero-page.rst for the offsets).
 */
#include "tests/bench/elf64.h"
#include "tests/guests/runtime/cpu.h"

#define MULTIBOOT_BOOT_MAGIC 0x2badb002u
#define MULTIBOOT_MODULES    (1u << 3)
#define MULTIBOOT_MMAP       (1u << 6)

#define DEBUG_PORT      0xe9u
#define DEBUG_EXIT_PORT 0xf4u

#define CMDLINE_SIZE 1024u
#define PAGE         UINT64_C(4096)

/* Fields of the zero page. */
#define BOOT_E820_ENTRIES 0x1e8u
#define BOOT_FLAG         0x1feu
#define BOOT_HEADER       0x202u
#define BOOT_VERSION      0x206u
#define BOOT_LOADER_TYPE  0x210u
#define BOOT_LOAD_FLAGS   0x211u
#define BOOT_RAMDISK      0x218u
#define BOOT_RAMDISK_SIZE 0x21cu
#define BOOT_CMDLINE      0x228u
#define BOOT_E820_TABLE   0x2d0u
#define E820_MAX          128u

#define LOADER_UNKNOWN 0xffu
#define LOADED_HIGH    1u

struct multiboot_information {
    uint32_t flags;
    uint32_t mem[3];
    uint32_t cmdline;
    uint32_t module_count;
    uint32_t modules;
    uint32_t symbols[4];
    uint32_t mmap_length;
    uint32_t mmap;
};

struct multiboot_module {
    uint32_t start;
    uint32_t end;
    uint32_t string;
    uint32_t reserved;
};

struct __attribute__((packed)) e820_entry {
    uint64_t address;
    uint64_t size;
    uint32_t type;
};

struct __attribute__((packed)) multiboot_mmap {
    uint32_t entry_size; /* of what follows */
    struct e820_entry entry;
};

extern uint32_t boot_magic;
extern uint32_t boot_information;
_Noreturn void runtime_main(void);
void *memset(void *to, int value, size_t size);

static uint8_t zero_page[PAGE] __attribute__((aligned(4096)));
static char cmdline[CMDLINE_SIZE];

_Noreturn static void fail(const char *why)
{
    for (const char *c = "linux_loader: "; *c != '\0'; c++) {
        outb(DEBUG_PORT, (uint8_t)*c);
    }
    for (; *why != '\0'; why++) {
        outb(DEBUG_PORT, (uint8_t)*why);
    }
    outb(DEBUG_PORT, '\n');
    outl(DEBUG_EXIT_PORT, 1);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

/* The compiler makes calls of loops, too. */
void *memset(void *to, int value, size_t size)
{
    volatile uint8_t *bytes = to;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)value;
    }
    return to;
}

/* Whole quadwords, either way. */
static void move(uint64_t to, uint64_t from, uint64_t size)
{
    volatile uint64_t *target = (volatile uint64_t *)(uintptr_t)to;
    const volatile uint64_t *source = (const volatile uint64_t *)(uintptr_t)from;
    uint64_t count = (size + 7) / 8;

    if (to <= from) {
        for (uint64_t i = 0; i < count; i++) {
            target[i] = source[i];
        }
    } else {
        while (count-- > 0) {
            target[count] = source[count];
        }
    }
}

static void set16(unsigned offset, uint16_t value)
{
    *(volatile uint16_t *)(zero_page + offset) = value;
}

static void set32(unsigned offset, uint32_t value)
{
    *(volatile uint32_t *)(zero_page + offset) = value;
}

static uint64_t page_up(uint64_t address)
{
    return (address + PAGE - 1) & ~(PAGE - 1);
}

static const struct elf64_segment *segments_of(uint64_t kernel)
{
    const struct elf64_header *elf = (const struct elf64_header *)(uintptr_t)kernel;

    if (elf->magic != ELF64_MAGIC || elf->class != ELF64_CLASS) {
        fail("the first module is no 64-bit ELF file");
    }
    return (const struct elf64_segment *)(uintptr_t)(kernel + elf->segments);
}

/* The end of the memory that the kernel will take. */
static uint64_t kernel_end(uint64_t kernel)
{
    const struct elf64_header *elf = (const struct elf64_header *)(uintptr_t)kernel;
    const struct elf64_segment *segments = segments_of(kernel);
    uint64_t end = 0;

    for (unsigned i = 0; i < elf->segment_count; i++) {
        uint64_t last = segments[i].physical + segments[i].memory_size;

        if (segments[i].type == ELF64_LOAD && last > end) {
            end = last;
        }
    }
    return page_up(end);
}

/* Moves modules out of the kernel's way; a copy never overwrites another module. */
static void move_modules(struct multiboot_module *modules, uint64_t end)
{
    uint64_t place = end;

    for (unsigned i = 0; i < 2; i++) {
        if (modules[i].end > place) {
            place = page_up(modules[i].end);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        uint32_t size = modules[i].end - modules[i].start;

        if (modules[i].start < end) {
            move(place, modules[i].start, size);
            modules[i].start = (uint32_t)place;
            modules[i].end = (uint32_t)place + size;
            place = page_up(place + size);
        }
    }
}

/* Its entry point. */
static uint64_t load_kernel(uint64_t kernel)
{
    const struct elf64_header *elf = (const struct elf64_header *)(uintptr_t)kernel;
    const struct elf64_segment *segments = segments_of(kernel);

    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct elf64_segment *segment = &segments[i];
        volatile uint8_t *to = (volatile uint8_t *)(uintptr_t)segment->physical;

        if (segment->type != ELF64_LOAD) {
            continue;
        }
        move(segment->physical, kernel + segment->offset, segment->file_size);
        for (uint64_t byte = segment->file_size; byte < segment->memory_size; byte++) {
            to[byte] = 0;
        }
    }
    return elf->entry;
}

static void set_memory_map(const struct multiboot_information *information)
{
    volatile struct e820_entry *table = (volatile struct e820_entry *)(zero_page + BOOT_E820_TABLE);
    uint32_t end = information->mmap + information->mmap_length;
    unsigned count = 0;

    if ((information->flags & MULTIBOOT_MMAP) == 0) {
        fail("no memory map");
    }
    for (uint32_t at = information->mmap; at < end && count < E820_MAX;) {
        const struct multiboot_mmap *from = (const struct multiboot_mmap *)(uintptr_t)at;

        table[count].address = from->entry.address;
        table[count].size = from->entry.size;
        table[count].type = from->entry.type;
        count++;
        at += from->entry_size + (uint32_t)sizeof(from->entry_size);
    }
    zero_page[BOOT_E820_ENTRIES] = (uint8_t)count;
}

static unsigned append(unsigned length, const char *text)
{
    while (*text != '\0' && length < CMDLINE_SIZE - 1) {
        cmdline[length++] = *text++;
    }
    return length;
}

static void append_number(unsigned length, uint64_t value)
{
    char digits[21];
    unsigned first = sizeof(digits) - 1;

    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    cmdline[append(length, digits + first)] = '\0';
}

_Noreturn void runtime_main(void)
{
    const struct multiboot_information *information =
        (const struct multiboot_information *)(uintptr_t)boot_information;
    struct multiboot_module *modules = (struct multiboot_module *)(uintptr_t)information->modules;
    unsigned length = append(0, (const char *)(uintptr_t)information->cmdline);
    uint64_t entry;

    if (boot_magic != MULTIBOOT_BOOT_MAGIC || (information->flags & MULTIBOOT_MODULES) == 0 ||
        information->module_count != 2) {
        fail("wants two modules: a kernel and an initial RAM disk");
    }
    set_memory_map(information);
    move_modules(modules, kernel_end(modules[0].start));
    entry = load_kernel(modules[0].start);
    set16(BOOT_FLAG, 0xaa55);
    set32(BOOT_HEADER, 0x53726448); /* "HdrS" */
    set16(BOOT_VERSION, 0x20f);
    zero_page[BOOT_LOADER_TYPE] = LOADER_UNKNOWN;
    zero_page[BOOT_LOAD_FLAGS] = LOADED_HIGH;
    set32(BOOT_RAMDISK, modules[1].start);
    set32(BOOT_RAMDISK_SIZE, modules[1].end - modules[1].start);
    set32(BOOT_CMDLINE, (uint32_t)(uintptr_t)cmdline);
    append_number(append(length, " bench.tsc="), rdtsc());
    /* The zero page is to be in RSI, where a function has its second argument. */
    ((void (*)(uint64_t, void *))entry)(0, zero_page);
    fail("Linux came back");
}
