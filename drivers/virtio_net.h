/*
 * Virtio network devices on PCI (Virtual I/O Device specification 1.1, section 5.1), as QEMU and
 * many clouds have them.
 */
#ifndef DRIVERS_VIRTIO_NET_H
#define DRIVERS_VIRTIO_NET_H

#include "drivers/nic.h"
#include "drivers/pci/pci.h"

/** True if this driver knows the device. */
bool virtio_net_knows(const struct pci_device *device);

/** As e1000_start. */
int virtio_net_start(const struct pci_device *device, void (*notify)(void *context), void *context,
                     struct nic **nic);

#endif
