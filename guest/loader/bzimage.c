#include <errno.h>
#include <string.h>

#include "guest/layout.h"
#include "guest/loader/linux.h"
#include "guest/loader/memory_map.h"

#define HEADER_OFFSET    0x1f1u
#define SECTOR           512u
#define PARAGRAPH        16u
#define BOOT_FLAG        0xaa55u
#define SIGNATURE        0x53726448u /* "HdrS" */
#define SIGNATURE_OFFSET 0x202u
#define LOADER_UNKNOWN   0xffu
#define ENTRY_64         0x200u
#define PROTOCOL_MIN \
    0x20au /* the first to tell where the kernel wants to be, and how much it needs */
#define PROTOCOL_64 0x20cu /* the first with xloadflags */

#define LOADED_HIGH   0x01u
#define XLF_KERNEL_64 0x01u

#define E820_TABLE_MAX 128u

/* The setup header, as it stands in the image at HEADER_OFFSET and in boot_params there too. */
struct setup_header {
    uint8_t setup_sectors;
    uint16_t root_flags;
    uint32_t system_paragraphs; /* size of the protected-mode code */
    uint16_t ram_size;
    uint16_t video_mode;
    uint16_t root_device;
    uint16_t boot_flag;
    uint8_t jump_opcode;
    uint8_t jump_distance; /* to the end of this header, from the next byte */
    uint32_t signature;
    uint16_t version;
    uint32_t real_mode_switch;
    uint16_t start_system;
    uint16_t kernel_version;
    uint8_t loader_type;
    uint8_t load_flags;
    uint16_t setup_move_size;
    uint32_t code32_start;
    uint32_t ramdisk_address;
    uint32_t ramdisk_size;
    uint32_t bootsect_kludge;
    uint16_t heap_end;
    uint8_t extended_loader_version;
    uint8_t extended_loader_type;
    uint32_t cmdline_address;
    uint32_t initrd_address_max;
    uint32_t kernel_alignment;
    uint8_t relocatable;
    uint8_t min_alignment_log2;
    uint16_t extended_load_flags;
    uint32_t cmdline_size;
    uint32_t hardware_subarch;
    uint64_t hardware_subarch_data;
    uint32_t payload_offset;
    uint32_t payload_length;
    uint64_t setup_data;
    uint64_t preferred_address;
    uint32_t init_size;
    uint32_t handover_offset;
    uint32_t kernel_info_offset;
} __attribute__((packed));

/* The "zero page" (Linux, Documentation/x86/zero-page.rst), as far as it is filled in here. */
struct boot_params {
    uint8_t screen_info[0x40];
    uint8_t unused1[0x30];
    uint64_t rsdp_address;
    uint8_t unused2[0x170];
    uint8_t memory_map_count;
    uint8_t unused3[8];
    struct setup_header header;
    uint8_t unused4[0x2d0 - HEADER_OFFSET - sizeof(struct setup_header)];
    struct memory_map_entry memory_map[E820_TABLE_MAX];
    uint8_t unused5[0x1000 - 0x2d0 - E820_TABLE_MAX * sizeof(struct memory_map_entry)];
} __attribute__((packed));

_Static_assert(offsetof(struct boot_params, rsdp_address) == 0x70, "fixed by the protocol");
_Static_assert(offsetof(struct boot_params, memory_map_count) == 0x1e8, "fixed by the protocol");
_Static_assert(offsetof(struct boot_params, header) == HEADER_OFFSET, "fixed by the protocol");
_Static_assert(offsetof(struct boot_params, header.version) == 0x206, "fixed by the protocol");
_Static_assert(offsetof(struct boot_params, header.init_size) == 0x260, "fixed by the protocol");
_Static_assert(offsetof(struct boot_params, memory_map) == 0x2d0, "fixed by the protocol");
_Static_assert(sizeof(struct boot_params) == LOADING_PAGE, "fixed by the protocol");

bool bzimage_detect(const struct guest_image *image)
{
    uint32_t signature;

    return image_read(image, SIGNATURE_OFFSET, &signature, sizeof(signature)) &&
           signature == SIGNATURE;
}

static uint64_t code_offset(const struct setup_header *header)
{
    /* 0 means 4, for the sake of ancient kernels. */
    unsigned sectors = header->setup_sectors != 0 ? header->setup_sectors : 4;

    return (uint64_t)(sectors + 1) * SECTOR;
}

static uint64_t code_size(const struct setup_header *header)
{
    return (uint64_t)header->system_paragraphs * PARAGRAPH;
}

static bool has_64bit_entry(const struct setup_header *header)
{
    return header->version >= PROTOCOL_64 && (header->extended_load_flags & XLF_KERNEL_64) != 0;
}

/* Reads the header as far as the image says it goes; what lies beyond is the kernel's code. */
static int read_header(const struct loading *loading, const struct guest_image *image,
                       struct setup_header *header)
{
    uint8_t distance;
    size_t length = sizeof(*header);

    memset(header, 0, sizeof(*header));
    if (!image_read(image, SIGNATURE_OFFSET - 1, &distance, 1)) {
        return loading_refuse(loading, -ENOEXEC, image, "truncated within its header");
    }
    if (SIGNATURE_OFFSET + distance - HEADER_OFFSET < length) {
        length = SIGNATURE_OFFSET + distance - HEADER_OFFSET;
    }
    if (!image_read(image, HEADER_OFFSET, header, length)) {
        return loading_refuse(loading, -ENOEXEC, image, "truncated within its header");
    }
    if (header->boot_flag != BOOT_FLAG) {
        return loading_refuse(loading, -ENOEXEC, image, "no boot flag 0xaa55 in its header");
    }
    if (header->version < PROTOCOL_MIN) {
        return loading_refuse(loading, -ENOTSUP, image,
                              "too old: boot protocol %u.%02u, 2.10 is the oldest supported",
                              header->version >> 8, header->version & 0xff);
    }
    if ((header->load_flags & LOADED_HIGH) == 0) {
        return loading_refuse(loading, -ENOTSUP, image, "a zImage (wants to be loaded low)");
    }
    uint64_t size = code_offset(header) + code_size(header);
    if (code_size(header) <= ENTRY_64 || image->size < size) {
        return loading_refuse(loading, -ENOEXEC, image,
                              "truncated: the header promises %lu bytes, the module has %lu", size,
                              image->size);
    }
    return 0;
}

/* Copies the protected-mode code to where the kernel wants to run. A relocatable kernel could lie
 * higher, but never needs to; one loaded lower moves itself to that place first. */
static int place_kernel(const struct loading *loading, const struct guest_image *image,
                        const struct setup_header *header, uint64_t *start, uint64_t *end)
{
    uint64_t address = header->preferred_address;
    uint64_t size = header->init_size;

    if (header->relocatable != 0 && header->kernel_alignment != 0) {
        if ((header->kernel_alignment & (header->kernel_alignment - 1)) != 0) {
            return loading_refuse(loading, -ENOEXEC, image, "its alignment 0x%x is no power of two",
                                  header->kernel_alignment);
        }
        if (address <= GUEST_LOW_RAM_END) {
            address = align_up(address, header->kernel_alignment);
        }
    }
    if (size < code_size(header)) {
        size = code_size(header);
    }
    if (address < LAYOUT_EXTENDED_MEMORY || address > GUEST_LOW_RAM_END) {
        return loading_refuse(loading, -ENOEXEC, image, "wants to be loaded at 0x%lx, not in RAM",
                              address);
    }
    if (address + size > loading->memory->low_size) {
        return loading_refuse(loading, -ENOMEM, image,
                              "needs memory from 0x%lx to 0x%lx, the VM's ends at 0x%lx", address,
                              address + size, loading->memory->low_size);
    }
    *start = address;
    *end = address + size;
    return image_copy(loading, image, code_offset(header), code_size(header), address);
}

static int place_cmdline(const struct loading *loading, const struct linux_boot *boot,
                         struct setup_header *header)
{
    size_t length = strlen(boot->cmdline);

    if (length > header->cmdline_size || length >= LAYOUT_LINUX_BOOT_END - LAYOUT_LINUX_CMDLINE) {
        return loading_refuse(loading, -ENOTSUP, &boot->kernel,
                              "its command line may have %u characters, this one has %lu",
                              header->cmdline_size, length);
    }
    header->cmdline_address = LAYOUT_LINUX_CMDLINE;
    if (guest_memory_write(loading->memory, LAYOUT_LINUX_CMDLINE, boot->cmdline, length + 1) != 0) {
        return loading_refuse(loading, -ENOMEM, &boot->kernel, "no memory for the command line");
    }
    return 0;
}

static int place_initrd(const struct loading *loading, const struct linux_boot *boot,
                        uint64_t kernel_end, struct setup_header *header)
{
    uint64_t address;

    if (boot->initrd.data == NULL) {
        header->ramdisk_address = 0;
        header->ramdisk_size = 0;
        return 0;
    }
    int error = image_place_high(loading, &boot->initrd, kernel_end,
                                 (uint64_t)header->initrd_address_max + 1, &address);
    if (error == 0) {
        header->ramdisk_address = (uint32_t)address;
        header->ramdisk_size = (uint32_t)boot->initrd.size;
    }
    return error;
}

static int write_boot_params(const struct loading *loading, const struct setup_header *header)
{
    struct memory_map map;
    /* The page is fresh and reads as zero, so only what is not zero is written. */
    struct boot_params *params =
        guest_memory_pointer(loading->memory, LAYOUT_LINUX_BOOT, sizeof(*params));

    if (params == NULL) {
        return -ENOMEM;
    }
    memory_map_build(loading->memory, &map);
    params->header = *header;
    params->rsdp_address = LAYOUT_RSDP;
    params->memory_map_count = (uint8_t)map.count;
    memcpy(params->memory_map, map.entries, map.count * sizeof(map.entries[0]));
    return 0;
}

int load_bzimage(const struct loading *loading, const struct linux_boot *boot,
                 struct boot_state *state)
{
    struct setup_header header;
    uint64_t start = 0;
    uint64_t end = 0;
    int error = read_header(loading, &boot->kernel, &header);

    if (error != 0) {
        return error;
    }
    header.loader_type = LOADER_UNKNOWN;
    error = place_kernel(loading, &boot->kernel, &header, &start, &end);
    if (error == 0) {
        error = place_cmdline(loading, boot, &header);
    }
    if (error == 0) {
        error = place_initrd(loading, boot, end, &header);
    }
    if (error != 0) {
        return error;
    }
    header.code32_start = (uint32_t)start;
    error = write_boot_params(loading, &header);
    if (error == 0 && has_64bit_entry(&header)) {
        error = boot_state_long(loading->memory, start + ENTRY_64, state);
    } else if (error == 0) {
        error = boot_state_protected(loading->memory, (uint32_t)start, state);
    }
    if (error != 0) {
        return loading_refuse(loading, -ENOMEM, &boot->kernel, "no memory for its parameters");
    }
    state->gpr[GPR_RSI] = LAYOUT_LINUX_BOOT;
    return 0;
}
