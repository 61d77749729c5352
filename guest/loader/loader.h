/*
 * Puts guest images into a VM's memory and says how its first vCPU starts.
 *
 * All functions return 0, -ENOEXEC (the image is broken or of no known format), -ENOTSUP (it needs
 * something that is not offered) or -ENOMEM (it does not fit the VM's memory); then `reason` says
 * what is wrong, starting with the image's name, and the VM's memory holds nothing of use. The
 * memory must be fresh (reads as zero): what an image wants cleared is not cleared again.
 */
#ifndef GUEST_LOADER_LOADER_H
#define GUEST_LOADER_LOADER_H

#include <stddef.h>

#include "guest/loader/boot_state.h"

#define LOADER_REASON_SIZE 256
#define LOADER_MODULES_MAX 16

struct linux_boot {
    struct guest_image kernel; /* bzImage, or ELF with a PVH entry note */
    struct guest_image initrd; /* data NULL: none */
    const char *cmdline;       /* never NULL */
};

struct multiboot_module {
    struct guest_image image;
    const char *cmdline; /* never NULL; what the guest is told, in full */
};

struct multiboot_boot {
    struct guest_image image; /* multiboot 1 or 2 */
    const char *cmdline;      /* never NULL */
    struct multiboot_module modules[LOADER_MODULES_MAX];
    unsigned module_count;
};

/** Loads a Linux kernel by whichever of its boot protocols the image offers. */
int load_linux(struct guest_memory *memory, const struct linux_boot *boot, struct boot_state *state,
               char *reason, size_t reason_size);

/** Loads a multiboot image; the header it carries says which version. The ACPI tables must be in
 * place before: a multiboot2 image is given a copy of the RSDP at LAYOUT_RSDP. */
int load_multiboot(struct guest_memory *memory, const struct multiboot_boot *boot,
                   struct boot_state *state, char *reason, size_t reason_size);

#endif
