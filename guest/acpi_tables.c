#include "guest/acpi_tables.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "guest/devices/acpi_pm.h"
#include "guest/devices/misc_ports.h"
#include "guest/layout.h"

#define OEM_ID       "INNKPR"
#define OEM_TABLE_ID "INNKEEPR"
#define CREATOR_ID   "INNK"

#define RSDP_SIZE          36u
#define RSDP_V1_SIZE       20u /* what its first checksum covers */
#define RSDP_CHECKSUM      8u
#define RSDP_FULL_CHECKSUM 32u

#define HEADER_SIZE     36u
#define HEADER_LENGTH   4u
#define HEADER_CHECKSUM 9u

#define TABLE_ALIGNMENT 16u
#define FACS_ALIGNMENT  64u
#define FACS_SIZE       64u
#define FACS_VERSION    2u

#define FADT_REVISION       6u
#define FADT_MINOR_VERSION  3u
#define FADT_NO_C2_LATENCY  0xfffu /* more than 100 us: no such state */
#define FADT_NO_C3_LATENCY  0xfffu
#define FADT_CENTURY        0x32u
#define BOOT_LEGACY_DEVICES 0x0001u
#define BOOT_NO_VGA         0x0004u
#define FADT_WBINVD         (1u << 0)
#define FADT_PROC_C1        (1u << 2)
#define FADT_SLEEP_BUTTON   (1u << 5) /* it is not fixed hardware: there is none */
#define FADT_FIX_RTC        (1u << 6) /* RTC wake is not in PM1: there is none */
#define FADT_TIMER_32_BIT   (1u << 8)
#define FADT_RESET_REGISTER (1u << 10)
#define FADT_FLAGS                                                                       \
    (FADT_WBINVD | FADT_PROC_C1 | FADT_SLEEP_BUTTON | FADT_FIX_RTC | FADT_TIMER_32_BIT | \
     FADT_RESET_REGISTER)

#define GAS_IO           1u
#define GAS_BYTE         1u
#define GAS_WORD         2u
#define GAS_DWORD        3u
#define PM1_EVENT_SIZE   4u
#define PM1_CONTROL_SIZE 2u
#define PM_TIMER_SIZE    4u

#define MADT_REVISION         5u
#define MADT_PCAT_COMPAT      1u
#define MADT_LOCAL_APIC       0u
#define MADT_IO_APIC          1u
#define MADT_OVERRIDE         2u
#define MADT_LOCAL_APIC_NMI   4u
#define MADT_LOCAL_X2APIC     9u
#define MADT_LOCAL_X2APIC_NMI 10u
#define MADT_ENABLED          1u
#define MADT_ALL_PROCESSORS   0xffu
#define MADT_ALL_X2           0xffffffffu
#define MADT_BUS_DEFAULT      0x0000u
#define MADT_LEVEL_HIGH       0x000du
#define FIRST_X2APIC_ID       255u /* 255 is the broadcast of xAPIC mode */
#define PIT_GSI               2u
#define NMI_LINT              1u

/* AML of the SSDT (ACPI 20.2). */
#define AML_NAME          0x08u
#define AML_WORD          0x0bu
#define AML_STRING        0x0du
#define AML_SCOPE         0x10u
#define AML_ROOT          0x5cu
#define AML_EXTENDED      0x5bu
#define AML_DEVICE        0x82u
#define AML_DEVICE_LENGTH 28u /* from the length byte on: fits its one-byte form */

struct writer {
    uint8_t *bytes;
    size_t used;
    size_t capacity;
    bool full; /* something did not fit */
};

static void put_bytes(struct writer *writer, const void *bytes, size_t count)
{
    if (count > writer->capacity - writer->used) {
        writer->full = true;
        return;
    }
    memcpy(writer->bytes + writer->used, bytes, count);
    writer->used += count;
}

/* `size` low bytes of `value`, low byte first. */
static void put(struct writer *writer, uint64_t value, unsigned size)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    put_bytes(writer, bytes, size);
}

static void put_zeros(struct writer *writer, size_t count)
{
    while (count--) {
        put(writer, 0, 1);
    }
}

static void align(struct writer *writer, size_t alignment)
{
    put_zeros(writer, (0 - writer->used) & (alignment - 1));
}

static uint8_t checksum(const uint8_t *bytes, size_t count)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)(0 - sum);
}

/* Starts a table; returns its offset. Its length and checksum come at its end. */
static size_t begin_table(struct writer *writer, const char *signature, uint8_t revision)
{
    size_t start;

    align(writer, TABLE_ALIGNMENT);
    start = writer->used;
    put_bytes(writer, signature, 4);
    put(writer, 0, 4); /* length */
    put(writer, revision, 1);
    put(writer, 0, 1); /* checksum */
    put_bytes(writer, OEM_ID, 6);
    put_bytes(writer, OEM_TABLE_ID, 8);
    put(writer, 1, 4); /* OEM revision */
    put_bytes(writer, CREATOR_ID, 4);
    put(writer, 1, 4); /* creator revision */
    return start;
}

static void end_table(struct writer *writer, size_t start)
{
    size_t length = writer->used - start;

    if (writer->full) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        writer->bytes[start + HEADER_LENGTH + i] = (uint8_t)(length >> (8 * i));
    }
    writer->bytes[start + HEADER_CHECKSUM] = checksum(writer->bytes + start, length);
}

static void put_gas(struct writer *writer, unsigned port, unsigned size, unsigned access)
{
    put(writer, GAS_IO, 1);
    put(writer, UINT64_C(8) * size, 1);
    put(writer, 0, 1); /* bit offset */
    put(writer, access, 1);
    put(writer, port, 8);
}

static void put_no_gas(struct writer *writer)
{
    put_zeros(writer, 12);
}

/* Fixed ACPI hardware by plain port numbers, from offset 48 of the FADT on. */
static void put_fadt_ports(struct writer *writer)
{
    put(writer, 0, 4); /* no SMI command port: ACPI mode is always on */
    put(writer, 0, 4); /* nor values for it */
    put(writer, ACPI_PM_BASE + ACPI_PM1_STATUS, 4);
    put(writer, 0, 4); /* no PM1b */
    put(writer, ACPI_PM_BASE + ACPI_PM1_CONTROL, 4);
    put(writer, 0, 4);
    put(writer, 0, 4); /* no PM2 */
    put(writer, ACPI_PM_BASE + ACPI_PM_TIMER, 4);
    put(writer, 0, 8); /* no general-purpose events */
    put(writer, PM1_EVENT_SIZE, 1);
    put(writer, PM1_CONTROL_SIZE, 1);
    put(writer, 0, 1);
    put(writer, PM_TIMER_SIZE, 1);
    put(writer, 0, 4); /* GPE sizes and base, no _CST notification */
}

static size_t put_fadt(struct writer *writer, uint64_t facs, uint64_t dsdt)
{
    size_t start = begin_table(writer, "FACP", FADT_REVISION);

    put(writer, facs, 4);
    put(writer, dsdt, 4);
    put(writer, 0, 1);
    put(writer, 0, 1); /* no preferred power profile */
    put(writer, ACPI_SCI_IRQ, 2);
    put_fadt_ports(writer);
    put(writer, FADT_NO_C2_LATENCY, 2);
    put(writer, FADT_NO_C3_LATENCY, 2);
    put(writer, 0, 4); /* flush size and stride: WBINVD works */
    put(writer, 0, 2); /* no clock throttling */
    put(writer, 0, 2); /* no day and month alarm */
    put(writer, FADT_CENTURY, 1);
    put(writer, BOOT_LEGACY_DEVICES | BOOT_NO_VGA,
        2); /* and no 8042 that drivers should look for */
    put(writer, 0, 1);
    put(writer, FADT_FLAGS, 4);
    put_gas(writer, RESET_CONTROL_PORT, 1, GAS_BYTE);
    put(writer, RESET_CONTROL_RESET, 1);
    put(writer, 0, 2); /* ARM boot flags */
    put(writer, FADT_MINOR_VERSION, 1);
    put(writer, 0, 8); /* FACS is named by the 32-bit field alone (ACPI 5.2.9) */
    put(writer, dsdt, 8);
    put_gas(writer, ACPI_PM_BASE + ACPI_PM1_STATUS, PM1_EVENT_SIZE, GAS_WORD);
    put_no_gas(writer); /* PM1b events */
    put_gas(writer, ACPI_PM_BASE + ACPI_PM1_CONTROL, PM1_CONTROL_SIZE, GAS_WORD);
    put_no_gas(writer); /* PM1b control */
    put_no_gas(writer); /* PM2 control */
    put_gas(writer, ACPI_PM_BASE + ACPI_PM_TIMER, PM_TIMER_SIZE, GAS_DWORD);
    put_no_gas(writer);               /* GPE0 */
    put_no_gas(writer);               /* GPE1 */
    put_no_gas(writer);               /* sleep control, of reduced hardware only */
    put_no_gas(writer);               /* sleep status */
    put_bytes(writer, "INNKEEPR", 8); /* hypervisor */
    end_table(writer, start);
    return start;
}

static void put_processor(struct writer *writer, unsigned id)
{
    if (id < FIRST_X2APIC_ID) {
        put(writer, MADT_LOCAL_APIC, 1);
        put(writer, 8, 1);
        put(writer, id, 1); /* processor UID, as in the SSDT */
        put(writer, id, 1);
        put(writer, MADT_ENABLED, 4);
    } else {
        put(writer, MADT_LOCAL_X2APIC, 1);
        put(writer, 16, 1);
        put(writer, 0, 2);
        put(writer, id, 4);
        put(writer, MADT_ENABLED, 4);
        put(writer, id, 4);
    }
}

static void put_override(struct writer *writer, unsigned irq, unsigned gsi, unsigned flags)
{
    put(writer, MADT_OVERRIDE, 1);
    put(writer, 10, 1);
    put(writer, 0, 1); /* ISA */
    put(writer, irq, 1);
    put(writer, gsi, 4);
    put(writer, flags, 2);
}

static void put_local_nmi(struct writer *writer, unsigned vcpus)
{
    put(writer, MADT_LOCAL_APIC_NMI, 1);
    put(writer, 6, 1);
    put(writer, MADT_ALL_PROCESSORS, 1);
    put(writer, MADT_BUS_DEFAULT, 2);
    put(writer, NMI_LINT, 1);
    if (vcpus > FIRST_X2APIC_ID) {
        put(writer, MADT_LOCAL_X2APIC_NMI, 1);
        put(writer, 12, 1);
        put(writer, MADT_BUS_DEFAULT, 2);
        put(writer, MADT_ALL_X2, 4);
        put(writer, NMI_LINT, 1);
        put(writer, 0, 3);
    }
}

static size_t put_madt(struct writer *writer, const struct acpi_tables_config *config)
{
    size_t start = begin_table(writer, "APIC", MADT_REVISION);

    put(writer, LAYOUT_LOCAL_APIC, 4);
    put(writer, MADT_PCAT_COMPAT, 4);
    for (unsigned id = 0; id < config->vcpus; id++) {
        put_processor(writer, id);
    }
    put(writer, MADT_IO_APIC, 1);
    put(writer, 12, 1);
    put(writer, config->ioapic_id, 1);
    put(writer, 0, 1);
    put(writer, LAYOUT_IOAPIC, 4);
    put(writer, 0, 4); /* its first GSI */
    put_override(writer, 0, PIT_GSI, MADT_BUS_DEFAULT);
    put_override(writer, ACPI_SCI_IRQ, ACPI_SCI_IRQ, MADT_LEVEL_HIGH);
    put_local_nmi(writer, config->vcpus);
    end_table(writer, start);
    return start;
}

/* A package length (ACPI 20.2.4) in its three-byte form; `length` counts these bytes too. */
static void put_package_length(struct writer *writer, size_t length)
{
    put(writer, 2u << 6 | (length & 0xf), 1);
    put(writer, length >> 4, 2);
}

/* Device (Cxxx) { Name (_HID, "ACPI0007") Name (_UID, id) } */
static void put_processor_device(struct writer *writer, unsigned id)
{
    static const char digits[] = "0123456789ABCDEF";
    const char name[4] = {'C', digits[id >> 8 & 0xf], digits[id >> 4 & 0xf], digits[id & 0xf]};

    put(writer, AML_EXTENDED, 1);
    put(writer, AML_DEVICE, 1);
    put(writer, AML_DEVICE_LENGTH, 1);
    put_bytes(writer, name, 4);
    put(writer, AML_NAME, 1);
    put_bytes(writer, "_HID", 4);
    put(writer, AML_STRING, 1);
    put_bytes(writer, "ACPI0007", 9); /* its terminating zero too */
    put(writer, AML_NAME, 1);
    put_bytes(writer, "_UID", 4);
    put(writer, AML_WORD, 1);
    put(writer, id, 2);
}

/* Scope (\_SB) { the processors } */
static size_t put_ssdt(struct writer *writer, unsigned vcpus)
{
    size_t start = begin_table(writer, "SSDT", 2);

    put(writer, AML_SCOPE, 1);
    put_package_length(writer, 3 + 5 + (size_t)vcpus * (2 + AML_DEVICE_LENGTH));
    put(writer, AML_ROOT, 1);
    put_bytes(writer, "_SB_", 4);
    for (unsigned id = 0; id < vcpus; id++) {
        put_processor_device(writer, id);
    }
    end_table(writer, start);
    return start;
}

static size_t put_facs(struct writer *writer)
{
    size_t start;

    align(writer, FACS_ALIGNMENT);
    start = writer->used;
    put_bytes(writer, "FACS", 4);
    put(writer, FACS_SIZE, 4);
    put_zeros(writer, 24); /* hardware signature, waking vectors, global lock, flags */
    put(writer, FACS_VERSION, 1);
    put_zeros(writer, 31);
    return start;
}

/* RSDT (4-byte entries) and XSDT (8-byte entries) say the same. */
static size_t put_root(struct writer *writer, const char *signature, unsigned entry_size,
                       const uint64_t *tables, unsigned count)
{
    size_t start = begin_table(writer, signature, 1);

    for (unsigned i = 0; i < count; i++) {
        put(writer, tables[i], entry_size);
    }
    end_table(writer, start);
    return start;
}

static void write_rsdp(uint8_t *rsdp, uint64_t rsdt, uint64_t xsdt)
{
    struct writer writer = {.bytes = rsdp, .capacity = RSDP_SIZE};

    put_bytes(&writer, "RSD PTR ", 8);
    put(&writer, 0, 1); /* checksum */
    put_bytes(&writer, OEM_ID, 6);
    put(&writer, 2, 1); /* revision */
    put(&writer, rsdt, 4);
    put(&writer, RSDP_SIZE, 4);
    put(&writer, xsdt, 8);
    put(&writer, 0, 4); /* full checksum, reserved */
    rsdp[RSDP_CHECKSUM] = checksum(rsdp, RSDP_V1_SIZE);
    rsdp[RSDP_FULL_CHECKSUM] = checksum(rsdp, RSDP_SIZE);
}

long acpi_tables_build(const struct acpi_tables_config *config, void *buffer, size_t capacity)
{
    struct writer writer = {.bytes = buffer, .capacity = capacity};
    uint64_t tables[3];
    uint64_t rsdt;
    uint64_t xsdt;
    uint64_t facs;
    uint64_t dsdt;

    if (config->vcpus == 0 || config->vcpus > ACPI_MAX_VCPUS ||
        (config->base & (FACS_ALIGNMENT - 1)) ||
        config->base > UINT32_MAX + UINT64_C(1) - ACPI_TABLES_SIZE ||
        config->dsdt_size < HEADER_SIZE || memcmp(config->dsdt, "DSDT", 4) != 0) {
        return -EINVAL;
    }
    put_zeros(&writer, RSDP_SIZE);
    facs = config->base + put_facs(&writer);
    align(&writer, TABLE_ALIGNMENT);
    dsdt = config->base + writer.used;
    put_bytes(&writer, config->dsdt, config->dsdt_size);
    tables[0] = config->base + put_fadt(&writer, facs, dsdt);
    tables[1] = config->base + put_madt(&writer, config);
    tables[2] = config->base + put_ssdt(&writer, config->vcpus);
    rsdt = config->base + put_root(&writer, "RSDT", 4, tables, 3);
    xsdt = config->base + put_root(&writer, "XSDT", 8, tables, 3);
    if (writer.full) {
        return -ENOSPC;
    }
    write_rsdp(buffer, rsdt, xsdt);
    return (long)writer.used;
}
