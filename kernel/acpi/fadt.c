/* The fixed ACPI description table (ACPI 6.5, 5.2.9) and the sleep type for power-off (7.4.2.6). */
#include "kernel/acpi/tables.h"

#include <string.h>

#include "kernel/log.h"

#define FADT_DSDT           40u
#define FADT_SMI_COMMAND    48u
#define FADT_ACPI_ENABLE    52u
#define FADT_PM1A_CONTROL   64u
#define FADT_PM1B_CONTROL   68u
#define FADT_PM_TIMER       76u
#define FADT_CENTURY        108u
#define FADT_FLAGS          112u
#define FADT_RESET          116u
#define FADT_RESET_VALUE    128u
#define FADT_X_DSDT         140u
#define FADT_X_PM1A_CONTROL 172u
#define FADT_X_PM1B_CONTROL 184u
#define FADT_X_PM_TIMER     208u

/* The shortest there ever was (ACPI 1.0). */
#define FADT_LENGTH_MIN 116u

#define FADT_FLAG_TIMER_32BIT     (1u << 8)
#define FADT_FLAG_RESET_SUPPORTED (1u << 10)

/* The AML that makes up `Name (_S5, Package () {a, b, ...})` (20.2). */
#define AML_ZERO    0x00u
#define AML_ONE     0x01u
#define AML_NAME    0x08u
#define AML_BYTE    0x0au
#define AML_WORD    0x0bu
#define AML_DWORD   0x0cu
#define AML_PACKAGE 0x12u
#define AML_ROOT    0x5cu
#define AML_ONES    0xffu

#define SLEEP_TYPE_MASK 7u

/* Generic address structure (5.2.3.2). */
static struct acpi_register generic_register(const struct acpi_table *table, size_t offset)
{
    return (struct acpi_register){.address = acpi_u64(table, offset + 4),
                                  .space = acpi_u8(table, offset)};
}

/* The extended field where there is one in I/O space, else the old one, a port number. */
static struct acpi_register port_register(const struct acpi_table *table, size_t offset,
                                          size_t extended_offset)
{
    struct acpi_register extended = generic_register(table, extended_offset);

    if (extended.space == ACPI_SPACE_IO && extended.address && extended.address <= UINT16_MAX) {
        return extended;
    }
    return (struct acpi_register){.address = acpi_u32(table, offset) & UINT16_MAX,
                                  .space = ACPI_SPACE_IO};
}

uint64_t acpi_parse_fadt(const struct acpi_table *table, struct acpi_info *info)
{
    uint32_t flags = acpi_u32(table, FADT_FLAGS);
    uint64_t dsdt = acpi_u64(table, FADT_X_DSDT);

    if (table->length < FADT_LENGTH_MIN) {
        log_warn("ACPI: FADT ignored: only %zu bytes long", table->length);
        return 0;
    }
    info->has_fadt = true;
    info->smi_command = (uint16_t)acpi_u32(table, FADT_SMI_COMMAND);
    info->acpi_enable = acpi_u8(table, FADT_ACPI_ENABLE);
    info->century = acpi_u8(table, FADT_CENTURY);
    info->pm_timer = port_register(table, FADT_PM_TIMER, FADT_X_PM_TIMER);
    info->pm_timer_32bit = (flags & FADT_FLAG_TIMER_32BIT) != 0;
    info->pm1a_control = port_register(table, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
    info->pm1b_control = port_register(table, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
    if (flags & FADT_FLAG_RESET_SUPPORTED) {
        info->reset = generic_register(table, FADT_RESET);
        info->reset_value = acpi_u8(table, FADT_RESET_VALUE);
    }
    return dsdt ? dsdt : acpi_u32(table, FADT_DSDT);
}

/* An integer of a package at `*at`, which moves past it; false if it is something else. */
static bool aml_integer(const struct acpi_table *table, size_t *at, uint32_t *value)
{
    uint8_t opcode;
    size_t size;

    if (*at >= table->length) {
        return false;
    }
    opcode = table->bytes[(*at)++];
    switch (opcode) {
    case AML_ZERO:
    case AML_ONE:
    case AML_ONES:
        *value = opcode;
        return true;
    case AML_BYTE:
        size = 1;
        break;
    case AML_WORD:
        size = 2;
        break;
    case AML_DWORD:
        size = 4;
        break;
    default:
        return false;
    }
    if (size > table->length - *at) {
        return false;
    }
    *value = acpi_u8(table, *at); /* the sleep type is in the low bits */
    *at += size;
    return true;
}

/* The two sleep types of the package that starts at `at`. */
static bool sleep_package(const struct acpi_table *table, size_t at, uint32_t types[static 2])
{
    uint8_t lead;
    uint8_t elements;

    if (acpi_u8(table, at) != AML_PACKAGE) {
        return false;
    }
    /* The top two bits of the package length say how many bytes more it has. */
    lead = acpi_u8(table, at + 1);
    at += 2 + (size_t)(lead >> 6);
    elements = acpi_u8(table, at++);
    if (elements < 1 || !aml_integer(table, &at, &types[0])) {
        return false;
    }
    if (elements < 2 || !aml_integer(table, &at, &types[1])) {
        types[1] = types[0];
    }
    return true;
}

void acpi_parse_s5(const struct acpi_table *table, struct acpi_info *info)
{
    static const uint8_t name[4] = {'_', 'S', '5', '_'};
    const uint8_t *end = table->bytes + table->length;
    uint32_t types[2];

    if (info->has_s5) {
        return;
    }
    for (const uint8_t *at = table->bytes + ACPI_HEADER_SIZE + 1; at + sizeof(name) <= end; at++) {
        if (*at != name[0] || memcmp(at, name, sizeof(name)) != 0) {
            continue;
        }
        if (at[-1] != AML_NAME && !(at[-1] == AML_ROOT && at[-2] == AML_NAME)) {
            continue; /* a mention, not the definition */
        }
        if (sleep_package(table, (size_t)(at - table->bytes) + sizeof(name), types)) {
            info->has_s5 = true;
            info->s5_a = types[0] & SLEEP_TYPE_MASK;
            info->s5_b = types[1] & SLEEP_TYPE_MASK;
            return;
        }
    }
}
