#include <string.h>

#include "kernel/symbols.h"

/* Functions written in assembly may have neither type nor size: they reach to the next symbol. */
static bool is_code(const struct elf_symbol *symbol)
{
    unsigned type = symbol->info & ELF_SYMBOL_TYPE_MASK;

    return symbol->section != 0 && symbol->section < ELF_SECTION_RESERVED &&
           (type == ELF_SYMBOL_FUNCTION || type == ELF_SYMBOL_NOTYPE);
}

bool symbol_table_find(const struct symbol_table *table, uint64_t address, const char **name,
                       uint64_t *offset)
{
    const struct elf_symbol *best = NULL;

    for (size_t i = 0; i < table->count; i++) {
        const struct elf_symbol *symbol = &table->symbols[i];

        /* At the same address a function wins over a mere label. */
        if (is_code(symbol) && symbol->value <= address &&
            (best == NULL || symbol->value > best->value ||
             (symbol->value == best->value && symbol->size > best->size))) {
            best = symbol;
        }
    }
    if (best == NULL || (best->size != 0 && address - best->value >= best->size) ||
        best->name >= table->names_size ||
        memchr(table->names + best->name, '\0', table->names_size - best->name) == NULL) {
        return false;
    }
    *name = table->names + best->name;
    *offset = address - best->value;
    return true;
}
