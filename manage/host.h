/*
 * The VMs of this machine: they are defined by descriptions, and started and stopped from the
 * machine's console, which they share and which has a thread of its own.
 */
#ifndef MANAGE_HOST_H
#define MANAGE_HOST_H

/** Takes over the console's keyboard. Before all else here. */
void host_init(void);
/** Reads the VM descriptions among the boot modules (names ending in .json, or the one that the
 * kernel option `vms=` names) and defines the VMs. What is wrong is logged and left out. */
void host_define_vms(void);
/** Starts the VMs that start by themselves and serves the console, for ever; powers the machine off
 * when all VMs have stopped if the kernel option `on-stop=poweroff` asks for it. Interrupts off. */
_Noreturn void host_run(void);

#endif
