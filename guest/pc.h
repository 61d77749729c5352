/*
 * The PC around the vCPUs: interrupt controllers, timers, clock, serial port, power management,
 * wired together and put on the VM's buses.
 */
#ifndef GUEST_PC_H
#define GUEST_PC_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/devices/acpi_pm.h"
#include "guest/devices/apic_bus.h"
#include "guest/devices/i8042.h"
#include "guest/devices/ioapic.h"
#include "guest/devices/misc_ports.h"
#include "guest/devices/pic.h"
#include "guest/devices/pit.h"
#include "guest/devices/rtc.h"
#include "guest/devices/uart.h"

struct vm;

struct pc {
    struct apic_bus apic_bus;
    struct pic pic;
    struct ioapic ioapic;
    struct pit pit;
    struct rtc rtc;
    struct uart com1;
    struct i8042 i8042;
    struct acpi_pm pm;
    struct misc_ports misc;
};

/** Sets the devices up, with the vCPUs already there, and registers them on the VM's buses.
 * `wall_clock`: seconds since 1970 at VM clock 0. 0 or a negative errno. */
int pc_init(struct vm *vm, uint64_t wall_clock);
/** What the RESET line does to all of them. */
void pc_reset(struct vm *vm);

#endif
