/*
 * The parsers of the ACPI tables: bytes in, struct acpi_info out. Pure; every read is inside the
 * bytes given, whatever these say.
 */
#ifndef KERNEL_ACPI_TABLES_H
#define KERNEL_ACPI_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/acpi/acpi.h"

#define ACPI_RSDP_SIZE   36u
#define ACPI_HEADER_SIZE 36u

/** Makes [phys, +size) readable; NULL if that cannot be. */
typedef const uint8_t *(*acpi_map)(uint64_t phys, size_t size);

/* One table, its header's length and its checksum verified. */
struct acpi_table {
    const uint8_t *bytes;
    size_t length; /* at least ACPI_HEADER_SIZE */
};

/** All tables that `rsdp` leads to. 0; -ENOENT when there is no RSDP (all zero); -EINVAL when the
 * RSDP or the root table is broken. `info` is valid in any case. */
int acpi_parse(const uint8_t rsdp[static ACPI_RSDP_SIZE], acpi_map map, struct acpi_info *info);

/** Maps and verifies the table at `phys`; false and a line in the log if it is broken. */
bool acpi_table_open(uint64_t phys, acpi_map map, struct acpi_table *table);

void acpi_parse_madt(const struct acpi_table *table, struct acpi_info *info);
void acpi_parse_mcfg(const struct acpi_table *table, struct acpi_info *info);
/** Returns the physical address of the DSDT, 0 if there is none. */
uint64_t acpi_parse_fadt(const struct acpi_table *table, struct acpi_info *info);
/** Looks for \_S5 in a DSDT or SSDT. */
void acpi_parse_s5(const struct acpi_table *table, struct acpi_info *info);

/* Little-endian fields at any alignment; 0 where the table is too short to have the field. */
uint8_t acpi_u8(const struct acpi_table *table, size_t offset);
uint16_t acpi_u16(const struct acpi_table *table, size_t offset);
uint32_t acpi_u32(const struct acpi_table *table, size_t offset);
uint64_t acpi_u64(const struct acpi_table *table, size_t offset);

#endif
