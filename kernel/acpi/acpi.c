#include "kernel/acpi/acpi.h"

#include "kernel/acpi/tables.h"
#include "kernel/boot/boot_info.h"
#include "kernel/log.h"
#include "kernel/memory/paging.h"

static struct acpi_info found;

const struct acpi_info *acpi_info(void)
{
    return &found;
}

static const uint8_t *map(uint64_t phys, size_t size)
{
    return map_physical(phys, size, MAP_NORMAL);
}

void acpi_init(void)
{
    if (acpi_parse(boot_info()->rsdp, map, &found) != 0) {
        log_warn("ACPI: no tables; power-off, I/O APIC and further CPUs are not available");
        return;
    }
    log_info("ACPI: OEM %s, %u CPUs, %u I/O APICs, %u PCI segments%s%s", found.oem_id,
             found.cpu_count, found.ioapic_count, found.mcfg_count,
             found.pm_timer.address ? ", PM timer" : "", found.has_s5 ? ", power-off" : "");
}
