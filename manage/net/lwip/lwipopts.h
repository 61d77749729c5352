/*
 * How lwIP is built: one thread, no sockets, all memory in pools and one heap of fixed size, so
 * that whatever comes from the network takes a bounded part of the machine.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#include "manage/net/port.h"

/* Everything runs in the network's thread. */
#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0

/* Memory. What is received is in the pool, what is sent on the heap. */
#define MEM_ALIGNMENT              8
#define MEM_SIZE                   (512 * 1024)
#define PBUF_POOL_SIZE             256
#define PBUF_POOL_BUFSIZE          1536 /* a whole frame */
#define MEMP_NUM_PBUF              128
#define MEMP_NUM_TCP_PCB           64
#define MEMP_NUM_TCP_PCB_LISTEN    56 /* consoles of VMs have one each, if any */
#define MEMP_NUM_TCP_SEG           512
#define MEMP_NUM_UDP_PCB           12
#define MEMP_NUM_SYS_TIMEOUT       (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 16)
#define MEMP_NUM_FRAG_PBUF         32
#define LWIP_SUPPORT_CUSTOM_PBUF   1
#define IP_REASS_MAX_PBUFS         32
#define IPV6_FRAG_COPYHEADER       1 /* pointers of 64 bits do not fit into the header */
#define MEMP_NUM_ARP_QUEUE         64
#define MEMP_NUM_ND6_QUEUE         20
#define MEMP_NUM_MLD6_GROUP        8
#define MEMP_NUM_IGMP_GROUP        8
#define LWIP_NUM_NETIF_CLIENT_DATA 1 /* mDNS's */

/* The interface: IPv4 and IPv6 on Ethernet. */
#define LWIP_SINGLE_NETIF              1
#define LWIP_IPV4                      1
#define LWIP_IPV6                      1
#define LWIP_ETHERNET                  1
#define LWIP_ARP                       1
#define LWIP_ICMP                      1
#define LWIP_RAW                       0
#define LWIP_IGMP                      1
#define LWIP_IPV6_MLD                  1
#define LWIP_NETIF_HOSTNAME            1
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1
#define ETHARP_TRUST_IP_MAC            0
#define ARP_QUEUEING                   1 /* for a burst of syslog messages */
#define ARP_QUEUE_LEN                  32
#define ETH_PAD_SIZE                   0
#define LWIP_CHKSUM_ALGORITHM          3 /* eight bytes at a time */

/* TCP. */
#define LWIP_TCP                           1
#define TCP_MSS                            1460
#define TCP_WND                            (16 * TCP_MSS)
#define TCP_SND_BUF                        (16 * TCP_MSS)
#define TCP_SND_QUEUELEN                   64
#define TCP_LISTEN_BACKLOG                 1
#define TCP_DEFAULT_LISTEN_BACKLOG         16
#define TCP_OOSEQ_MAX_PBUFS                6 /* for each connection, so that not all are taken */
#define TCP_MAXRTX                         6 /* some three minutes, and a peer that is silent is gone */
#define LWIP_TCP_KEEPALIVE                 1
#define SO_REUSE                           1
#define LWIP_RANDOMIZE_INITIAL_LOCAL_PORTS 1

/* lwIP's own numbers count up from a constant. A server need not fear for those of old connections,
 * for it is the client's side that waits until they are gone. */
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) net_random()

#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, length, length1, options2, packet) \
    net_tcp_look(pcb, header)

/* Connections by another layer's functions, so that a server need not know whether it is TLS: then
 * there are two of these for each of TCP's. */
#define LWIP_ALTCP         1
#define MEMP_NUM_ALTCP_PCB (2 * (MEMP_NUM_TCP_PCB + MEMP_NUM_TCP_PCB_LISTEN))

/* Services. */
#define LWIP_DHCP                     1
#define LWIP_DHCP_GET_NTP_SRV         1
#define LWIP_DHCP_MAX_NTP_SERVERS     2
#define LWIP_DNS                      1
#define LWIP_DNS_SUPPORT_MDNS_QUERIES 0
#define LWIP_MDNS_RESPONDER           1
#define MDNS_MAX_SERVICES             2

/* SNTP: an answer must repeat what was asked, and half of its way is taken into account. */
#define SNTP_SERVER_DNS                1
#define SNTP_CHECK_RESPONSE            2
#define SNTP_COMP_ROUNDTRIP            1
#define SNTP_STARTUP_DELAY             0 /* one machine, not a thousand at once */
#define SNTP_PORT                      net_ntp_port
#define SNTP_SET_SYSTEM_TIME_US(s, us) net_clock_set(s, us)
#define SNTP_GET_SYSTEM_TIME(s, us)    net_clock_get(&(s), &(us))

/* Counts of memory only; frames are counted by the interface. */
#define LWIP_STATS     1
#define LINK_STATS     0
#define ETHARP_STATS   0
#define IP_STATS       0
#define IPFRAG_STATS   0
#define ICMP_STATS     0
#define IGMP_STATS     0
#define UDP_STATS      0
#define TCP_STATS      0
#define IP6_STATS      0
#define ICMP6_STATS    0
#define IP6_FRAG_STATS 0
#define MLD6_STATS     0
#define ND6_STATS      0
#define MEM_STATS      1
#define MEMP_STATS     1

#endif
