#include "kernel/power.h"

#include "kernel/acpi/acpi.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/paging.h"
#include "kernel/smp.h"

/* PM1 control register (ACPI 6.5, table 4.13). */
#define PM1_SCI_ENABLED      0x0001u
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_TYPE_MASK  (7u << PM1_SLEEP_TYPE_SHIFT)
#define PM1_SLEEP_ENABLE     0x2000u

#define RESET_CONTROL        0xcf9u
#define RESET_CONTROL_SYSTEM 0x02u
#define RESET_CONTROL_GO     0x04u
#define KEYBOARD_DATA_STATUS 0x64u
#define KEYBOARD_INPUT_FULL  0x02u
#define KEYBOARD_RESET       0xfeu
#define PCI_CONFIG_ADDRESS   0xcf8u
#define PCI_CONFIG_DATA      0xcfcu
#define PCI_CONFIG_ENABLE    0x80000000u

#define DELAY_PORT 0x80u /* takes about a microsecond on a PC, and nobody minds */

static void delay_ms(unsigned ms)
{
    for (unsigned i = 0; i < ms * 1000; i++) {
        outb(DELAY_PORT, 0);
    }
}

static _Noreturn void halt(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

/* ACPI mode, if firmware has left the machine in legacy mode (4.8.2.5). */
static void acpi_enable(const struct acpi_info *info)
{
    uint16_t control = (uint16_t)info->pm1a_control.address;

    if (info->smi_command == 0 || info->acpi_enable == 0 || inw(control) & PM1_SCI_ENABLED) {
        return;
    }
    outb(info->smi_command, info->acpi_enable);
    for (unsigned i = 0; i < 300 && !(inw(control) & PM1_SCI_ENABLED); i++) {
        delay_ms(1);
    }
}

static void sleep(const struct acpi_register *control, unsigned type)
{
    uint16_t port = (uint16_t)control->address;
    unsigned value;

    if (port) {
        value = inw(port) & ~PM1_SLEEP_TYPE_MASK;
        outw(port, (uint16_t)(value | type << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE));
    }
}

_Noreturn void power_off(void)
{
    const struct acpi_info *info = acpi_info();

    smp_stop_others();
    log_info("power off");
    log_flush();
    cli();
    if (info->has_s5 && info->pm1a_control.address) {
        acpi_enable(info);
        sleep(&info->pm1a_control, info->s5_a);
        sleep(&info->pm1b_control, info->s5_b);
        delay_ms(100);
    }
    log_warn("this machine does not power off by itself; it can be switched off now");
    log_flush();
    halt();
}

static void acpi_reset(const struct acpi_info *info)
{
    uint64_t address = info->reset.address;
    volatile uint8_t *memory;

    if (address == 0) {
        return;
    }
    switch (info->reset.space) {
    case ACPI_SPACE_IO:
        outb((uint16_t)address, info->reset_value);
        break;
    case ACPI_SPACE_MEMORY:
        memory = map_physical(address, 1, MAP_DEVICE);
        if (memory) {
            *memory = info->reset_value;
        }
        break;
    case ACPI_SPACE_PCI:
        /* Bus 0; device, function and offset are the address's 16-bit parts (5.2.3.2). */
        outl(PCI_CONFIG_ADDRESS, PCI_CONFIG_ENABLE | (uint32_t)(address >> 32 & 0x1f) << 11 |
                                     (uint32_t)(address >> 16 & 7) << 8 |
                                     (uint32_t)(address & 0xfc));
        outb((uint16_t)(PCI_CONFIG_DATA + (address & 3)), info->reset_value);
        break;
    default:
        break;
    }
    delay_ms(50);
}

_Noreturn void power_reset(void)
{
    static const struct descriptor_table no_idt = {.limit = 0, .base = 0};

    smp_stop_others();
    log_info("reset");
    log_flush();
    cli();
    acpi_reset(acpi_info());
    outb(RESET_CONTROL, RESET_CONTROL_SYSTEM);
    outb(RESET_CONTROL, RESET_CONTROL_SYSTEM | RESET_CONTROL_GO);
    delay_ms(50);
    for (unsigned i = 0; i < 100 && inb(KEYBOARD_DATA_STATUS) & KEYBOARD_INPUT_FULL; i++) {
        delay_ms(1);
    }
    outb(KEYBOARD_DATA_STATUS, KEYBOARD_RESET);
    delay_ms(50);
    lidt(&no_idt);
    __builtin_trap();
}
