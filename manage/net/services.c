#include "manage/net/services.h"

#include <errno.h>

#include <lwip/apps/mdns.h>
#include <lwip/apps/sntp.h>

#include "kernel/log.h"
#include "manage/net/port.h"

#define NAME_TTL 120u /* seconds, as RFC 6762, 10 recommends for names of hosts */

static void name_result(struct netif *netif, u8_t result)
{
    (void)netif;
    if (result == MDNS_PROBING_CONFLICT) {
        log_warn("net: another host has this one's name; mDNS is off");
    }
}

/* A server is asked once there is an address to ask from: before that the question would be lost,
 * and the next one wait. DHCP has told of its servers by then. */
static void address_changed(struct netif *netif, netif_nsc_reason_t reason,
                            const netif_ext_callback_args_t *arguments)
{
    (void)arguments;
    if (reason & LWIP_NSC_IPV4_SETTINGS_CHANGED && !ip4_addr_isany(netif_ip4_addr(netif))) {
        sntp_stop();
        sntp_init();
    }
}

int net_services_start(struct netif *netif, const struct net_settings *settings)
{
    static netif_ext_callback_t callback;

    mdns_resp_init();
    mdns_resp_register_name_result_cb(name_result);
    if (mdns_resp_add_netif(netif, settings->hostname, NAME_TTL) != ERR_OK) {
        return -ENOMEM;
    }
    net_ntp_port = settings->ntp_port;
    sntp_setoperatingmode(SNTP_OPMODE_POLL);
    if (settings->ntp[0]) {
        sntp_setservername(0, settings->ntp);
    } else {
        sntp_servermode_dhcp(1);
    }
    netif_add_ext_callback(&callback, address_changed);
    if (!ip4_addr_isany(netif_ip4_addr(netif))) {
        sntp_init();
    }
    return 0;
}
