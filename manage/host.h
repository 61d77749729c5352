/*
 * The VMs of this machine: they are made from their descriptions and run until the last one has
 * stopped. Their consoles share the machine's, which has a thread of its own.
 */
#ifndef MANAGE_HOST_H
#define MANAGE_HOST_H

/** Takes over the console's keyboard. Before all else here. */
void host_init(void);
/** Reads the VM descriptions among the boot modules (names ending in .json, or the one that the
 * kernel option `vms=` names) and makes the VMs. What is wrong is logged and left out. Returns how
 * many VMs there are. */
unsigned host_create_vms(void);
/** Runs the VMs and serves the console, for ever; powers the machine off when all VMs have stopped
 * if the kernel option `on-stop=poweroff` asks for it. Interrupts off. */
_Noreturn void host_run(void);

#endif
