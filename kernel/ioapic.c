#include "kernel/ioapic.h"

#include <errno.h>
#include <stddef.h>

#include "kernel/apic.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/log.h"
#include "kernel/memory/paging.h"

/* The two registers in memory, and what is behind them. */
#define SELECT        0x00u
#define WINDOW        0x10u
#define MMIO_SIZE     0x20u
#define REG_VERSION   0x01u
#define REG_REDIRECT  0x10u /* two for each input */
#define VERSION_SHIFT 16u   /* number of the last input */
#define VERSION_MASK  0xffu

#define REDIRECT_ACTIVE_LOW        (1u << 13)
#define REDIRECT_LEVEL             (1u << 15)
#define REDIRECT_MASKED            (1u << 16)
#define REDIRECT_DESTINATION_SHIFT 24

struct ioapic {
    volatile uint8_t *mmio;
    uint32_t gsi_base;
    uint32_t inputs;
};

static struct spinlock lock; /* select and window go together */
static struct ioapic ioapics[ACPI_MAX_IOAPICS];
static unsigned ioapic_count;

static uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t reg)
{
    *(volatile uint32_t *)(ioapic->mmio + SELECT) = reg;
    return *(volatile uint32_t *)(ioapic->mmio + WINDOW);
}

static void ioapic_write(const struct ioapic *ioapic, uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(ioapic->mmio + SELECT) = reg;
    *(volatile uint32_t *)(ioapic->mmio + WINDOW) = value;
}

static const struct ioapic *find(uint32_t gsi)
{
    for (unsigned i = 0; i < ioapic_count; i++) {
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].inputs) {
            return &ioapics[i];
        }
    }
    return NULL;
}

void ioapics_init(void)
{
    const struct acpi_info *info = acpi_info();

    for (unsigned i = 0; i < info->ioapic_count; i++) {
        const struct acpi_ioapic *listed = &info->ioapics[i];
        struct ioapic *ioapic = &ioapics[ioapic_count];
        uint32_t version;

        ioapic->mmio = map_physical(listed->phys, MMIO_SIZE, MAP_DEVICE);
        version = ioapic->mmio ? ioapic_read(ioapic, REG_VERSION) : UINT32_MAX;
        if (version == UINT32_MAX) {
            log_warn("I/O APIC %u at 0x%x does not answer; left out", listed->id, listed->phys);
            continue;
        }
        ioapic->gsi_base = listed->gsi_base;
        ioapic->inputs = (version >> VERSION_SHIFT & VERSION_MASK) + 1;
        for (uint32_t input = 0; input < ioapic->inputs; input++) {
            ioapic_write(ioapic, REG_REDIRECT + 2 * input, REDIRECT_MASKED);
        }
        ioapic_count++;
        log_info("I/O APIC %u at 0x%x: inputs %u-%u", listed->id, listed->phys, ioapic->gsi_base,
                 ioapic->gsi_base + ioapic->inputs - 1);
    }
}

int ioapic_connect(const struct acpi_interrupt *input, uint8_t vector, uint32_t destination)
{
    const struct ioapic *ioapic = find(input->gsi);
    uint32_t low = vector;
    uint32_t reg;
    bool interrupts;

    if (!ioapic) {
        return -ENODEV;
    }
    if (destination >= 0xff) {
        return -EINVAL;
    }
    reg = REG_REDIRECT + 2 * (input->gsi - ioapic->gsi_base);
    low |= input->active_low ? REDIRECT_ACTIVE_LOW : 0;
    low |= input->level ? REDIRECT_LEVEL : 0;
    interrupts = interrupts_save();
    spin_lock(&lock);
    ioapic_write(ioapic, reg, REDIRECT_MASKED);
    ioapic_write(ioapic, reg + 1, destination << REDIRECT_DESTINATION_SHIFT);
    ioapic_write(ioapic, reg, low);
    spin_unlock(&lock);
    interrupts_restore(interrupts);
    return 0;
}

void ioapic_set_masked(uint32_t gsi, bool masked)
{
    const struct ioapic *ioapic = find(gsi);
    uint32_t reg;
    uint32_t low;
    bool interrupts;

    if (!ioapic) {
        return;
    }
    reg = REG_REDIRECT + 2 * (gsi - ioapic->gsi_base);
    interrupts = interrupts_save();
    spin_lock(&lock);
    low = ioapic_read(ioapic, reg);
    ioapic_write(ioapic, reg, masked ? low | REDIRECT_MASKED : low & ~REDIRECT_MASKED);
    spin_unlock(&lock);
    interrupts_restore(interrupts);
}

int interrupt_connect_isa(unsigned irq, interrupt_handler handler, void *context)
{
    const struct acpi_interrupt *input;
    int vector;

    if (irq >= ACPI_ISA_IRQS || !find(acpi_info()->isa[irq].gsi)) {
        return -ENODEV;
    }
    input = &acpi_info()->isa[irq];
    vector = interrupt_vector_alloc(handler, context);
    if (vector < 0) {
        return vector;
    }
    return ioapic_connect(input, (uint8_t)vector, apic_id());
}
