#include "manage/net/status.h"

#include <string.h>

#include <lwip/memp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/memory/heap.h"
#include "kernel/time.h"
#include "manage/net/addresses.h"
#include "manage/net/net.h"
#include "manage/net/tls/connection.h"

/* How often the chip is asked for its counts, which takes long. */
#define COUNT_PERIOD_NS UINT64_C(500000000)

static struct spinlock lock;
static struct net_status published;

void net_status(struct net_status *status)
{
    bool interrupts = interrupts_save();

    spin_lock(&lock);
    *status = published;
    spin_unlock(&lock);
    interrupts_restore(interrupts);
}

/* Those that have ended and only keep their ports (TIME_WAIT) make way for any new one. */
static unsigned live_connections(void)
{
    unsigned count = lwip_stats.memp[MEMP_TCP_PCB]->used;

    for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next) {
        count--;
    }
    return count;
}

static void fill_memory(struct net_status *status)
{
    status->heap = lwip_stats.mem.used;
    status->heap_size = lwip_stats.mem.avail;
    status->packets = lwip_stats.memp[MEMP_PBUF_POOL]->used;
    status->packet_max = lwip_stats.memp[MEMP_PBUF_POOL]->avail;
    status->connections = live_connections();
    status->connection_max = lwip_stats.memp[MEMP_TCP_PCB]->avail;
    status->tls_connections = tls_connection_count();
    status->tls_connection_max = TLS_CONNECTIONS;
    status->kernel_heap = heap_used();
}

void net_status_update(struct net_interface *interface)
{
    static struct net_status status;
    static uint64_t count_due;
    struct nic *nic = interface->nic;
    bool interrupts;

    if (time_ns() >= count_due) {
        count_due = time_ns() + COUNT_PERIOD_NS;
        nic_count(nic);
    }
    if (net_addresses_changed() || !status.name) {
        net_addresses_describe(&interface->netif, &status);
    }
    status.name = nic->name;
    memcpy(status.mac, nic->mac, sizeof(status.mac));
    status.link = nic_link(nic);
    status.counters = nic->counters;
    status.dropped = interface->dropped;
    fill_memory(&status);
    interrupts = interrupts_save();
    spin_lock(&lock);
    published = status;
    spin_unlock(&lock);
    interrupts_restore(interrupts);
}
