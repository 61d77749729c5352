/*
 * The ACPI tables of a VM (ACPI specification 6.x, chapter 5): RSDP, RSDT, XSDT, FADT, FACS, MADT,
 * DSDT (compiled from dsdt.asl) and an SSDT with the processors. Pure: written into a buffer that
 * the caller copies to guest memory.
 */
#ifndef GUEST_ACPI_TABLES_H
#define GUEST_ACPI_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* Where the tables go by custom: the firmware area below 1 MiB, which operating systems search for
 * the RSDP on 16-byte boundaries. The RSDP is the first thing in the buffer. */
#define ACPI_TABLES_BASE UINT64_C(0xe0000)
#define ACPI_TABLES_SIZE 0x10000u

#define ACPI_MAX_VCPUS 256u

struct acpi_tables_config {
    uint64_t base;  /* guest-physical address of the buffer's first byte; 64-byte aligned, below
                       4 GiB - ACPI_TABLES_SIZE */
    unsigned vcpus; /* 1..ACPI_MAX_VCPUS; APIC ids are 0..vcpus-1 */
    uint8_t ioapic_id;
    const uint8_t *dsdt;
    size_t dsdt_size;
};

/** Writes the tables to `buffer`; the RSDP is at its start. Returns the bytes used, -EINVAL for
 * a wrong configuration, or -ENOSPC. */
long acpi_tables_build(const struct acpi_tables_config *config, void *buffer, size_t capacity);

/* The compiled dsdt.asl. */
extern const uint8_t *const acpi_dsdt;
extern const size_t acpi_dsdt_size;

#endif
