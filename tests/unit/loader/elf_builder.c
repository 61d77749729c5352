#include "tests/unit/loader/elf_builder.h"

#include <string.h>

void put16(uint8_t *to, uint16_t value)
{
    memcpy(to, &value, sizeof(value));
}

void put32(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, sizeof(value));
}

void put64(uint8_t *to, uint64_t value)
{
    memcpy(to, &value, sizeof(value));
}

void elf_begin(struct elf_builder *elf, bool is64, uint64_t entry)
{
    memset(elf, 0, sizeof(*elf));
    elf->is64 = is64;
    elf->size = 0x200;
    memcpy(elf->bytes, "\177ELF", 4);
    elf->bytes[4] = is64 ? 2 : 1;
    elf->bytes[5] = 1;
    elf->bytes[6] = 1;
    put16(elf->bytes + 16, 2);             /* executable */
    put16(elf->bytes + 18, is64 ? 62 : 3); /* x86-64, 386 */
    put32(elf->bytes + 20, 1);
    if (is64) {
        put64(elf->bytes + 24, entry);
        put64(elf->bytes + 32, 0x40);
        put16(elf->bytes + 54, 56);
    } else {
        put32(elf->bytes + 24, (uint32_t)entry);
        put32(elf->bytes + 28, 0x40);
        put16(elf->bytes + 42, 32);
    }
}

void elf_add_segment(struct elf_builder *elf, uint32_t type, uint64_t offset, uint64_t virt,
                     uint64_t phys, uint64_t file_size, uint64_t memory_size)
{
    uint8_t *entry = elf->bytes + 0x40 + elf->segments * (elf->is64 ? 56 : 32);

    put32(entry, type);
    if (elf->is64) {
        put64(entry + 8, offset);
        put64(entry + 16, virt);
        put64(entry + 24, phys);
        put64(entry + 32, file_size);
        put64(entry + 40, memory_size);
    } else {
        put32(entry + 4, (uint32_t)offset);
        put32(entry + 8, (uint32_t)virt);
        put32(entry + 12, (uint32_t)phys);
        put32(entry + 16, (uint32_t)file_size);
        put32(entry + 20, (uint32_t)memory_size);
    }
    elf->segments++;
    put16(elf->bytes + (elf->is64 ? 56 : 44), (uint16_t)elf->segments);
    if (offset + file_size <= BUILD_SIZE && offset + file_size > elf->size) {
        elf->size = offset + file_size;
    }
}

size_t elf_set_sections(struct elf_builder *elf, uint64_t offset, unsigned count, unsigned names)
{
    uint8_t *bytes = elf->bytes;
    size_t entry_size = elf->is64 ? 64 : 40;

    if (elf->is64) {
        put64(bytes + 40, offset);
    } else {
        put32(bytes + 32, (uint32_t)offset);
    }
    bytes += elf->is64 ? 58 : 46;
    put16(bytes, (uint16_t)entry_size);
    put16(bytes + 2, (uint16_t)count);
    put16(bytes + 4, (uint16_t)names);
    if (offset + count * entry_size > elf->size) {
        elf->size = offset + count * entry_size;
    }
    return entry_size;
}

void elf_put_section(struct elf_builder *elf, uint64_t table, unsigned index, uint32_t type,
                     uint64_t address, uint64_t offset, uint64_t size)
{
    uint8_t *entry = elf->bytes + table + index * (elf->is64 ? 64 : 40);

    put32(entry + 4, type);
    if (elf->is64) {
        put64(entry + 16, address);
        put64(entry + 24, offset);
        put64(entry + 32, size);
    } else {
        put32(entry + 12, (uint32_t)address);
        put32(entry + 16, (uint32_t)offset);
        put32(entry + 20, (uint32_t)size);
    }
}
