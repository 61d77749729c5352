/*
 * As much ACPI (ACPI 6.5, chapter 5) as Linux needs to find CPUs and the I/O APIC. No device is
 * described, so the DSDT is empty.
 */
#include <string.h>

#include "tests/bench/kvm/launcher.h"

#define HEADER_SIZE 36u
#define CHECKSUM    9u /* offset in a table's header */

#define RSDP_SIZE 36u
#define MADT_SIZE 256u
#define FADT_SIZE 276u
#define XSDT_SIZE (HEADER_SIZE + 2 * 8)

#define LOCAL_APIC_ADDRESS 0xfee00000u
#define IO_APIC_ADDRESS    0xfec00000u
#define SCI                9
#define PM1_EVENT_PORT     0x600
#define PM1_CONTROL_PORT   0x604

/* Offsets in the FADT. */
#define FADT_DSDT              40
#define FADT_SCI               46
#define FADT_PM1_EVENT         56
#define FADT_PM1_CONTROL       64
#define FADT_PM1_EVENT_LENGTH  88
#define FADT_PM1_CONTROL_SIZE  89
#define FADT_BOOT_ARCHITECTURE 109
#define FADT_FLAGS             112

#define BOOT_LEGACY_DEVICES 0x01
#define BOOT_NO_VGA         0x04
#define BOOT_NO_RTC         0x20
#define FLAG_WBINVD         0x01
#define FLAG_NO_BUTTONS     0x30 /* no power or sleep button in the fixed registers */

enum { MADT_LOCAL_APIC, MADT_IO_APIC, MADT_OVERRIDE };

static uint8_t *put(uint8_t *at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
    return at + size;
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
    uint8_t total = 0;

    for (size_t i = 0; i < size; i++) {
        total = (uint8_t)(total + bytes[i]);
    }
    return total;
}

static void finish(uint8_t *table, const char *signature, uint8_t revision, size_t size)
{
    memcpy(table, signature, 4);
    put(table + 4, size, 4);
    table[8] = revision;
    memcpy(table + 10, "BENCH LAUNCHER", 14);
    put(table + 24, 1, 4);
    memcpy(table + 28, "BNCH", 4);
    put(table + 32, 1, 4);
    table[CHECKSUM] = 0;
    table[CHECKSUM] = (uint8_t)-sum(table, size);
}

static void write_madt(uint8_t *table, unsigned vcpus)
{
    uint8_t *at = put(table + HEADER_SIZE, LOCAL_APIC_ADDRESS, 4);

    at = put(at, 1, 4); /* there is an 8259 pair, too */
    for (unsigned i = 0; i < vcpus; i++) {
        at = put(put(at, MADT_LOCAL_APIC, 1), 8, 1);
        at = put(put(at, i, 1), i, 1); /* processor, APIC id */
        at = put(at, 1, 4);            /* enabled */
    }
    at = put(put(at, MADT_IO_APIC, 1), 12, 1);
    at = put(put(at, vcpus, 1), 0, 1);
    at = put(put(at, IO_APIC_ADDRESS, 4), 0, 4);
    at = put(put(at, MADT_OVERRIDE, 1), 10, 1);
    at = put(put(at, 0, 1), 0, 1); /* ISA, the 8254's interrupt */
    at = put(put(at, 2, 4), 0, 2); /* is at input 2 */
    finish(table, "APIC", 5, (size_t)(at - table));
}

static void write_fadt(uint8_t *table, uint32_t dsdt)
{
    put(table + FADT_DSDT, dsdt, 4);
    put(table + FADT_SCI, SCI, 2);
    put(table + FADT_PM1_EVENT, PM1_EVENT_PORT, 4);
    put(table + FADT_PM1_CONTROL, PM1_CONTROL_PORT, 4);
    table[FADT_PM1_EVENT_LENGTH] = 4;
    table[FADT_PM1_CONTROL_SIZE] = 2;
    put(table + FADT_BOOT_ARCHITECTURE, BOOT_LEGACY_DEVICES | BOOT_NO_VGA | BOOT_NO_RTC, 2);
    put(table + FADT_FLAGS, FLAG_WBINVD | FLAG_NO_BUTTONS, 4);
    finish(table, "FACP", 6, FADT_SIZE);
}

void write_acpi_tables(struct guest *guest)
{
    uint8_t *rsdp = guest->memory + ACPI_TABLES;
    uint8_t *xsdt = rsdp + RSDP_SIZE;
    uint8_t *dsdt = xsdt + XSDT_SIZE;
    uint8_t *madt = dsdt + HEADER_SIZE;
    uint8_t *fadt = madt + MADT_SIZE;

    finish(dsdt, "DSDT", 2, HEADER_SIZE);
    write_madt(madt, guest->vcpu_count);
    write_fadt(fadt, (uint32_t)(dsdt - guest->memory));
    put(xsdt + HEADER_SIZE, (uint64_t)(fadt - guest->memory), 8);
    put(xsdt + HEADER_SIZE + 8, (uint64_t)(madt - guest->memory), 8);
    finish(xsdt, "XSDT", 1, XSDT_SIZE);

    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, "BENCH ", 6);
    rsdp[15] = 2; /* revision: has an XSDT */
    put(rsdp + 20, RSDP_SIZE, 4);
    put(rsdp + 24, (uint64_t)(xsdt - guest->memory), 8);
    rsdp[8] = (uint8_t)-sum(rsdp, 20);
    rsdp[32] = (uint8_t)-sum(rsdp, RSDP_SIZE);
}
