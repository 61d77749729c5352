#include "kernel/acpi/tables.h"

#include <errno.h>
#include <string.h>

#include "kernel/log.h"

/* The longest table that is believed; real DSDTs have a few hundred KiB. */
#define TABLE_LENGTH_MAX (UINT32_C(16) << 20)

/* RSDP (5.2.5.3). */
#define RSDP_V1_SIZE  20u
#define RSDP_OEM_ID   9u
#define RSDP_REVISION 15u
#define RSDP_RSDT     16u
#define RSDP_XSDT     24u

/* System description table header (5.2.6). */
#define HEADER_LENGTH 4u

static uint64_t field(const struct acpi_table *table, size_t offset, size_t size)
{
    uint64_t value = 0;

    if (size <= table->length && offset <= table->length - size) {
        for (size_t i = size; i-- > 0;) {
            value = value << 8 | table->bytes[offset + i];
        }
    }
    return value;
}

uint8_t acpi_u8(const struct acpi_table *table, size_t offset)
{
    return (uint8_t)field(table, offset, 1);
}

uint16_t acpi_u16(const struct acpi_table *table, size_t offset)
{
    return (uint16_t)field(table, offset, 2);
}

uint32_t acpi_u32(const struct acpi_table *table, size_t offset)
{
    return (uint32_t)field(table, offset, 4);
}

uint64_t acpi_u64(const struct acpi_table *table, size_t offset)
{
    return field(table, offset, 8);
}

static bool checksum_good(const uint8_t *bytes, size_t length)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0;
}

/* A table's signature for the log, whatever its bytes are (the log replaces control characters). */
struct signature {
    char text[5];
};

static struct signature signature_of(const uint8_t *header)
{
    struct signature signature = {{0}};

    memcpy(signature.text, header, 4);
    return signature;
}

bool acpi_table_open(uint64_t phys, acpi_map map, struct acpi_table *table)
{
    struct acpi_table header = {.bytes = map(phys, ACPI_HEADER_SIZE), .length = ACPI_HEADER_SIZE};
    uint32_t length;

    if (!header.bytes) {
        log_warn("ACPI: a table at 0x%lx cannot be mapped", phys);
        return false;
    }
    length = acpi_u32(&header, HEADER_LENGTH);
    if (length < ACPI_HEADER_SIZE || length > TABLE_LENGTH_MAX) {
        log_warn("ACPI: table %s at 0x%lx ignored: its length is 0x%x",
                 signature_of(header.bytes).text, phys, length);
        return false;
    }
    table->bytes = map(phys, length);
    table->length = length;
    if (!table->bytes) {
        log_warn("ACPI: a table at 0x%lx cannot be mapped", phys);
        return false;
    }
    if (!checksum_good(table->bytes, length)) {
        log_warn("ACPI: table %s at 0x%lx ignored: wrong checksum", signature_of(table->bytes).text,
                 phys);
        return false;
    }
    return true;
}

static bool has_signature(const struct acpi_table *table, const char *signature)
{
    return memcmp(table->bytes, signature, 4) == 0;
}

/* PCI Express memory mapped configuration space (PCI firmware specification 3.3, 4.1.2). */
void acpi_parse_mcfg(const struct acpi_table *table, struct acpi_info *info)
{
    const size_t first = ACPI_HEADER_SIZE + 8;
    const size_t size = 16;

    for (size_t at = first; at + size <= table->length; at += size) {
        struct acpi_mcfg entry = {
            .phys = acpi_u64(table, at),
            .segment = acpi_u16(table, at + 8),
            .bus_first = acpi_u8(table, at + 10),
            .bus_last = acpi_u8(table, at + 11),
        };

        if (entry.bus_last < entry.bus_first || entry.phys == 0 ||
            info->mcfg_count == ACPI_MAX_MCFG) {
            log_warn("ACPI: MCFG entry for segment %u, buses %u-%u at 0x%lx ignored", entry.segment,
                     entry.bus_first, entry.bus_last, entry.phys);
            continue;
        }
        info->mcfg[info->mcfg_count++] = entry;
    }
}

static void parse_table(uint64_t phys, acpi_map map, struct acpi_info *info)
{
    struct acpi_table table;
    struct acpi_table dsdt;
    uint64_t dsdt_phys;

    if (!acpi_table_open(phys, map, &table)) {
        return;
    }
    if (has_signature(&table, "APIC")) {
        acpi_parse_madt(&table, info);
    } else if (has_signature(&table, "MCFG")) {
        acpi_parse_mcfg(&table, info);
    } else if (has_signature(&table, "SSDT")) {
        acpi_parse_s5(&table, info);
    } else if (has_signature(&table, "FACP")) {
        dsdt_phys = acpi_parse_fadt(&table, info);
        if (dsdt_phys && acpi_table_open(dsdt_phys, map, &dsdt)) {
            acpi_parse_s5(&dsdt, info);
        }
    }
}

/* Opens the XSDT (revision 2 and later), else the RSDT; `*entry_size` is 8 or 4. */
static bool open_root(const struct acpi_table *rsdp, acpi_map map, struct acpi_table *root,
                      size_t *entry_size)
{
    uint64_t xsdt = acpi_u64(rsdp, RSDP_XSDT);
    uint32_t rsdt = acpi_u32(rsdp, RSDP_RSDT);

    /* A boot loader may have copied only the first part: then the rest is zero, with sum zero. */
    if (acpi_u8(rsdp, RSDP_REVISION) >= 2 && xsdt) {
        if (!checksum_good(rsdp->bytes, ACPI_RSDP_SIZE)) {
            log_warn("ACPI: the extended RSDP has a wrong checksum; using the RSDT");
        } else if (acpi_table_open(xsdt, map, root) && has_signature(root, "XSDT")) {
            *entry_size = 8;
            return true;
        }
    }
    *entry_size = 4;
    return rsdt && acpi_table_open(rsdt, map, root) && has_signature(root, "RSDT");
}

int acpi_parse(const uint8_t rsdp[static ACPI_RSDP_SIZE], acpi_map map, struct acpi_info *info)
{
    static const uint8_t none[ACPI_RSDP_SIZE];
    const struct acpi_table rsdp_table = {.bytes = rsdp, .length = ACPI_RSDP_SIZE};
    struct acpi_table root;
    size_t entry_size;

    memset(info, 0, sizeof(*info));
    info->local_apic = ACPI_DEFAULT_APIC;
    for (uint32_t i = 0; i < ACPI_ISA_IRQS; i++) {
        info->isa[i].gsi = i;
    }
    if (memcmp(rsdp, none, sizeof(none)) == 0) {
        return -ENOENT;
    }
    if (memcmp(rsdp, "RSD PTR ", 8) != 0 || !checksum_good(rsdp, RSDP_V1_SIZE)) {
        log_warn("ACPI: the RSDP has a wrong signature or checksum; going on without ACPI");
        return -EINVAL;
    }
    memcpy(info->oem_id, rsdp + RSDP_OEM_ID, sizeof(info->oem_id) - 1);
    if (!open_root(&rsdp_table, map, &root, &entry_size)) {
        log_warn("ACPI: neither XSDT nor RSDT is usable; going on without ACPI");
        return -EINVAL;
    }
    for (size_t at = ACPI_HEADER_SIZE; at + entry_size <= root.length; at += entry_size) {
        uint64_t phys = field(&root, at, entry_size);

        if (phys) {
            parse_table(phys, map, info);
        }
    }
    return 0;
}
