/* The compiled dsdt.asl as bytes of this program. */
#include "guest/acpi_tables.h"

#include "guest/dsdt.hex"

const uint8_t *const acpi_dsdt = dsdt_aml_code;
const size_t acpi_dsdt_size = sizeof(dsdt_aml_code);
