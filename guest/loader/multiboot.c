#include "guest/loader/multiboot.h"

#include <errno.h>
#include <string.h>

#include "guest/layout.h"

#define MAGIC_1 0x2badb002u /* in EAX */
#define MAGIC_2 0x36d76289u

static const struct image_room room = {LAYOUT_FIRMWARE_END, LAYOUT_MULTIBOOT};

/* Finds in the file what the addresses in the header speak of. */
static int read_addresses(const struct multiboot_load *load, uint64_t *file_offset,
                          uint64_t *file_size, struct elf_extent *extent)
{
    const struct multiboot_header *header = &load->header;
    const struct guest_image *image = &load->boot->image;
    uint64_t before = (uint64_t)header->header_address - header->load_address;

    if (header->load_address > header->header_address || before > header->offset) {
        return loading_refuse(&load->loading, -ENOEXEC, image,
                              "its header loads at 0x%x, but lies %lu bytes into the file, and the "
                              "file at 0x%x",
                              header->header_address, header->offset, header->load_address);
    }
    *file_offset = header->offset - before;
    *file_size = image->size - *file_offset;
    if (header->load_end != 0) {
        if (header->load_end < header->load_address ||
            header->load_end - header->load_address > *file_size) {
            return loading_refuse(&load->loading, -ENOEXEC, image,
                                  "truncated: the header promises bytes from 0x%x to 0x%x, the "
                                  "module has %lu of them",
                                  header->load_address, header->load_end, *file_size);
        }
        *file_size = header->load_end - header->load_address;
    }
    extent->first = header->load_address;
    extent->end = extent->first + *file_size;
    if (header->bss_end > extent->end) {
        extent->end = header->bss_end;
    }
    return 0;
}

/* Room that the modules will take behind the image, at most. */
static uint64_t modules_size(const struct multiboot_load *load)
{
    uint64_t size = 0;

    for (unsigned i = 0; i < load->boot->module_count; i++) {
        size += align_up(load->boot->modules[i].image.size, LOADING_PAGE);
    }
    return size + (load->is_elf ? load->boot->image.size : 0) + LOADING_PAGE;
}

/* Chooses where a relocatable image goes: `*shift` from where it is linked to. */
static int choose_address(const struct multiboot_load *load, uint64_t *shift)
{
    const struct multiboot_header *header = &load->header;
    const uint64_t alignment = header->alignment;
    const uint64_t size = load->extent.end - load->extent.first;
    const uint64_t behind = modules_size(load);
    uint64_t first = header->min_address;
    uint64_t end = (uint64_t)header->max_address + 1;

    if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
        return loading_refuse(&load->loading, -ENOEXEC, &load->boot->image,
                              "its alignment 0x%lx is no power of two", alignment);
    }
    if (first < LAYOUT_EXTENDED_MEMORY) {
        first = LAYOUT_EXTENDED_MEMORY;
    }
    if (end + behind > load->loading.memory->low_size) {
        end = load->loading.memory->low_size < behind ? 0 : load->loading.memory->low_size - behind;
    }
    first = align_up(first, alignment);
    if (end < first || size > end - first) {
        return loading_refuse(&load->loading, -ENOMEM, &load->boot->image,
                              "no room for its %lu bytes from 0x%x to 0x%x", size,
                              header->min_address, header->max_address);
    }
    uint64_t linked = load->extent.first;
    if (header->preference == MULTIBOOT_PREFER_HIGHEST) {
        first = (end - size) & ~(alignment - 1);
    } else if (header->preference != MULTIBOOT_PREFER_LOWEST && linked >= first &&
               linked <= end - size && (linked & (alignment - 1)) == 0) {
        first = linked;
    }
    *shift = first - linked;
    return 0;
}

static int find_entry(struct multiboot_load *load, uint64_t shift)
{
    uint64_t entry = load->header.entry;

    if (!load->header.has_entry &&
        (!load->is_elf || !elf_virt_to_phys(&load->elf, load->elf.entry, &entry))) {
        return loading_refuse(&load->loading, -ENOEXEC, &load->boot->image,
                              "its entry point is in no segment");
    }
    entry += shift;
    if (entry < load->extent.first || entry >= load->extent.end) {
        return loading_refuse(&load->loading, -ENOEXEC, &load->boot->image,
                              "its entry point 0x%lx is outside of what is loaded", entry);
    }
    load->entry = (uint32_t)entry;
    return 0;
}

static int place_image(struct multiboot_load *load)
{
    const struct loading *loading = &load->loading;
    const struct guest_image *image = &load->boot->image;
    uint64_t file_offset = 0;
    uint64_t file_size = 0;
    uint64_t shift = 0;
    int error;

    if (load->header.has_addresses) {
        error = read_addresses(load, &file_offset, &file_size, &load->extent);
    } else if (elf_detect(image)) {
        load->is_elf = true;
        error = elf_open(loading, image, &load->elf);
        if (error == 0) {
            error = elf_check_segments(loading, &load->elf, &load->extent);
        }
    } else {
        return loading_refuse(loading, -ENOEXEC, image,
                              "neither an ELF file nor load addresses in its header");
    }
    if (error == 0 && load->header.relocatable) {
        error = choose_address(load, &shift);
    }
    if (error != 0) {
        return error;
    }
    load->extent.first += shift;
    load->extent.end += shift;
    if (load->is_elf) {
        error = elf_load_segments(loading, &load->elf, shift, &room);
    } else {
        error = image_check_room(loading, image, &room, "it", load->extent.first, load->extent.end);
        if (error == 0) {
            error = image_copy(loading, image, file_offset, file_size, load->extent.first);
        }
    }
    return error != 0 ? error : find_entry(load, shift);
}

/* Copies an image to the next free place above 1 MiB. */
static int place_above(struct multiboot_load *load, const struct guest_image *image,
                       uint64_t offset, uint64_t size, uint64_t alignment, uint64_t *address)
{
    *address = align_up(load->next_free, alignment);
    if (!guest_memory_contains(load->loading.memory, *address, size) ||
        *address + size > load->loading.memory->low_size) {
        return loading_refuse(&load->loading, -ENOMEM, image,
                              "%lu bytes do not fit at 0x%lx, the VM's memory ends at 0x%lx", size,
                              *address, load->loading.memory->low_size);
    }
    load->next_free = *address + size;
    return image_copy(&load->loading, image, offset, size, *address);
}

static int place_modules(struct multiboot_load *load)
{
    for (unsigned i = 0; i < load->boot->module_count; i++) {
        const struct guest_image *module = &load->boot->modules[i].image;
        uint64_t address;
        int error = place_above(load, module, 0, module->size, LOADING_PAGE, &address);

        if (error != 0) {
            return error;
        }
        load->module_address[i] = (uint32_t)address;
    }
    return 0;
}

int multiboot_append(struct multiboot_load *load, const void *bytes, size_t size)
{
    if (size > LAYOUT_MULTIBOOT_END - load->information ||
        guest_memory_write(load->loading.memory, load->information, bytes, size) != 0) {
        return loading_refuse(&load->loading, -ENOMEM, &load->boot->image,
                              "what it is to be told is too long for base memory");
    }
    load->information += size;
    return 0;
}

int multiboot_put(struct multiboot_load *load, const void *bytes, size_t size, uint64_t *address)
{
    load->information = align_up(load->information, 8);
    if (address != NULL) {
        *address = load->information;
    }
    return multiboot_append(load, bytes, size);
}

int multiboot_append_sections(struct multiboot_load *load)
{
    const struct guest_image *image = &load->boot->image;
    const struct elf *elf = &load->elf;
    const uint64_t table = load->information;
    int error = multiboot_append(load, (const uint8_t *)image->data + elf->section_table,
                                 multiboot_sections_size(load));

    for (unsigned i = 0; i < elf->section_count && error == 0; i++) {
        struct elf_section section;
        uint64_t place;

        elf_get_section(elf, i, &section);
        if (section.type == ELF_SECTION_NULL || section.type == ELF_SECTION_NOBITS ||
            section.address != 0 || section.size == 0) {
            continue;
        }
        if (!image_has(image, section.offset, section.size)) {
            return loading_refuse(&load->loading, -ENOEXEC, image,
                                  "truncated: section %u promises %lu bytes at %lu, the module "
                                  "has %lu",
                                  i, section.size, section.offset, image->size);
        }
        error = place_above(load, image, section.offset, section.size, 16, &place);
        if (error == 0) {
            /* The place lies under 4 GiB, and the address was 0: its low half is enough. */
            uint32_t low = (uint32_t)place;
            error = guest_memory_write(load->loading.memory,
                                       table + (uint64_t)i * elf->section_size +
                                           elf_section_address_offset(elf),
                                       &low, sizeof(low));
        }
    }
    return error;
}

uint32_t multiboot_memory_lower(const struct multiboot_load *load)
{
    (void)load;
    return LAYOUT_EBDA >> 10;
}

uint32_t multiboot_memory_upper(const struct multiboot_load *load)
{
    return (uint32_t)((load->loading.memory->low_size - LAYOUT_EXTENDED_MEMORY) >> 10);
}

static int load_version(struct multiboot_load *load,
                        int (*write_information)(struct multiboot_load *), uint32_t magic,
                        struct boot_state *state)
{
    int error = place_image(load);

    if (error != 0) {
        return error;
    }
    load->next_free =
        load->extent.end < LAYOUT_EXTENDED_MEMORY ? LAYOUT_EXTENDED_MEMORY : load->extent.end;
    load->information = LAYOUT_MULTIBOOT;
    error = place_modules(load);
    if (error == 0) {
        error = write_information(load);
    }
    if (error != 0) {
        return error;
    }
    if (boot_state_protected(load->loading.memory, load->entry, state) != 0) {
        return loading_refuse(&load->loading, -ENOMEM, &load->boot->image, "the VM has no memory");
    }
    state->gpr[GPR_RAX] = magic;
    state->gpr[GPR_RBX] = LAYOUT_MULTIBOOT;
    return 0;
}

int load_multiboot(struct guest_memory *memory, const struct multiboot_boot *boot,
                   struct boot_state *state, char *reason, size_t reason_size)
{
    struct multiboot_load load;

    memset(&load, 0, sizeof(load));
    load.loading = (struct loading){memory, reason, reason_size};
    load.boot = boot;
    if (boot_bios_data(memory) != 0) {
        return loading_refuse(&load.loading, -ENOMEM, &boot->image, "the VM has no memory");
    }
    /* An image may have both headers; the newer one can say more. */
    int error = multiboot2_read_header(&load.loading, &boot->image, &load.header);
    if (error == 0) {
        return load_version(&load, multiboot2_write_information, MAGIC_2, state);
    }
    if (error != -ENOENT) {
        return error;
    }
    error = multiboot1_read_header(&load.loading, &boot->image, &load.header);
    if (error == 0) {
        return load_version(&load, multiboot1_write_information, MAGIC_1, state);
    }
    if (error != -ENOENT) {
        return error;
    }
    return loading_refuse(&load.loading, -ENOEXEC, &boot->image,
                          "no multiboot image: no header in its first 32 KiB");
}
