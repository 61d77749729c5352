/* Writes each ACPI table of a VM to a file DIRECTORY/SIGNATURE.dat, for judge_acpi_tables.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/acpi_tables.h"

#define SIGNATURES 7

static uint8_t tables[ACPI_TABLES_SIZE];

static int write_table(const char *directory, const uint8_t *table)
{
    char path[4096];
    uint32_t length;
    FILE *file;
    int error;

    memcpy(&length, table + 4, sizeof(length));
    snprintf(path, sizeof(path), "%s/%.4s.dat", directory, (const char *)table);
    file = fopen(path, "wb");
    if (!file) {
        perror(path);
        return 1;
    }
    error = fwrite(table, length, 1, file) != 1;
    return fclose(file) != 0 || error;
}

int main(int argc, char **argv)
{
    static const char signatures[SIGNATURES][5] = {"FACS", "DSDT", "FACP", "APIC",
                                                   "SSDT", "RSDT", "XSDT"};
    struct acpi_tables_config config = {
        .base = ACPI_TABLES_BASE, .dsdt = acpi_dsdt, .dsdt_size = acpi_dsdt_size};
    long used;
    long offset = 0;
    int written = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: %s DIRECTORY VCPUS\n", argv[0]);
        return 2;
    }
    config.vcpus = (unsigned)strtoul(argv[2], NULL, 10);
    used = acpi_tables_build(&config, tables, sizeof(tables));
    /* In the builder's order, each on a 16-byte boundary; pointers are the unit test's business. */
    while (offset < used && written < SIGNATURES) {
        if (memcmp(tables + offset, signatures[written], 4) == 0) {
            if (write_table(argv[1], tables + offset)) {
                return 1;
            }
            written++;
        }
        offset += 16;
    }
    return written == SIGNATURES ? 0 : 1;
}
