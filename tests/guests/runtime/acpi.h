/*
 * As much ACPI as the tests need: finding static tables.
 */
#ifndef TESTS_GUESTS_RUNTIME_ACPI_H
#define TESTS_GUESTS_RUNTIME_ACPI_H

#include <stdint.h>

/* Offsets in the FADT (ACPI 6.5, 5.2.9). */
#define FADT_DSDT     40
#define FADT_SCI      46
#define FADT_PM1A_EVT 56
#define FADT_PM1A_CNT 64
#define FADT_PM_TMR   76

/** The table with this signature of four letters, its checksum verified; NULL if there is none. */
const uint8_t *acpi_find(const char *signature);
/** A little-endian field of 1 to 4 bytes. */
uint32_t acpi_field(const uint8_t *table, unsigned offset, unsigned size);
/** SLP_TYP of the state S5, from the DSDT; -1 if there is none. */
int acpi_s5_type(void);

#endif
