/*
 * What the firmware's static ACPI tables say about this machine (ACPI specification 6.5, ch. 5.2),
 * taken apart. There is no AML interpreter: the one thing taken from AML is the sleep type of \_S5.
 */
#ifndef KERNEL_ACPI_ACPI_H
#define KERNEL_ACPI_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#define ACPI_MAX_CPUS       256
#define ACPI_MAX_IOAPICS    16
#define ACPI_MAX_NMIS       16
#define ACPI_MAX_MCFG       16
#define ACPI_ISA_IRQS       16
#define ACPI_ALL_PROCESSORS UINT32_MAX
#define ACPI_DEFAULT_APIC   UINT64_C(0xfee00000)

struct acpi_cpu {
    uint32_t apic_id;
    uint32_t uid;
    bool enabled; /* false: may be enabled later (hot plug) */
};

struct acpi_ioapic {
    uint8_t id;
    uint32_t phys;
    uint32_t gsi_base;
};

/* How an interrupt line signals. */
struct acpi_interrupt {
    uint32_t gsi;
    bool active_low;
    bool level;
};

/* An NMI source wired to a local APIC's LINT pin. */
struct acpi_nmi {
    uint32_t uid; /* of the processor, or ACPI_ALL_PROCESSORS */
    uint8_t lint; /* 0 or 1 */
    bool active_low;
    bool level;
};

/* PCI configuration space by memory: one bus segment group. */
struct acpi_mcfg {
    uint64_t phys; /* of bus 0, even when bus_first is higher */
    uint16_t segment;
    uint8_t bus_first;
    uint8_t bus_last;
};

enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1, ACPI_SPACE_PCI = 2 };

/* Generic address structure; address 0 means there is no such register. */
struct acpi_register {
    uint64_t address;
    uint8_t space; /* enum acpi_space, or another that we do not know */
};

struct acpi_info {
    char oem_id[7]; /* of the RSDP; "" without ACPI */

    /* MADT */
    bool has_madt;
    bool has_8259;
    uint64_t local_apic;
    struct acpi_cpu cpus[ACPI_MAX_CPUS];
    unsigned cpu_count;
    struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
    unsigned ioapic_count;
    struct acpi_interrupt isa[ACPI_ISA_IRQS]; /* overrides applied; identity without MADT */
    struct acpi_nmi nmis[ACPI_MAX_NMIS];
    unsigned nmi_count;

    /* MCFG */
    struct acpi_mcfg mcfg[ACPI_MAX_MCFG];
    unsigned mcfg_count;

    /* FADT */
    bool has_fadt;
    struct acpi_register pm_timer; /* I/O only */
    bool pm_timer_32bit;           /* else 24 */
    struct acpi_register pm1a_control;
    struct acpi_register pm1b_control;
    uint16_t smi_command; /* port; 0: ACPI mode is always on */
    uint8_t acpi_enable;  /* value for it */
    uint8_t century;      /* CMOS register, 0: none */
    struct acpi_register reset;
    uint8_t reset_value;

    /* \_S5 */
    bool has_s5;
    uint8_t s5_a; /* SLP_TYP for PM1a_CNT */
    uint8_t s5_b;
};

/** Reads the tables which boot_info's RSDP leads to. Tables that are cut short or whose checksum is
 * wrong are named in the log and left out. Needs map_physical. */
void acpi_init(void);

/** What was found; all empty before acpi_init and on a machine without ACPI. */
const struct acpi_info *acpi_info(void);

#endif
