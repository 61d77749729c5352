/*
 * Intel's gigabit Ethernet chips of the e1000 family: 82540EM and 82545EM (PCI; Bochs, QEMU,
 * VMware) and 82574L (PCI Express; QEMU's e1000e).
 */
#ifndef DRIVERS_E1000_H
#define DRIVERS_E1000_H

#include "drivers/nic.h"
#include "drivers/pci/pci.h"

/** True if this driver knows the device. */
bool e1000_knows(const struct pci_device *device);

/** Resets the chip and starts it; it interrupts this CPU and calls `notify`, in interrupt context,
 * once nic_listen is called. From a thread: it sleeps for some 10 ms. 0 and the interface, which is
 * there for good; or a negative error, which has been logged. */
int e1000_start(const struct pci_device *device, void (*notify)(void *context), void *context,
                struct nic **nic);

#endif
