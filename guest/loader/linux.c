#include <errno.h>

#include "guest/loader/elf.h"
#include "guest/loader/linux.h"

int load_linux(struct guest_memory *memory, const struct linux_boot *boot, struct boot_state *state,
               char *reason, size_t reason_size)
{
    const struct loading loading = {.memory = memory, .reason = reason, .reason_size = reason_size};

    if (boot_bios_data(memory) != 0) {
        return loading_refuse(&loading, -ENOMEM, &boot->kernel, "the VM has no memory");
    }
    if (bzimage_detect(&boot->kernel)) {
        return load_bzimage(&loading, boot, state);
    }
    if (elf_detect(&boot->kernel)) {
        return load_pvh(&loading, boot, state);
    }
    return loading_refuse(&loading, -ENOEXEC, &boot->kernel,
                          "no Linux kernel: neither a bzImage nor an ELF file");
}
