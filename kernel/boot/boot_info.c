#include "kernel/boot/boot_info.h"

#include <string.h>

#include "kernel/boot/boot.h"
#include "kernel/boot/multiboot2.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"

#define ARENA_SIZE 16384u
/* No boot loader writes more; what claims to is broken. */
#define INFORMATION_MAX (UINT32_C(4) << 20)

static char arena_memory[ARENA_SIZE] __attribute__((aligned(8)));
static struct boot_info info;

void boot_info_init(uint64_t information)
{
    struct boot_arena arena = {.memory = arena_memory, .size = sizeof(arena_memory)};

    if (multiboot2_parse(phys_to_virt(information), INFORMATION_MAX, &arena, &info) != 0) {
        panic("the boot loader's information at 0x%lx is broken", information);
    }
}

const struct boot_info *boot_info(void)
{
    return &info;
}

const struct boot_module *boot_module_find(const char *name)
{
    for (unsigned i = 0; i < info.module_count; i++) {
        if (strcmp(info.modules[i].name, name) == 0) {
            return &info.modules[i];
        }
    }
    return NULL;
}
