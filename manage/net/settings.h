/*
 * The network's settings on the kernel's command line. Pure.
 *
 *   net=dhcp                                   the default
 *   net=off
 *   net=static,ADDRESS/PREFIX,GATEWAY[,DNS]    IPv4; IPv6 configures itself in any case
 *   hostname=NAME                              for DHCP and mDNS; "innkeeper" if not given
 *   ntp=SERVER                                 name or address; else what DHCP says
 *   ntp-port=N                                 123
 *   net-echo                                   echo service (RFC 862), for tests
 *   http, http=PORT                            HTTP without TLS, too; port 80 if not given
 */
#ifndef MANAGE_NET_SETTINGS_H
#define MANAGE_NET_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lwip/ip4_addr.h>

#define NET_HOSTNAME_SIZE 64u  /* one label of a domain name */
#define NET_SERVER_SIZE   128u /* with their final NULs */

enum net_mode { NET_OFF, NET_DHCP, NET_STATIC };

struct net_settings {
    enum net_mode mode;
    /* NET_STATIC */
    ip4_addr_t address;
    ip4_addr_t mask;
    ip4_addr_t gateway;
    ip4_addr_t dns; /* any: none */

    char hostname[NET_HOSTNAME_SIZE];
    char ntp[NET_SERVER_SIZE]; /* "" if not given */
    uint16_t ntp_port;
    bool echo;
    uint16_t http_port; /* of HTTP without TLS; 0: none */
};

/** True if it can be a host's name: up to 63 letters, digits and inner hyphens. */
bool net_is_hostname(const char *name);

/** Takes the settings from a command line. 0; or -EINVAL, `reason` says why, and the mode is
 * NET_OFF: an interface with settings other than those meant does more harm than none. */
int net_settings_parse(const char *cmdline, struct net_settings *settings, char *reason,
                       size_t size);

#endif
