#include "manage/net/describe.h"

#include <stdio.h>

static void describe_interface(const struct net_status *status, char *text, size_t size)
{
    const uint8_t *mac = status->mac;

    snprintf(text, size, "%s %02x:%02x:%02x:%02x:%02x:%02x, link %s", status->name, mac[0], mac[1],
             mac[2], mac[3], mac[4], mac[5], status->link ? "up" : "down");
}

static void describe_ipv4(const struct net_status *status, char *text, size_t size)
{
    if (status->ipv4[0]) {
        snprintf(text, size, "IPv4 %s, gateway %s", status->ipv4, status->gateway);
    } else {
        snprintf(text, size, "IPv4: no address");
    }
}

/* The address of that number among those that there are. */
static const char *ipv6_address(const struct net_status *status, unsigned number)
{
    for (unsigned i = 0; i < NET_ADDRESSES; i++) {
        if (status->ipv6[i][0] && number-- == 0) {
            return status->ipv6[i];
        }
    }
    return NULL;
}

/* What stands below the addresses. */
static bool describe_counts(const struct net_status *status, unsigned row, char *text, size_t size)
{
    const struct nic_counters *counters = &status->counters;

    switch (row) {
    case 0:
        snprintf(text, size, "received %lu frames, %lu bytes; %lu interrupts", counters->received,
                 counters->received_bytes, counters->interrupts);
        return true;
    case 1:
        snprintf(text, size, "lost: %lu missed, %lu damaged, %lu dropped for want of memory",
                 counters->missed, counters->errors, status->dropped);
        return true;
    case 2:
        snprintf(text, size, "sent %lu frames, %lu bytes; %lu found the ring full", counters->sent,
                 counters->sent_bytes, counters->unsent);
        return true;
    case 3:
        snprintf(text, size,
                 "memory: %zu of %zu bytes heap, %u of %u packets, %u of %u connections",
                 status->heap, status->heap_size, status->packets, status->packet_max,
                 status->connections, status->connection_max);
        return true;
    case 4:
        snprintf(text, size, "TLS: %u of %u connections; %zu bytes of the kernel's heap",
                 status->tls_connections, status->tls_connection_max, status->kernel_heap);
        return true;
    default:
        return false;
    }
}

bool net_describe(const struct net_status *status, unsigned row, char *text, size_t size)
{
    const char *address;
    unsigned addresses = 0;

    if (!status->name) {
        snprintf(text, size, "there is no network");
        return row == 0;
    }
    if (row < 2) {
        (row == 0 ? describe_interface : describe_ipv4)(status, text, size);
        return true;
    }
    address = ipv6_address(status, row - 2);
    if (address) {
        snprintf(text, size, "IPv6 %s", address);
        return true;
    }
    while (ipv6_address(status, addresses)) {
        addresses++;
    }
    return describe_counts(status, row - 2 - addresses, text, size);
}
