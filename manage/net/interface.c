#include "manage/net/interface.h"

#include <errno.h>
#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/pbuf.h>
#include <netif/ethernet.h>

#include "kernel/log.h"

#define MTU 1500

/* lwIP sends a frame: into the driver's buffer with it. */
static err_t send_frame(struct netif *netif, struct pbuf *packet)
{
    struct net_interface *interface = netif->state;
    void *buffer;

    if (packet->tot_len > NIC_FRAME_SIZE) {
        return ERR_BUF;
    }
    buffer = nic_send_buffer(interface->nic);
    if (!buffer) {
        return ERR_MEM; /* TCP tries again; for others it is a lost packet */
    }
    pbuf_copy_partial(packet, buffer, packet->tot_len, 0);
    nic_send(interface->nic, packet->tot_len);
    return ERR_OK;
}

static err_t init_netif(struct netif *netif)
{
    const struct net_interface *interface = netif->state;

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->hwaddr_len = NIC_MAC_SIZE;
    memcpy(netif->hwaddr, interface->nic->mac, NIC_MAC_SIZE);
    netif->mtu = MTU;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
                   NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = send_frame;
    return ERR_OK;
}

int net_interface_start(struct net_interface *interface, struct nic *nic,
                        const struct net_settings *settings)
{
    struct netif *netif = &interface->netif;

    interface->nic = nic;
    interface->dropped = 0;
    if (!netif_add(netif, NULL, NULL, NULL, interface, init_netif, ethernet_input)) {
        return -ENOMEM;
    }
    netif_set_default(netif);
    netif_set_hostname(netif, settings->hostname);
    netif_create_ip6_linklocal_address(netif, 1);
    netif_set_ip6_autoconfig_enabled(netif, 1);
    netif_set_up(netif);
    if (settings->mode == NET_DHCP) {
        return dhcp_start(netif) == ERR_OK ? 0 : -ENOMEM;
    }
    netif_set_addr(netif, &settings->address, &settings->mask, &settings->gateway);
    if (!ip4_addr_isany_val(settings->dns)) {
        ip_addr_t dns;

        ip_addr_copy_from_ip4(dns, settings->dns);
        dns_setserver(0, &dns);
    }
    return 0;
}

/* A frame for which there is no memory is dropped, as on a wire that is too busy: to leave it in
 * the ring could block the very acknowledgement that would free memory. */
static void take_frame(struct net_interface *interface, const void *frame, size_t length)
{
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_POOL);

    if (!packet) {
        interface->dropped++;
        return;
    }
    pbuf_take(packet, frame, (u16_t)length);
    if (interface->netif.input(packet, &interface->netif) != ERR_OK) {
        pbuf_free(packet);
    }
}

bool net_interface_receive(struct net_interface *interface, unsigned budget)
{
    for (unsigned i = 0; i < budget; i++) {
        size_t length;
        const void *frame = nic_receive(interface->nic, &length);

        if (!frame) {
            return false;
        }
        take_frame(interface, frame, length);
        nic_receive_done(interface->nic);
    }
    return true;
}

void net_interface_update_link(struct net_interface *interface)
{
    bool link = nic_link(interface->nic);

    if (link == (netif_is_link_up(&interface->netif) != 0)) {
        return;
    }
    log_info("net: link %s", link ? "up" : "down");
    if (link) {
        netif_set_link_up(&interface->netif);
    } else {
        netif_set_link_down(&interface->netif);
    }
}
