/*
 * The machine's network: the first interface that a driver knows, under lwIP, in a thread of its
 * own. All of lwIP is that thread's; others ask net_status.
 */
#ifndef MANAGE_NET_NET_H
#define MANAGE_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/nic.h"

#define NET_ADDRESSES    4u
#define NET_ADDRESS_SIZE 48u

struct net_status {
    const char *name; /* of the chip; NULL: there is no network */
    uint8_t mac[NIC_MAC_SIZE];
    bool link;
    char ipv4[NET_ADDRESS_SIZE]; /* with prefix length; "" if there is none */
    char gateway[NET_ADDRESS_SIZE];
    char ipv6[NET_ADDRESSES][NET_ADDRESS_SIZE]; /* "" where there is none */
    struct nic_counters counters;
    uint64_t dropped; /* frames that came when there was no memory for them */
    /* What lwIP has in use, and the most there is. */
    size_t heap, heap_size;       /* bytes */
    unsigned packets, packet_max; /* of the pool for what is received */
    unsigned connections, connection_max;
    unsigned tls_connections, tls_connection_max;
    size_t kernel_heap; /* bytes of the kernel's heap, in which TLS has its memory among others */
};

struct net_settings;

/* What the network is for, in its own thread. */
struct net_application {
    /** Once, when there is an interface. Logs what goes wrong. */
    void (*start)(const struct net_settings *settings);
    /** Goes on: whenever something has come, may be sent, or the thread was woken, and a few times
     * a second while there are connections. True: there is more to do at once. */
    bool (*run)(void);
};

/** Starts the network as the kernel's command line wants it (manage/net/settings.h). What goes
 * wrong is logged, now or later, and costs nothing else. Once; after that there are threads. */
void net_start(const struct net_application *application);

/** How it is; what the chip counts, as of half a second before the last that happened. Any thread.
 */
void net_status(struct net_status *status);

/** Has the network's thread look whether there is something to send: the application runs. Any
 * context but NMI. */
void net_wake(void);
/** Likewise, in so many ms, if that is not going to happen before. By the network's thread. */
void net_wake_in(uint32_t ms);

/** This machine's name in the network. By the network's thread. */
const char *net_hostname(void);
/** 0; -EINVAL if it is no name of a host. By the network's thread. */
int net_set_hostname(const char *name);

#endif
