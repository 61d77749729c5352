/*
 * A virtio device on PCI, by its current interface (Virtual I/O Device specification 1.1, section
 * 4.1): finding its registers, agreeing on features, setting up its queues. What is older than
 * version 1 of the specification has other registers and is not supported.
 */
#ifndef DRIVERS_VIRTIO_PCI_H
#define DRIVERS_VIRTIO_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/pci/pci.h"
#include "drivers/virtqueue.h"

#define VIRTIO_VENDOR 0x1af4u

#define VIRTIO_FEATURE_VERSION_1       (UINT64_C(1) << 32)
#define VIRTIO_FEATURE_ACCESS_PLATFORM (UINT64_C(1) << 33)

#define VIRTIO_INTERRUPT_QUEUE  (1u << 0)
#define VIRTIO_INTERRUPT_CONFIG (1u << 1)

struct virtio_pci {
    volatile uint8_t *common;
    volatile uint8_t *notify;
    volatile uint8_t *interrupt;
    volatile uint8_t *config; /* what is this kind of device's own */
    uint32_t config_size;
    uint32_t notify_step;
    uint32_t notify_size;
};

/** Maps its registers. 0; -ENODEV if it has not all of them; or another negative error. */
int virtio_pci_map(struct virtio_pci *device, const struct pci_device *pci);

/** Resets it and agrees on features: those of `wanted` that it has, which are returned in
 * `*features`. 0; -EIO if it does not come out of its reset; -ENOTSUP if it has no version 1 or
 * will not do with these. From a thread. */
int virtio_pci_begin(struct virtio_pci *device, uint64_t wanted, uint64_t *features);

/** The largest size of a queue, 0 if there is no such queue. */
uint16_t virtio_pci_queue_max(struct virtio_pci *device, uint16_t index);

/** Gives it a queue, whose memory it sees at `physical`; `message`: whether it interrupts by
 * message 0. Returns where it is notified, NULL if it does not take the queue. */
volatile uint16_t *virtio_pci_set_queue(struct virtio_pci *device, uint16_t index,
                                        const struct virtqueue *queue, uint64_t physical,
                                        bool message);

/** Has it tell changes of its configuration by message 0. False: it does not. */
bool virtio_pci_set_config_message(struct virtio_pci *device);

/** It may go on. */
void virtio_pci_ready(struct virtio_pci *device);
/** It stops, and forgets its queues. */
void virtio_pci_reset(struct virtio_pci *device);

/** Why it has interrupted by its line, VIRTIO_INTERRUPT_*; which takes the interrupt back. */
uint8_t virtio_pci_interrupt(struct virtio_pci *device);

#endif
