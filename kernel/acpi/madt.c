/* The multiple APIC description table (ACPI 6.5, 5.2.12): CPUs, I/O APICs, interrupt wiring. */
#include "kernel/acpi/tables.h"

#include "kernel/log.h"

#define MADT_LOCAL_APIC 36u
#define MADT_FLAGS      40u
#define MADT_ENTRIES    44u

#define MADT_FLAG_8259 1u

enum entry_type {
    ENTRY_LOCAL_APIC = 0,
    ENTRY_IOAPIC = 1,
    ENTRY_OVERRIDE = 2,
    ENTRY_LOCAL_APIC_NMI = 4,
    ENTRY_LOCAL_APIC_ADDRESS = 5,
    ENTRY_LOCAL_X2APIC = 9,
    ENTRY_LOCAL_X2APIC_NMI = 10,
};

#define CPU_FLAG_ENABLED        1u
#define CPU_FLAG_ONLINE_CAPABLE 2u

/* MPS INTI flags (table 5.26): 0 means as the bus does, which for ISA is edge, active high. */
#define INTI_POLARITY   0x3u
#define INTI_ACTIVE_LOW 0x3u
#define INTI_TRIGGER    0xcu
#define INTI_LEVEL      0xcu

static bool is_active_low(uint16_t flags)
{
    return (flags & INTI_POLARITY) == INTI_ACTIVE_LOW;
}

static bool is_level(uint16_t flags)
{
    return (flags & INTI_TRIGGER) == INTI_LEVEL;
}

static void add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
    if (!(flags & (CPU_FLAG_ENABLED | CPU_FLAG_ONLINE_CAPABLE))) {
        return;
    }
    /* A CPU may be listed both ways; its number tells. */
    for (unsigned i = 0; i < info->cpu_count; i++) {
        if (info->cpus[i].apic_id == apic_id) {
            return;
        }
    }
    if (info->cpu_count == ACPI_MAX_CPUS) {
        log_warn("ACPI: CPU with APIC id 0x%x ignored: more than %u CPUs", apic_id, ACPI_MAX_CPUS);
        return;
    }
    info->cpus[info->cpu_count++] = (struct acpi_cpu){
        .apic_id = apic_id, .uid = uid, .enabled = (flags & CPU_FLAG_ENABLED) != 0};
}

static void add_ioapic(struct acpi_info *info, const struct acpi_table *entry)
{
    if (info->ioapic_count == ACPI_MAX_IOAPICS) {
        log_warn("ACPI: I/O APIC %u ignored: more than %u", acpi_u8(entry, 2), ACPI_MAX_IOAPICS);
        return;
    }
    info->ioapics[info->ioapic_count++] = (struct acpi_ioapic){
        .id = acpi_u8(entry, 2), .phys = acpi_u32(entry, 4), .gsi_base = acpi_u32(entry, 8)};
}

static void add_override(struct acpi_info *info, const struct acpi_table *entry)
{
    uint8_t bus = acpi_u8(entry, 2);
    uint8_t irq = acpi_u8(entry, 3);
    uint16_t flags = acpi_u16(entry, 8);

    if (bus != 0 || irq >= ACPI_ISA_IRQS) {
        log_warn("ACPI: interrupt override for bus %u interrupt %u ignored", bus, irq);
        return;
    }
    info->isa[irq] = (struct acpi_interrupt){
        .gsi = acpi_u32(entry, 4), .active_low = is_active_low(flags), .level = is_level(flags)};
}

static void add_nmi(struct acpi_info *info, uint32_t uid, uint16_t flags, uint8_t lint)
{
    if (lint > 1 || info->nmi_count == ACPI_MAX_NMIS) {
        log_warn("ACPI: NMI at LINT%u of processor 0x%x ignored", lint, uid);
        return;
    }
    info->nmis[info->nmi_count++] = (struct acpi_nmi){
        .uid = uid, .lint = lint, .active_low = is_active_low(flags), .level = is_level(flags)};
}

static void parse_entry(const struct acpi_table *entry, struct acpi_info *info)
{
    uint8_t uid;

    switch (acpi_u8(entry, 0)) {
    case ENTRY_LOCAL_APIC:
        /* 0xff as id marks unused entries on some firmware. */
        if (acpi_u8(entry, 3) != 0xff) {
            add_cpu(info, acpi_u8(entry, 3), acpi_u8(entry, 2), acpi_u32(entry, 4));
        }
        break;
    case ENTRY_IOAPIC:
        add_ioapic(info, entry);
        break;
    case ENTRY_OVERRIDE:
        add_override(info, entry);
        break;
    case ENTRY_LOCAL_APIC_NMI:
        uid = acpi_u8(entry, 2);
        add_nmi(info, uid == 0xff ? ACPI_ALL_PROCESSORS : uid, acpi_u16(entry, 3),
                acpi_u8(entry, 5));
        break;
    case ENTRY_LOCAL_APIC_ADDRESS:
        info->local_apic = acpi_u64(entry, 4);
        break;
    case ENTRY_LOCAL_X2APIC:
        add_cpu(info, acpi_u32(entry, 4), acpi_u32(entry, 12), acpi_u32(entry, 8));
        break;
    case ENTRY_LOCAL_X2APIC_NMI:
        add_nmi(info, acpi_u32(entry, 4), acpi_u16(entry, 2), acpi_u8(entry, 8));
        break;
    default:
        break; /* of other architectures, or of no use here */
    }
}

/* The shortest that an entry of each type is; 0 for types we do not read. */
static size_t entry_length(uint8_t type)
{
    switch (type) {
    case ENTRY_LOCAL_APIC:
        return 8;
    case ENTRY_IOAPIC:
        return 12;
    case ENTRY_OVERRIDE:
        return 10;
    case ENTRY_LOCAL_APIC_NMI:
        return 6;
    case ENTRY_LOCAL_APIC_ADDRESS:
        return 12;
    case ENTRY_LOCAL_X2APIC:
        return 16;
    case ENTRY_LOCAL_X2APIC_NMI:
        return 12;
    default:
        return 0;
    }
}

void acpi_parse_madt(const struct acpi_table *table, struct acpi_info *info)
{
    size_t at = MADT_ENTRIES;

    if (table->length < MADT_ENTRIES) {
        log_warn("ACPI: MADT ignored: only %zu bytes long", table->length);
        return;
    }
    info->has_madt = true;
    info->local_apic = acpi_u32(table, MADT_LOCAL_APIC);
    info->has_8259 = (acpi_u32(table, MADT_FLAGS) & MADT_FLAG_8259) != 0;
    while (at + 2 <= table->length) {
        struct acpi_table entry = {.bytes = table->bytes + at, .length = table->bytes[at + 1]};

        if (entry.length < 2 || entry.length > table->length - at) {
            log_warn("ACPI: the rest of the MADT ignored: entry of %zu bytes at offset 0x%zx",
                     entry.length, at);
            break;
        }
        if (entry.length < entry_length(entry.bytes[0])) {
            log_warn("ACPI: MADT entry of type %u at offset 0x%zx ignored: too short",
                     entry.bytes[0], at);
        } else {
            parse_entry(&entry, info);
        }
        at += entry.length;
    }
}
