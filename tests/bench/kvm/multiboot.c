/* Multiboot Specification 0.6.96: what an ELF image and its modules get. */
#include <elf.h>
#include <string.h>

#include "tests/bench/kvm/launcher.h"

#define HAS_MEMORY  (1u << 0)
#define HAS_CMDLINE (1u << 2)
#define HAS_MODULES (1u << 3)
#define HAS_MMAP    (1u << 6)

#define MEMORY_RAM 1u
#define PAGE       0x1000u

struct information {
    uint32_t flags;
    uint32_t memory_lower; /* KiB */
    uint32_t memory_upper;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t module_count;
    uint32_t modules;
    uint32_t symbols[4];
    uint32_t mmap_length;
    uint32_t mmap;
};

struct module {
    uint32_t start;
    uint32_t end;
    uint32_t string;
    uint32_t reserved;
};

struct __attribute__((packed)) mmap_entry {
    uint32_t size;
    uint64_t address;
    uint64_t length;
    uint32_t type;
};

struct boot_data {
    struct information information;
    struct module modules[MODULES_MAX];
    struct mmap_entry mmap[2];
    char cmdline[1024];
};

static void *at(struct guest *guest, uint64_t address, uint64_t size)
{
    if (size > guest->memory_size || address > guest->memory_size - size) {
        fail("the guest's memory is too small");
    }
    return guest->memory + address;
}

/* The end of what it took. */
static uint64_t load_elf(struct guest *guest, uint32_t *entry)
{
    const struct image *image = &guest->image;
    const Elf32_Ehdr *elf = (const Elf32_Ehdr *)image->data;
    const Elf32_Phdr *segment;
    uint64_t end = EXTENDED_MEMORY;

    if (image->size < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
        elf->e_ident[EI_CLASS] != ELFCLASS32 ||
        elf->e_phoff + (uint64_t)elf->e_phnum * sizeof(*segment) > image->size) {
        fail("%s: no 32-bit ELF image", image->path);
    }
    segment = (const Elf32_Phdr *)(image->data + elf->e_phoff);
    for (unsigned i = 0; i < elf->e_phnum; i++, segment++) {
        if (segment->p_type != PT_LOAD) {
            continue;
        }
        if ((uint64_t)segment->p_offset + segment->p_filesz > image->size) {
            fail("%s: truncated", image->path);
        }
        memcpy(at(guest, segment->p_paddr, segment->p_memsz), image->data + segment->p_offset,
               segment->p_filesz);
        if ((uint64_t)segment->p_paddr + segment->p_memsz > end) {
            end = (uint64_t)segment->p_paddr + segment->p_memsz;
        }
    }
    *entry = elf->e_entry;
    return end;
}

/* At the end of memory, where no image is linked to. */
static void load_modules(struct guest *guest, struct module modules[MODULES_MAX], uint64_t low_end)
{
    uint64_t end = guest->memory_size;

    for (unsigned i = 0; i < guest->module_count; i++) {
        const struct image *image = &guest->modules[i];

        if (image->size + PAGE > end - low_end) {
            fail("%s: no room in the guest's memory", image->path);
        }
        end = (end - image->size) & ~(uint64_t)(PAGE - 1);
        memcpy(at(guest, end, image->size), image->data, image->size);
        modules[i].start = (uint32_t)end;
        modules[i].end = (uint32_t)(end + image->size);
    }
}

uint32_t load_multiboot(struct guest *guest)
{
    struct boot_data *data = at(guest, MULTIBOOT_INFORMATION, sizeof(*data));
    uint32_t entry;
    uint64_t end = load_elf(guest, &entry);

    if (strlen(guest->cmdline) >= sizeof(data->cmdline)) {
        fail("the command line is too long");
    }
    memset(data, 0, sizeof(*data));
    strcpy(data->cmdline, guest->cmdline);
    load_modules(guest, data->modules, end);
    data->mmap[0] = (struct mmap_entry){sizeof(data->mmap[0]) - 4, 0, BASE_MEMORY_END, MEMORY_RAM};
    data->mmap[1] = (struct mmap_entry){sizeof(data->mmap[1]) - 4, EXTENDED_MEMORY,
                                        guest->memory_size - EXTENDED_MEMORY, MEMORY_RAM};
    data->information = (struct information){
        .flags = HAS_MEMORY | HAS_CMDLINE | HAS_MMAP | (guest->module_count > 0 ? HAS_MODULES : 0),
        .memory_lower = BASE_MEMORY_END / 1024,
        .memory_upper = (uint32_t)((guest->memory_size - EXTENDED_MEMORY) / 1024),
        .cmdline = MULTIBOOT_INFORMATION + offsetof(struct boot_data, cmdline),
        .module_count = guest->module_count,
        .modules = MULTIBOOT_INFORMATION + offsetof(struct boot_data, modules),
        .mmap_length = sizeof(data->mmap),
        .mmap = MULTIBOOT_INFORMATION + offsetof(struct boot_data, mmap),
    };
    return entry;
}
