#include "manage/net/addresses.h"

#include <stdio.h>
#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/dns.h>

#include "kernel/log.h"

_Static_assert(NET_ADDRESSES >= LWIP_IPV6_NUM_ADDRESSES, "a status has room for all");
_Static_assert(NET_ADDRESS_SIZE >= IP6ADDR_STRLEN_MAX, "and for the longest");

static bool changes;

static unsigned prefix_length(const ip4_addr_t *mask)
{
    unsigned length = 0;

    for (uint32_t bits = lwip_ntohl(ip4_addr_get_u32(mask)); bits; bits <<= 1) {
        length++;
    }
    return length;
}

static void write_ipv4(const struct netif *netif, char text[static NET_ADDRESS_SIZE])
{
    char address[IP4ADDR_STRLEN_MAX];

    ip4addr_ntoa_r(netif_ip4_addr(netif), address, sizeof(address));
    snprintf(text, NET_ADDRESS_SIZE, "%s/%u", address, prefix_length(netif_ip4_netmask(netif)));
}

void net_addresses_describe(const struct netif *netif, struct net_status *status)
{
    memset(status->ipv4, 0, sizeof(status->ipv4));
    memset(status->ipv6, 0, sizeof(status->ipv6));
    if (!ip4_addr_isany(netif_ip4_addr(netif))) {
        write_ipv4(netif, status->ipv4);
        ip4addr_ntoa_r(netif_ip4_gw(netif), status->gateway, NET_ADDRESS_SIZE);
    }
    for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i))) {
            ip6addr_ntoa_r(netif_ip6_addr(netif, i), status->ipv6[i], NET_ADDRESS_SIZE);
        }
    }
}

static void log_ipv4(const struct netif *netif)
{
    static char had[NET_ADDRESS_SIZE];
    char gateway[IP4ADDR_STRLEN_MAX];
    const ip_addr_t *dns = dns_getserver(0);

    if (ip4_addr_isany(netif_ip4_addr(netif))) {
        if (had[0]) {
            log_warn("net: the address %s is lost", had);
        }
        had[0] = '\0';
        return;
    }
    write_ipv4(netif, had);
    ip4addr_ntoa_r(netif_ip4_gw(netif), gateway, sizeof(gateway));
    log_info("net: address %s%s, gateway %s, %s%s", had,
             dhcp_supplied_address(netif) ? " by DHCP" : "", gateway,
             ip_addr_isany(dns) ? "no DNS" : "DNS ", ip_addr_isany(dns) ? "" : ipaddr_ntoa(dns));
}

static void log_ipv6(const struct netif *netif, unsigned index, u8_t before)
{
    u8_t state = netif_ip6_addr_state(netif, index);
    char address[NET_ADDRESS_SIZE];

    if (ip6_addr_isvalid(state) == ip6_addr_isvalid(before) && !ip6_addr_isduplicated(state)) {
        return;
    }
    ip6addr_ntoa_r(netif_ip6_addr(netif, index), address, sizeof(address));
    if (ip6_addr_isvalid(state)) {
        log_info("net: address %s", address);
    } else if (ip6_addr_isduplicated(state)) {
        log_warn("net: the address %s is another's already", address);
    } else {
        log_warn("net: the address %s is lost", address);
    }
}

static void notice(struct netif *netif, netif_nsc_reason_t reason,
                   const netif_ext_callback_args_t *arguments)
{
    changes = true;
    if (reason & LWIP_NSC_IPV4_SETTINGS_CHANGED) {
        log_ipv4(netif);
    }
    if (reason & LWIP_NSC_IPV6_ADDR_STATE_CHANGED) {
        log_ipv6(netif, (unsigned)arguments->ipv6_addr_state_changed.addr_index,
                 arguments->ipv6_addr_state_changed.old_state);
    }
}

bool net_addresses_changed(void)
{
    bool changed = changes;

    changes = false;
    return changed;
}

void net_addresses_watch(void)
{
    static netif_ext_callback_t callback;

    netif_add_ext_callback(&callback, notice);
}
