#include "drivers/virtio_net.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "drivers/pci/interrupt.h"
#include "drivers/virtio_pci.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"

#define NAME "virtio"

#define DEVICE_NET              0x1041u
#define DEVICE_NET_TRANSITIONAL 0x1000u /* has the older registers, too */

#define FEATURE_MAC    (UINT64_C(1) << 5)
#define FEATURE_STATUS (UINT64_C(1) << 16)

/* Its configuration. */
#define CONFIG_MAC    0u
#define CONFIG_STATUS 6u
#define CONFIG_SIZE   8u
#define STATUS_LINK   1u

#define RECEIVE_QUEUE 0u
#define SEND_QUEUE    1u
#define RECEIVE_COUNT 128u
#define SEND_COUNT    64u

/* Before each frame; all of it is 0 in what is sent, for nothing is asked of the device. */
#define HEADER_SIZE 12u
#define BUFFER_SIZE 2048ul

/* All memory is one block: a frame for each queue, then the buffers. */
#define FRAMES_ORDER    7u
#define RECEIVE_BUFFERS (2ul * FRAME_SIZE)
#define SEND_BUFFERS    (RECEIVE_BUFFERS + RECEIVE_COUNT * BUFFER_SIZE)

_Static_assert(SEND_BUFFERS + SEND_COUNT * BUFFER_SIZE <= FRAME_SIZE << FRAMES_ORDER,
               "the buffers fit into their block");
_Static_assert(HEADER_SIZE + NIC_FRAME_SIZE <= BUFFER_SIZE, "and a frame into its buffer");

struct virtio_net {
    struct nic nic;
    struct virtio_pci device;
    bool by_message;
    bool has_status;
    uint8_t *memory;
    uint64_t physical;

    struct virtqueue receive;
    volatile uint16_t *receive_notify;
    uint16_t received; /* the descriptor that the caller has */

    struct virtqueue send;
    volatile uint16_t *send_notify;
    uint16_t free[SEND_COUNT]; /* descriptors; the last one is the next to be filled */
    unsigned free_count;

    atomic_bool link;
    _Atomic uint64_t interrupts;
};

static struct virtio_net *of(struct nic *nic)
{
    return (struct virtio_net *)nic; /* its first member */
}

/* What was given to the device is in memory before it is told. */
static void tell(volatile uint16_t *notify, uint16_t queue)
{
    atomic_thread_fence(memory_order_release);
    *notify = queue;
}

/* The interface's operations. */

static bool net_link(struct nic *nic)
{
    return of(nic)->link;
}

static void net_listen(struct nic *nic)
{
    if (virtqueue_listen(&of(nic)->receive, true)) {
        nic->notify(nic->context);
    }
}

static void give_back(struct virtio_net *net, uint16_t descriptor)
{
    if (virtqueue_give(&net->receive, descriptor)) {
        tell(net->receive_notify, RECEIVE_QUEUE);
    }
}

static const void *net_receive(struct nic *nic, size_t *length)
{
    struct virtio_net *net = of(nic);
    uint32_t written;

    while (virtqueue_take(&net->receive, &net->received, &written)) {
        if (written > HEADER_SIZE && written <= BUFFER_SIZE) {
            *length = written - HEADER_SIZE;
            nic->counters.received++;
            nic->counters.received_bytes += *length;
            return net->memory + RECEIVE_BUFFERS + net->received * BUFFER_SIZE + HEADER_SIZE;
        }
        nic->counters.errors++;
        give_back(net, net->received);
    }
    return NULL;
}

static void net_receive_done(struct nic *nic)
{
    give_back(of(nic), of(nic)->received);
}

static uint8_t *send_memory(struct virtio_net *net, uint16_t descriptor)
{
    return net->memory + SEND_BUFFERS + descriptor * BUFFER_SIZE;
}

static void *net_send_buffer(struct nic *nic)
{
    struct virtio_net *net = of(nic);
    uint16_t descriptor;
    uint32_t written;

    if (net->free_count == 0) {
        while (net->free_count < SEND_COUNT && virtqueue_take(&net->send, &descriptor, &written)) {
            net->free[net->free_count++] = descriptor;
        }
    }
    if (net->free_count == 0) {
        nic->counters.unsent++;
        return NULL;
    }
    return send_memory(net, net->free[net->free_count - 1]) + HEADER_SIZE;
}

static void net_send(struct nic *nic, size_t length)
{
    struct virtio_net *net = of(nic);
    uint16_t descriptor = net->free[--net->free_count];

    net->send.descriptors[descriptor].length = (uint32_t)(HEADER_SIZE + length);
    if (virtqueue_give(&net->send, descriptor)) {
        tell(net->send_notify, SEND_QUEUE);
    }
    nic->counters.sent++;
    nic->counters.sent_bytes += length;
}

static void net_count(struct nic *nic)
{
    nic->counters.interrupts = of(nic)->interrupts;
}

static const struct nic_ops operations = {
    .link = net_link,
    .listen = net_listen,
    .receive = net_receive,
    .receive_done = net_receive_done,
    .send_buffer = net_send_buffer,
    .send = net_send,
    .count = net_count,
};

static void read_link(struct virtio_net *net)
{
    net->link = !net->has_status ||
                *(volatile uint16_t *)(net->device.config + CONFIG_STATUS) & STATUS_LINK;
}

static bool handle_interrupt(void *context)
{
    struct virtio_net *net = context;

    /* A message is for one of two reasons, which one it does not say. */
    if (!net->by_message) {
        uint8_t reasons = virtio_pci_interrupt(&net->device);

        if (!(reasons & (VIRTIO_INTERRUPT_QUEUE | VIRTIO_INTERRUPT_CONFIG))) {
            return false;
        }
    }
    (void)virtqueue_listen(&net->receive, false); /* whoever is woken takes all */
    net->interrupts++;
    read_link(net);
    net->nic.notify(net->nic.context);
    return true;
}

/* Starting. */

static uint16_t queue_size(struct virtio_net *net, uint16_t index, uint16_t wanted)
{
    uint16_t max = virtio_pci_queue_max(&net->device, index);

    return max < wanted ? max : wanted;
}

static int allocate(struct virtio_net *net)
{
    uint16_t receive_size = queue_size(net, RECEIVE_QUEUE, RECEIVE_COUNT);
    uint16_t send_size = queue_size(net, SEND_QUEUE, SEND_COUNT);

    if (receive_size == 0 || send_size == 0) {
        return -EIO;
    }
    net->physical = frame_alloc(FRAMES_ORDER);
    if (!net->physical) {
        return -ENOMEM;
    }
    net->memory = phys_to_virt(net->physical);
    memset(net->memory, 0, (size_t)FRAME_SIZE << FRAMES_ORDER);
    virtqueue_init(&net->receive, net->memory, receive_size);
    for (uint16_t i = 0; i < receive_size; i++) {
        virtqueue_describe(&net->receive, i, net->physical + RECEIVE_BUFFERS + i * BUFFER_SIZE,
                           BUFFER_SIZE, VIRTQUEUE_DEVICE_WRITES);
        (void)virtqueue_give(&net->receive, i);
    }
    virtqueue_init(&net->send, net->memory + FRAME_SIZE, send_size);
    for (uint16_t i = 0; i < send_size; i++) {
        virtqueue_describe(&net->send, i, net->physical + SEND_BUFFERS + i * BUFFER_SIZE, 0, 0);
        net->free[net->free_count++] = i;
    }
    (void)virtqueue_listen(&net->receive, false);
    (void)virtqueue_listen(&net->send, false); /* for good: what is sent is looked at when needed */
    return 0;
}

static int set_queues(struct virtio_net *net)
{
    net->receive_notify = virtio_pci_set_queue(&net->device, RECEIVE_QUEUE, &net->receive,
                                               net->physical, net->by_message);
    net->send_notify = virtio_pci_set_queue(&net->device, SEND_QUEUE, &net->send,
                                            net->physical + FRAME_SIZE, false);
    if (!net->receive_notify || !net->send_notify ||
        (net->by_message && !virtio_pci_set_config_message(&net->device))) {
        return -EIO;
    }
    return 0;
}

/* The interrupt's kind, or a negative error, and `what` went wrong. */
static int bring_up(struct virtio_net *net, const struct pci_device *pci, const char **what)
{
    uint64_t features;
    int kind;
    int error;

    *what = "its registers cannot be mapped";
    error = virtio_pci_map(&net->device, pci);
    if (error) {
        return error;
    }
    pci_enable(pci);
    *what = "it does not agree on its features";
    error = virtio_pci_begin(&net->device,
                             VIRTIO_FEATURE_VERSION_1 | VIRTIO_FEATURE_ACCESS_PLATFORM |
                                 FEATURE_MAC | FEATURE_STATUS,
                             &features);
    if (error) {
        return error;
    }
    *what = "it has no MAC address";
    if (!(features & FEATURE_MAC) || net->device.config_size < CONFIG_SIZE) {
        return -EIO;
    }
    for (unsigned i = 0; i < NIC_MAC_SIZE; i++) {
        net->nic.mac[i] = net->device.config[CONFIG_MAC + i];
    }
    net->has_status = features & FEATURE_STATUS;
    *what = "no memory for its queues";
    error = allocate(net);
    if (error) {
        return error;
    }
    *what = "no interrupt leads from it to a CPU";
    kind = pci_interrupt_connect(pci, PCI_BY_MSIX | PCI_BY_LINE, handle_interrupt, net);
    if (kind < 0) {
        return kind;
    }
    net->by_message = kind == PCI_BY_MSIX;
    *what = "it does not take its queues";
    error = set_queues(net);
    if (error) {
        return error;
    }
    virtio_pci_ready(&net->device);
    tell(net->receive_notify, RECEIVE_QUEUE);
    read_link(net);
    return kind;
}

bool virtio_net_knows(const struct pci_device *device)
{
    return device->vendor == VIRTIO_VENDOR &&
           (device->device == DEVICE_NET || device->device == DEVICE_NET_TRANSITIONAL);
}

int virtio_net_start(const struct pci_device *device, void (*notify)(void *context), void *context,
                     struct nic **nic)
{
    struct virtio_net *net = kzalloc(sizeof(*net));
    const char *what;
    int kind;

    if (!net) {
        return -ENOMEM;
    }
    net->nic.ops = &operations;
    net->nic.name = NAME;
    net->nic.notify = notify;
    net->nic.context = context;
    kind = bring_up(net, device, &what);
    if (kind < 0) {
        log_error("net: " NAME ": %s (error %d)", what, -kind);
        if (net->device.common) {
            virtio_pci_reset(&net->device);
        }
        pci_disable(device);
        return kind; /* its memory stays: an interrupt may be on its way */
    }
    *nic = &net->nic;
    log_info("net: " NAME ", %02x:%02x:%02x:%02x:%02x:%02x, %s", net->nic.mac[0], net->nic.mac[1],
             net->nic.mac[2], net->nic.mac[3], net->nic.mac[4], net->nic.mac[5],
             pci_interrupt_name((enum pci_interrupt_kind)kind));
    return 0;
}
