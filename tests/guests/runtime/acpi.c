#include "tests/guests/runtime/acpi.h"

#include <stdbool.h>
#include <stddef.h>

#define BIOS_START UINT64_C(0xe0000)
#define BIOS_END   UINT64_C(0x100000)

#define RSDP_SIZE       20
#define RSDP_RSDT       16
#define TABLE_LENGTH    4
#define TABLE_HEADER    36
#define AML_PACKAGE     0x12
#define AML_BYTE_PREFIX 0x0a

uint32_t acpi_field(const uint8_t *table, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)table[offset + i] << (8 * i);
    }
    return value;
}

static bool starts_with(const uint8_t *bytes, const char *text)
{
    for (; *text != '\0'; text++, bytes++) {
        if (*bytes != (uint8_t)*text) {
            return false;
        }
    }
    return true;
}

static bool sums_to_zero(const uint8_t *bytes, uint32_t length)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0;
}

static const uint8_t *find_rsdt(void)
{
    for (uint64_t address = BIOS_START; address < BIOS_END; address += 16) {
        const uint8_t *rsdp = (const uint8_t *)(uintptr_t)address;

        if (starts_with(rsdp, "RSD PTR ") && sums_to_zero(rsdp, RSDP_SIZE)) {
            return (const uint8_t *)(uintptr_t)acpi_field(rsdp, RSDP_RSDT, 4);
        }
    }
    return NULL;
}

const uint8_t *acpi_find(const char *signature)
{
    const uint8_t *rsdt = find_rsdt();

    if (rsdt == NULL) {
        return NULL;
    }
    for (uint32_t i = TABLE_HEADER; i < acpi_field(rsdt, TABLE_LENGTH, 4); i += 4) {
        const uint8_t *table = (const uint8_t *)(uintptr_t)acpi_field(rsdt, i, 4);

        if (starts_with(table, signature) &&
            sums_to_zero(table, acpi_field(table, TABLE_LENGTH, 4))) {
            return table;
        }
    }
    return NULL;
}

int acpi_s5_type(void)
{
    const uint8_t *fadt = acpi_find("FACP");

    if (fadt == NULL) {
        return -1;
    }
    const uint8_t *dsdt = (const uint8_t *)(uintptr_t)acpi_field(fadt, FADT_DSDT, 4);
    uint32_t length = acpi_field(dsdt, TABLE_LENGTH, 4);
    for (uint32_t i = TABLE_HEADER; i + 10 < length; i++) {
        /* Name(\_S5_, Package(n) {byte, ...}): a package of a few bytes, the length is one. */
        if (!starts_with(dsdt + i, "_S5_") || dsdt[i + 4] != AML_PACKAGE) {
            continue;
        }
        const uint8_t *element = dsdt + i + 7;
        return *element == AML_BYTE_PREFIX ? element[1] : *element;
    }
    return -1;
}
