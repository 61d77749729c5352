#include "drivers/virtio_pci.h"

#include <errno.h>
#include <stdatomic.h>

#include "kernel/memory/paging.h"
#include "kernel/thread.h"
#include "kernel/time.h"

/* Its capabilities: what they describe, and where that is. */
#define CAPABILITY_KIND        3u
#define CAPABILITY_BAR         4u
#define CAPABILITY_OFFSET      8u
#define CAPABILITY_LENGTH      12u
#define CAPABILITY_NOTIFY_STEP 16u

#define KIND_COMMON    1u
#define KIND_NOTIFY    2u
#define KIND_INTERRUPT 3u
#define KIND_CONFIG    4u

#define BARS 6u

/* Common configuration (section 4.1.4.3). */
#define DEVICE_FEATURE_SELECT 0x00u
#define DEVICE_FEATURE        0x04u
#define DRIVER_FEATURE_SELECT 0x08u
#define DRIVER_FEATURE        0x0cu
#define CONFIG_MESSAGE        0x10u
#define DEVICE_STATUS         0x14u
#define QUEUE_SELECT          0x16u
#define QUEUE_SIZE            0x18u
#define QUEUE_MESSAGE         0x1au
#define QUEUE_ENABLE          0x1cu
#define QUEUE_NOTIFY_OFFSET   0x1eu
#define QUEUE_DESCRIPTORS     0x20u
#define QUEUE_AVAILABLE       0x28u
#define QUEUE_USED            0x30u
#define COMMON_SIZE           0x38u

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u

#define NO_MESSAGE 0xffffu

#define RESET_PATIENCE_NS UINT64_C(100000000)

static uint8_t read8(volatile uint8_t *at)
{
    return *at;
}

static uint16_t read16(volatile uint8_t *at)
{
    return *(volatile uint16_t *)at;
}

static uint32_t read32(volatile uint8_t *at)
{
    return *(volatile uint32_t *)at;
}

static void write8(volatile uint8_t *at, unsigned value)
{
    *at = (uint8_t)value;
}

static void write16(volatile uint8_t *at, unsigned value)
{
    *(volatile uint16_t *)at = (uint16_t)value;
}

static void write32(volatile uint8_t *at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}

static void write64(volatile uint8_t *at, uint64_t value)
{
    write32(at, (uint32_t)value);
    write32(at + 4, (uint32_t)(value >> 32));
}

static int map_capability(struct virtio_pci *device, const struct pci_device *pci, unsigned at)
{
    uint8_t kind = pci_read8(&pci->address, at + CAPABILITY_KIND);
    uint8_t index = pci_read8(&pci->address, at + CAPABILITY_BAR);
    uint32_t offset = pci_read32(&pci->address, at + CAPABILITY_OFFSET);
    uint32_t length = pci_read32(&pci->address, at + CAPABILITY_LENGTH);
    volatile uint8_t **place = kind == KIND_COMMON      ? &device->common
                               : kind == KIND_NOTIFY    ? &device->notify
                               : kind == KIND_INTERRUPT ? &device->interrupt
                               : kind == KIND_CONFIG    ? &device->config
                                                        : NULL;
    struct pci_bar bar;
    int error;

    if (!place || *place || index >= BARS) {
        return 0; /* of several that are alike the first is the one that the device prefers */
    }
    error = pci_bar_read(pci, index, &bar);
    if (error) {
        return error;
    }
    if (bar.io || length == 0 || bar.size < length || bar.size - length < offset) {
        return 0;
    }
    *place = map_physical(bar.base + offset, length, MAP_DEVICE);
    if (!*place) {
        return -ENOMEM;
    }
    if (kind == KIND_NOTIFY) {
        device->notify_step = pci_read32(&pci->address, at + CAPABILITY_NOTIFY_STEP);
        device->notify_size = length;
    }
    if (kind == KIND_CONFIG) {
        device->config_size = length;
    }
    return kind == KIND_COMMON && length < COMMON_SIZE ? -ENODEV : 0;
}

int virtio_pci_map(struct virtio_pci *device, const struct pci_device *pci)
{
    unsigned at = 0;

    *device = (struct virtio_pci){0};
    while ((at = pci_capability_find(pci, PCI_CAPABILITY_VENDOR, at)) != 0) {
        int error = map_capability(device, pci, at);

        if (error) {
            return error;
        }
    }
    return device->common && device->notify && device->interrupt && device->config ? 0 : -ENODEV;
}

void virtio_pci_reset(struct virtio_pci *device)
{
    write8(device->common + DEVICE_STATUS, 0);
}

static void add_status(struct virtio_pci *device, unsigned bits)
{
    write8(device->common + DEVICE_STATUS, read8(device->common + DEVICE_STATUS) | bits);
}

static uint64_t read_features(struct virtio_pci *device)
{
    uint64_t features;

    write32(device->common + DEVICE_FEATURE_SELECT, 0);
    features = read32(device->common + DEVICE_FEATURE);
    write32(device->common + DEVICE_FEATURE_SELECT, 1);
    return features | (uint64_t)read32(device->common + DEVICE_FEATURE) << 32;
}

int virtio_pci_begin(struct virtio_pci *device, uint64_t wanted, uint64_t *features)
{
    uint64_t end = time_ns() + RESET_PATIENCE_NS;

    virtio_pci_reset(device);
    while (read8(device->common + DEVICE_STATUS) != 0) {
        if (time_ns() > end) {
            return -EIO;
        }
        thread_yield();
    }
    add_status(device, STATUS_ACKNOWLEDGE);
    add_status(device, STATUS_DRIVER);
    *features = read_features(device) & wanted;
    if (!(*features & VIRTIO_FEATURE_VERSION_1)) {
        return -ENOTSUP;
    }
    write32(device->common + DRIVER_FEATURE_SELECT, 0);
    write32(device->common + DRIVER_FEATURE, (uint32_t)*features);
    write32(device->common + DRIVER_FEATURE_SELECT, 1);
    write32(device->common + DRIVER_FEATURE, (uint32_t)(*features >> 32));
    add_status(device, STATUS_FEATURES_OK);
    return read8(device->common + DEVICE_STATUS) & STATUS_FEATURES_OK ? 0 : -ENOTSUP;
}

uint16_t virtio_pci_queue_max(struct virtio_pci *device, uint16_t index)
{
    write16(device->common + QUEUE_SELECT, index);
    return read16(device->common + QUEUE_SIZE);
}

volatile uint16_t *virtio_pci_set_queue(struct virtio_pci *device, uint16_t index,
                                        const struct virtqueue *queue, uint64_t physical,
                                        bool message)
{
    unsigned wanted = message ? 0 : NO_MESSAGE;
    uint64_t offset;

    write16(device->common + QUEUE_SELECT, index);
    write16(device->common + QUEUE_SIZE, queue->size);
    write16(device->common + QUEUE_MESSAGE, wanted);
    if (read16(device->common + QUEUE_MESSAGE) != wanted) {
        return NULL; /* it has no room for that message */
    }
    write64(device->common + QUEUE_DESCRIPTORS, physical);
    write64(device->common + QUEUE_AVAILABLE, physical + virtqueue_available_offset(queue->size));
    write64(device->common + QUEUE_USED, physical + virtqueue_used_offset(queue->size));
    offset = (uint64_t)read16(device->common + QUEUE_NOTIFY_OFFSET) * device->notify_step;
    if (offset + sizeof(uint16_t) > device->notify_size) {
        return NULL;
    }
    atomic_thread_fence(memory_order_release);
    write16(device->common + QUEUE_ENABLE, 1);
    return (volatile uint16_t *)(device->notify + offset);
}

bool virtio_pci_set_config_message(struct virtio_pci *device)
{
    write16(device->common + CONFIG_MESSAGE, 0);
    return read16(device->common + CONFIG_MESSAGE) == 0;
}

void virtio_pci_ready(struct virtio_pci *device)
{
    add_status(device, STATUS_DRIVER_OK);
}

uint8_t virtio_pci_interrupt(struct virtio_pci *device)
{
    return read8(device->interrupt);
}
