#include "manage/net/echo.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include <lwip/altcp.h>
#include <lwip/prot/iana.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>

#include "manage/net/listen.h"
#include "manage/net/tls/tls.h"

#define PORT        7u
#define TLS_PORT    4433u
#define POLL_SLOWLY 4u   /* half seconds */
#define IDLE_POLLS  150u /* five minutes without a byte, and the connection ends */

/* A connection. What has come and is not sent yet is a chain of packets, and the peer's window
 * opens by what is sent: so it is never more than one window. */
struct connection {
    struct altcp_pcb *pcb;
    struct pbuf *waiting;
    unsigned idle;
    bool closing; /* the peer has sent its last */
};

static struct connection connections[MEMP_NUM_TCP_PCB];

static void forget(struct connection *connection)
{
    if (connection->waiting) {
        pbuf_free(connection->waiting);
    }
    *connection = (struct connection){0};
}

/* ERR_ABRT if the connection had to be cut off, as lwIP wants to be told. */
static err_t end(struct connection *connection)
{
    struct altcp_pcb *pcb = connection->pcb;

    altcp_arg(pcb, NULL);
    altcp_recv(pcb, NULL);
    altcp_sent(pcb, NULL);
    altcp_poll(pcb, NULL, 0);
    altcp_err(pcb, NULL);
    forget(connection);
    if (altcp_close(pcb) != ERR_OK) {
        altcp_abort(pcb);
        return ERR_ABRT;
    }
    return ERR_OK;
}

/* Sends what there is room for; ends the connection when nothing is left and nothing will come. */
static err_t pump(struct connection *connection)
{
    struct altcp_pcb *pcb = connection->pcb;

    while (connection->waiting) {
        struct pbuf *first = connection->waiting;
        u16_t length = first->len;

        if (length > altcp_sndbuf(pcb) ||
            altcp_write(pcb, first->payload, length, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            break; /* there will be room when something is acknowledged */
        }
        connection->waiting = first->next;
        if (connection->waiting) {
            pbuf_ref(connection->waiting);
        }
        pbuf_free(first);
        altcp_recved(pcb, length);
    }
    (void)altcp_output(pcb);
    if (connection->closing && !connection->waiting) {
        return end(connection);
    }
    return ERR_OK;
}

static err_t receive(void *argument, struct altcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct connection *connection = argument;

    (void)pcb;
    (void)error;
    connection->idle = 0;
    if (!packet) {
        connection->closing = true;
    } else if (connection->waiting) {
        pbuf_cat(connection->waiting, packet);
    } else {
        connection->waiting = packet;
    }
    return pump(connection);
}

static err_t sent(void *argument, struct altcp_pcb *pcb, u16_t length)
{
    struct connection *connection = argument;

    (void)pcb;
    (void)length;
    connection->idle = 0;
    return pump(connection);
}

static err_t poll(void *argument, struct altcp_pcb *pcb)
{
    struct connection *connection = argument;

    if (++connection->idle > IDLE_POLLS) {
        altcp_abort(pcb); /* and failed() is called */
        return ERR_ABRT;
    }
    return pump(connection);
}

/* The connection is gone already. */
static void failed(void *argument, err_t error)
{
    (void)error;
    forget(argument);
}

static err_t accepted(void *argument, struct altcp_pcb *pcb, err_t error)
{
    (void)argument;
    if (error != ERR_OK || !pcb) {
        return ERR_VAL;
    }
    for (unsigned i = 0; i < MEMP_NUM_TCP_PCB; i++) {
        if (!connections[i].pcb) {
            connections[i].pcb = pcb;
            altcp_arg(pcb, &connections[i]);
            altcp_recv(pcb, receive);
            altcp_sent(pcb, sent);
            altcp_poll(pcb, poll, POLL_SLOWLY);
            altcp_err(pcb, failed);
            return ERR_OK;
        }
    }
    altcp_abort(pcb);
    return ERR_ABRT;
}

static void datagram(void *argument, struct udp_pcb *pcb, struct pbuf *packet,
                     const ip_addr_t *address, u16_t port)
{
    (void)argument;
    (void)udp_sendto(pcb, packet, address, port); /* a lost one is the sender's to repeat */
    pbuf_free(packet);
}

static int serve(altcp_allocator_t *allocator, u16_t port)
{
    struct altcp_pcb *listening = net_listen(altcp_new_ip_type(allocator, IPADDR_TYPE_ANY), port);

    if (!listening) {
        return -ENOMEM;
    }
    altcp_accept(listening, accepted);
    return 0;
}

int net_echo_start(void)
{
    struct udp_pcb *udp = udp_new_ip_type(IPADDR_TYPE_ANY);

    if (!udp || udp_bind(udp, IP_ANY_TYPE, PORT) != ERR_OK || serve(NULL, PORT) ||
        (tls_allocator() && serve(tls_allocator(), TLS_PORT))) {
        return -ENOMEM;
    }
    udp_recv(udp, datagram, NULL);
    return 0;
}
