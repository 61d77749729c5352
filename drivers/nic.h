/*
 * A network interface as its driver offers it: Ethernet frames in and out of the driver's own
 * buffers, one at a time. Whoever has the interface (one thread) calls everything here; only
 * `notify` comes from the interrupt.
 *
 * An interface that has notified is silent until nic_listen: the thread empties it first, so a
 * flood of frames costs one interrupt for each time the thread has caught up, and an idle one costs
 * none.
 */
#ifndef DRIVERS_NIC_H
#define DRIVERS_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NIC_MAC_SIZE   6u
#define NIC_FRAME_SIZE 1514u /* the largest frame, without its check sum */

struct nic;

/* Since the interface was started. */
struct nic_counters {
    uint64_t received;
    uint64_t received_bytes;
    uint64_t sent;
    uint64_t sent_bytes;
    uint64_t missed; /* came when the receive ring was full */
    uint64_t errors; /* came damaged, or were too long */
    uint64_t unsent; /* were to be sent when the transmit ring was full */
    uint64_t interrupts;
};

struct nic_ops {
    bool (*link)(struct nic *nic);
    void (*listen)(struct nic *nic);
    const void *(*receive)(struct nic *nic, size_t *length);
    void (*receive_done)(struct nic *nic);
    void *(*send_buffer)(struct nic *nic);
    void (*send)(struct nic *nic, size_t length);
    void (*count)(struct nic *nic);
};

struct nic {
    const struct nic_ops *ops;
    const char *name; /* of the chip */
    uint8_t mac[NIC_MAC_SIZE];
    struct nic_counters counters;
    void (*notify)(void *context); /* a frame has come, or the link has changed */
    void *context;
};

/** Whether there is a link, as of the last interrupt that told of a change. */
static inline bool nic_link(struct nic *nic)
{
    return nic->ops->link(nic);
}

/** Lets it notify once more; at once if something came since it last did. */
static inline void nic_listen(struct nic *nic)
{
    nic->ops->listen(nic);
}

/** The next frame that has come, NULL if there is none. It is the caller's until nic_receive_done.
 */
static inline const void *nic_receive(struct nic *nic, size_t *length)
{
    return nic->ops->receive(nic, length);
}

static inline void nic_receive_done(struct nic *nic)
{
    nic->ops->receive_done(nic);
}

/** Room for a frame of NIC_FRAME_SIZE, to be filled and sent; NULL, and counted, while the ring is
 * full. */
static inline void *nic_send_buffer(struct nic *nic)
{
    return nic->ops->send_buffer(nic);
}

/** Sends what was put into the buffer, `length` (1 to NIC_FRAME_SIZE) bytes. */
static inline void nic_send(struct nic *nic, size_t length)
{
    nic->ops->send(nic, length);
}

/** Brings `counters` up to date with what the chip counts by itself. */
static inline void nic_count(struct nic *nic)
{
    nic->ops->count(nic);
}

#endif
