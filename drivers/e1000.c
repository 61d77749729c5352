#include "drivers/e1000.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "drivers/e1000_registers.h"
#include "drivers/e1000_ring.h"
#include "drivers/pci/interrupt.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/paging.h"
#include "kernel/thread.h"
#include "kernel/time.h"

#define VENDOR_INTEL 0x8086u

#define RECEIVE_COUNT 128u
#define SEND_COUNT    64u

/* All memory of the rings is one block: the descriptors first, the buffers behind. */
#define RING_FRAMES_ORDER 7u
#define SEND_DESCRIPTORS  (RECEIVE_COUNT * E1000_DESCRIPTOR_SIZE)
#define RECEIVE_BUFFERS   FRAME_SIZE
#define SEND_BUFFERS      (RECEIVE_BUFFERS + RECEIVE_COUNT * E1000_BUFFER_SIZE)

_Static_assert((RECEIVE_COUNT + SEND_COUNT) * E1000_DESCRIPTOR_SIZE <= RECEIVE_BUFFERS,
               "the descriptors fit before the buffers");
_Static_assert(SEND_BUFFERS + SEND_COUNT * E1000_BUFFER_SIZE <= FRAME_SIZE << RING_FRAMES_ORDER,
               "the rings fit into their block");

#define MS                 UINT64_C(1000000)
#define RESET_SETTLE_NS    (10 * MS)
#define RESET_PATIENCE_NS  (100 * MS)
#define EEPROM_PATIENCE_NS (10 * MS)

struct model {
    uint16_t device;
    const char *name;
    bool express; /* 82571 and later: other places in EERD, other bits in TXDCTL */
};

static const struct model models[] = {
    {0x100e, "82540EM", false},
    {0x100f, "82545EM", false},
    {0x10d3, "82574L", true},
};

struct e1000 {
    struct nic nic;
    const struct model *model;
    volatile uint8_t *registers;
    struct e1000_receive_ring receive;
    struct e1000_send_ring send;
    atomic_bool link;
    _Atomic uint64_t interrupts;
};

static uint32_t reg_read(const struct e1000 *e1000, unsigned reg)
{
    return *(volatile uint32_t *)(e1000->registers + reg);
}

/* Volatile keeps the order of registers; what the chip reads in memory has to be there before. */
static void reg_write(struct e1000 *e1000, unsigned reg, uint32_t value)
{
    atomic_thread_fence(memory_order_release);
    *(volatile uint32_t *)(e1000->registers + reg) = value;
}

static struct e1000 *of(struct nic *nic)
{
    return (struct e1000 *)nic; /* its first member */
}

/* The interface's operations. */

static bool e1000_link(struct nic *nic)
{
    return of(nic)->link;
}

static void e1000_listen(struct nic *nic)
{
    /* Causes that came while they were masked interrupt now. */
    reg_write(of(nic), REG_IMS, INTERRUPTS);
}

static const void *e1000_receive(struct nic *nic, size_t *length)
{
    struct e1000 *e1000 = of(nic);
    uint64_t damaged = e1000->receive.damaged;
    const void *frame = e1000_ring_receive(&e1000->receive, length);

    if (e1000->receive.damaged != damaged) {
        nic->counters.errors += e1000->receive.damaged - damaged;
        reg_write(e1000, REG_RDT, e1000_receive_tail(&e1000->receive));
    }
    if (frame) {
        nic->counters.received++;
        nic->counters.received_bytes += *length;
    }
    return frame;
}

static void e1000_receive_done(struct nic *nic)
{
    struct e1000 *e1000 = of(nic);

    e1000_ring_receive_done(&e1000->receive);
    reg_write(e1000, REG_RDT, e1000_receive_tail(&e1000->receive));
}

static void *e1000_send_buffer(struct nic *nic)
{
    void *buffer = e1000_ring_send_buffer(&of(nic)->send);

    nic->counters.unsent += buffer == NULL;
    return buffer;
}

static void e1000_send(struct nic *nic, size_t length)
{
    struct e1000 *e1000 = of(nic);

    e1000_ring_send(&e1000->send, length);
    reg_write(e1000, REG_TDT, e1000->send.tail);
    nic->counters.sent++;
    nic->counters.sent_bytes += length;
}

/* The chip's counters begin at 0 again when they are read. */
static void e1000_count(struct nic *nic)
{
    struct e1000 *e1000 = of(nic);

    nic->counters.missed += reg_read(e1000, REG_MPC);
    nic->counters.errors += reg_read(e1000, REG_CRCERRS) + reg_read(e1000, REG_ROC);
    nic->counters.interrupts = e1000->interrupts;
}

static const struct nic_ops operations = {
    .link = e1000_link,
    .listen = e1000_listen,
    .receive = e1000_receive,
    .receive_done = e1000_receive_done,
    .send_buffer = e1000_send_buffer,
    .send = e1000_send,
    .count = e1000_count,
};

static void read_link(struct e1000 *e1000)
{
    e1000->link = (reg_read(e1000, REG_STATUS) & STATUS_LINK_UP) != 0;
}

static bool handle_interrupt(void *context)
{
    struct e1000 *e1000 = context;
    uint32_t causes = reg_read(e1000, REG_ICR); /* which clears them */

    if (!(causes & INTERRUPTS)) {
        return false;
    }
    reg_write(e1000, REG_IMC, UINT32_MAX);
    e1000->interrupts++;
    if (causes & INTERRUPT_LINK) {
        read_link(e1000);
    }
    e1000->nic.notify(e1000->nic.context);
    return true;
}

/* Starting. */

static bool wait_for(struct e1000 *e1000, unsigned reg, uint32_t mask, uint32_t value,
                     uint64_t patience)
{
    uint64_t end = time_ns() + patience;

    while ((reg_read(e1000, reg) & mask) != value) {
        if (time_ns() > end) {
            return false;
        }
        thread_yield();
    }
    return true;
}

static int reset(struct e1000 *e1000)
{
    reg_write(e1000, REG_IMC, UINT32_MAX);
    reg_write(e1000, REG_RCTL, 0);
    reg_write(e1000, REG_TCTL, TCTL_PAD_SHORT);
    (void)reg_read(e1000, REG_STATUS);
    thread_sleep_until(time_ns() + RESET_SETTLE_NS); /* what is on its way over the bus ends */
    reg_write(e1000, REG_CTRL, reg_read(e1000, REG_CTRL) | CTRL_RESET);
    thread_sleep_until(time_ns() + RESET_SETTLE_NS); /* it also reads its EEPROM */
    if (!wait_for(e1000, REG_CTRL, CTRL_RESET, 0, RESET_PATIENCE_NS)) {
        return -EIO;
    }
    reg_write(e1000, REG_IMC, UINT32_MAX);
    (void)reg_read(e1000, REG_ICR);
    return 0;
}

static int read_eeprom(struct e1000 *e1000, unsigned word, uint16_t *value)
{
    uint32_t done = e1000->model->express ? EERD_DONE_EXPRESS : EERD_DONE;
    unsigned shift = e1000->model->express ? EERD_ADDRESS_EXPRESS : EERD_ADDRESS;

    reg_write(e1000, REG_EERD, EERD_START | word << shift);
    if (!wait_for(e1000, REG_EERD, done, done, EEPROM_PATIENCE_NS)) {
        return -EIO;
    }
    *value = (uint16_t)(reg_read(e1000, REG_EERD) >> EERD_DATA);
    return 0;
}

static bool is_station_address(const uint8_t mac[static NIC_MAC_SIZE])
{
    static const uint8_t none[NIC_MAC_SIZE];

    return !(mac[0] & 1) && memcmp(mac, none, NIC_MAC_SIZE) != 0;
}

/* After a reset the chip has its address from the EEPROM; if it has not, the EEPROM is asked. */
static int read_mac(struct e1000 *e1000)
{
    uint8_t *mac = e1000->nic.mac;
    uint32_t words[2] = {reg_read(e1000, REG_RAL), reg_read(e1000, REG_RAH)};

    memcpy(mac, words, NIC_MAC_SIZE);
    if (words[1] & RAH_VALID && is_station_address(mac)) {
        return 0;
    }
    for (unsigned i = 0; i < NIC_MAC_SIZE / 2; i++) {
        uint16_t word;

        if (read_eeprom(e1000, i, &word)) {
            return -EIO;
        }
        memcpy(mac + i * sizeof(word), &word, sizeof(word));
    }
    if (!is_station_address(mac)) {
        return -EIO;
    }
    memset(words, 0, sizeof(words));
    memcpy(words, mac, NIC_MAC_SIZE);
    reg_write(e1000, REG_RAL, words[0]);
    reg_write(e1000, REG_RAH, words[1] | RAH_VALID);
    return 0;
}

static int allocate_rings(struct e1000 *e1000, uint64_t *physical)
{
    uint8_t *memory;

    *physical = frame_alloc(RING_FRAMES_ORDER);
    if (!*physical) {
        return -ENOMEM;
    }
    memory = phys_to_virt(*physical);
    e1000->receive.descriptors = (struct e1000_receive_descriptor *)memory;
    e1000->receive.buffers = memory + RECEIVE_BUFFERS;
    e1000->receive.count = RECEIVE_COUNT;
    e1000_receive_ring_init(&e1000->receive, *physical + RECEIVE_BUFFERS);
    e1000->send.descriptors = (struct e1000_send_descriptor *)(memory + SEND_DESCRIPTORS);
    e1000->send.buffers = memory + SEND_BUFFERS;
    e1000->send.count = SEND_COUNT;
    e1000_send_ring_init(&e1000->send, *physical + SEND_BUFFERS);
    return 0;
}

static void start_rings(struct e1000 *e1000, uint64_t physical)
{
    reg_write(e1000, REG_RDBAL, (uint32_t)physical);
    reg_write(e1000, REG_RDBAH, (uint32_t)(physical >> 32));
    reg_write(e1000, REG_RDLEN, (uint32_t)(RECEIVE_COUNT * E1000_DESCRIPTOR_SIZE));
    reg_write(e1000, REG_RDH, 0);
    reg_write(e1000, REG_RDTR, 0);
    physical += SEND_DESCRIPTORS;
    reg_write(e1000, REG_TDBAL, (uint32_t)physical);
    reg_write(e1000, REG_TDBAH, (uint32_t)(physical >> 32));
    reg_write(e1000, REG_TDLEN, (uint32_t)(SEND_COUNT * E1000_DESCRIPTOR_SIZE));
    reg_write(e1000, REG_TDH, 0);
    reg_write(e1000, REG_TDT, 0);
    if (e1000->model->express) {
        reg_write(e1000, REG_TXDCTL,
                  reg_read(e1000, REG_TXDCTL) | TXDCTL_COUNT_DESCRIPTORS | TXDCTL_WRITE_BACK_EACH);
    }
    reg_write(e1000, REG_TIPG, TIPG_COPPER);
    reg_write(e1000, REG_TCTL, TCTL_ENABLE | TCTL_PAD_SHORT | TCTL_COLLISIONS);
    /* All multicast frames are taken: who listens to a few groups need not look after a filter. */
    for (unsigned i = 0; i < MULTICAST_WORDS; i++) {
        reg_write(e1000, REG_MTA + 4 * i, 0);
    }
    reg_write(e1000, REG_RCTL,
              RCTL_ENABLE | RCTL_ALL_MULTICAST | RCTL_BROADCAST | RCTL_STRIP_CHECKSUM);
    reg_write(e1000, REG_RDT, e1000_receive_tail(&e1000->receive));
}

static const struct model *find_model(const struct pci_device *device)
{
    for (unsigned i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (device->vendor == VENDOR_INTEL && device->device == models[i].device) {
            return &models[i];
        }
    }
    return NULL;
}

bool e1000_knows(const struct pci_device *device)
{
    return find_model(device) != NULL;
}

static int map_registers(struct e1000 *e1000, const struct pci_device *device)
{
    struct pci_bar bar;
    int error = pci_bar_read(device, 0, &bar);

    if (error || bar.io || bar.size < REGISTERS_SIZE) {
        return error ? error : -EIO;
    }
    e1000->registers = map_physical(bar.base, REGISTERS_SIZE, MAP_DEVICE);
    return e1000->registers ? 0 : -ENOMEM;
}

/* Everything up to the interrupt; `what` is what went wrong. */
static int bring_up(struct e1000 *e1000, const struct pci_device *device, uint64_t *rings,
                    const char **what)
{
    int error;

    *what = "its registers cannot be mapped";
    error = map_registers(e1000, device);
    if (error) {
        return error;
    }
    pci_enable(device);
    *what = "it does not come out of its reset";
    error = reset(e1000);
    if (error) {
        return error;
    }
    *what = "it has no MAC address";
    error = read_mac(e1000);
    if (error) {
        return error;
    }
    *what = "no memory for its rings";
    error = allocate_rings(e1000, rings);
    if (error) {
        return error;
    }
    start_rings(e1000, *rings);
    reg_write(e1000, REG_CTRL, reg_read(e1000, REG_CTRL) | CTRL_LINK_UP | CTRL_AUTO_SPEED);
    read_link(e1000);
    return 0;
}

int e1000_start(const struct pci_device *device, void (*notify)(void *context), void *context,
                struct nic **nic)
{
    const struct model *model = find_model(device);
    struct e1000 *e1000 = kzalloc(sizeof(*e1000));
    const char *what = "no memory";
    uint64_t rings = 0;
    int kind;

    if (!model || !e1000) {
        kfree(e1000);
        return model ? -ENOMEM : -ENODEV;
    }
    e1000->model = model;
    e1000->nic.ops = &operations;
    e1000->nic.name = model->name;
    e1000->nic.notify = notify;
    e1000->nic.context = context;
    kind = bring_up(e1000, device, &rings, &what);
    if (kind == 0) {
        what = "no interrupt leads from it to a CPU";
        kind = pci_interrupt_connect(device, PCI_BY_MSI | PCI_BY_LINE, handle_interrupt, e1000);
    }
    if (kind < 0) {
        log_error("net: %s: %s (error %d)", model->name, what, -kind);
        pci_disable(device);
        if (rings) {
            frame_free(rings, RING_FRAMES_ORDER);
        }
        kfree(e1000);
        return kind;
    }
    *nic = &e1000->nic;
    log_info("net: %s, %02x:%02x:%02x:%02x:%02x:%02x, %s", model->name, e1000->nic.mac[0],
             e1000->nic.mac[1], e1000->nic.mac[2], e1000->nic.mac[3], e1000->nic.mac[4],
             e1000->nic.mac[5], pci_interrupt_name((enum pci_interrupt_kind)kind));
    return 0;
}
