#include <stdio.h>

#include "manage/metrics/families.h"

#define MAC_SIZE 18u

static void describe_interface(struct metrics_text *text, const struct net_status *network)
{
    const uint8_t *mac = network->mac;
    char mac_text[MAC_SIZE];

    snprintf(mac_text, sizeof(mac_text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
             mac[3], mac[4], mac[5]);
    metrics_family(text, "innkeeper_network_info", "gauge",
                   "Always 1; tells the network interface and its address.");
    metrics_integer(
        text, "",
        METRICS_LABELS({"chip", network->name}, {"mac", mac_text}, {"address", network->ipv4}), 1);
    metrics_one(text, "innkeeper_network_link_up", "gauge", "Whether there is a link.",
                network->link);
}

static void count_frames(struct metrics_text *text, const struct nic_counters *counters)
{
    metrics_one(text, "innkeeper_network_receive_bytes_total", "counter", "Bytes received.",
                counters->received_bytes);
    metrics_one(text, "innkeeper_network_receive_frames_total", "counter", "Frames received.",
                counters->received);
    metrics_one(text, "innkeeper_network_transmit_bytes_total", "counter", "Bytes sent.",
                counters->sent_bytes);
    metrics_one(text, "innkeeper_network_transmit_frames_total", "counter", "Frames sent.",
                counters->sent);
    metrics_one(text, "innkeeper_network_interrupts_total", "counter",
                "Interrupts of the network interface.", counters->interrupts);
}

static void count_losses(struct metrics_text *text, const struct net_status *network)
{
    metrics_family(text, "innkeeper_network_receive_lost_total", "counter",
                   "Frames that came and were lost: the ring was full, they were damaged, or there "
                   "was no memory for them.");
    metrics_integer(text, "", METRICS_LABELS({"reason", "ring_full"}), network->counters.missed);
    metrics_integer(text, "", METRICS_LABELS({"reason", "damaged"}), network->counters.errors);
    metrics_integer(text, "", METRICS_LABELS({"reason", "no_memory"}), network->dropped);
    metrics_one(text, "innkeeper_network_transmit_lost_total", "counter",
                "Frames that found the transmit ring full.", network->counters.unsent);
}

static void measure_memory(struct metrics_text *text, const struct net_status *network)
{
    metrics_one(text, "innkeeper_network_heap_bytes", "gauge", "Memory in use for what is sent.",
                network->heap);
    metrics_one(text, "innkeeper_network_heap_limit_bytes", "gauge",
                "Memory there is for what is sent.", network->heap_size);
    metrics_one(text, "innkeeper_network_packets", "gauge", "Received packets in memory.",
                network->packets);
    metrics_one(text, "innkeeper_network_packets_limit", "gauge",
                "Received packets that there is memory for.", network->packet_max);
    metrics_one(text, "innkeeper_network_connections", "gauge", "TCP connections.",
                network->connections);
    metrics_one(text, "innkeeper_network_connections_limit", "gauge",
                "TCP connections that there can be.", network->connection_max);
}

void metrics_of_network(struct metrics_text *text, const struct net_status *network)
{
    if (!network->name) {
        return;
    }
    describe_interface(text, network);
    count_frames(text, &network->counters);
    count_losses(text, network);
    measure_memory(text, network);
}
