#include "kernel/symbols.h"

#include <string.h>

#include "kernel/boot/boot_info.h"
#include "kernel/memory/paging.h"

static struct symbol_table kernel_symbols;

void symbols_init(void)
{
    const struct boot_info *boot = boot_info();
    const struct elf_section *sections = boot->elf_sections;

    if (sections == NULL || boot->elf_section_size != sizeof(struct elf_section)) {
        return;
    }
    for (uint32_t i = 0; i < boot->elf_section_count; i++) {
        const struct elf_section *names;

        if (sections[i].type != ELF_SECTION_SYMTAB || sections[i].link >= boot->elf_section_count) {
            continue;
        }
        names = &sections[sections[i].link];
        if (names->type != ELF_SECTION_STRTAB || names->address == 0 || sections[i].address == 0) {
            continue;
        }
        kernel_symbols = (struct symbol_table){
            .symbols = phys_to_virt(sections[i].address),
            .count = sections[i].size / sizeof(struct elf_symbol),
            .names = phys_to_virt(names->address),
            .names_size = names->size,
        };
        return;
    }
}

bool symbol_find(uint64_t address, const char **name, uint64_t *offset)
{
    return symbol_table_find(&kernel_symbols, address, name, offset);
}
