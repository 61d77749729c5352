/*
 * The machine as a TLS server: its key, its certificate, and connections with these. The network's
 * thread.
 *
 * The key is made at boot and lasts until the machine is off; the certificate is made anew when
 * addresses come or go. Or both come from boot modules, by kernel options:
 *
 *   tls-cert=MODULE tls-key=MODULE    PEM or DER; RSA, P-256 or P-384
 */
#ifndef MANAGE_NET_TLS_TLS_H
#define MANAGE_NET_TLS_TLS_H

#include <lwip/altcp.h>
#include <lwip/netif.h>

#include "manage/net/settings.h"

/** Gets the key ready. `netif`'s addresses are those of the certificate, and `settings` has the
 * name; both stay. 0, -ENOMEM, or -EINVAL if what the modules hold is wrong: there is no TLS then.
 * Both are logged. Once. */
int tls_start(struct netif *netif, const struct net_settings *settings);

/** For altcp_new_ip_type: makes connections that listen. NULL if there is no TLS. */
altcp_allocator_t *tls_allocator(void);

#endif
