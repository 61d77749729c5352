#include "manage/http/listener.h"

#include <errno.h>

#include <lwip/altcp.h>
#include <lwip/ip_addr.h>
#include <lwip/stats.h>
#include <lwip/tcp.h>

#include "kernel/memory/heap.h"
#include "kernel/time.h"
#include "manage/http/server.h"
#include "manage/net/listen.h"

#define POLL_OFTEN 1u /* in half seconds */

/* The largest piece that is handed on at once: layers over TCP copy it. */
#define PIECE_MAX 4096u

/* A connection as lwIP and the server know it. */
struct link {
    struct altcp_pcb *pcb;
    struct http_connection *connection;
};

static bool is_half_used(unsigned pool, unsigned size)
{
    return lwip_stats.memp[pool]->used > size / 2;
}

/* When half of what lwIP has is in use, what is on its way to each client is no more than one
 * piece: clients that take nothing would have all of it otherwise, and new ones not even get TCP's
 * first answer. */
static bool is_scarce(void)
{
    return lwip_stats.mem.used > MEM_SIZE / 2 || is_half_used(MEMP_TCP_SEG, MEMP_NUM_TCP_SEG);
}

/* Bytes that can be handed on now. */
static size_t room(struct altcp_pcb *pcb)
{
    if (is_scarce() && altcp_sndqueuelen(pcb) > 0) {
        return 0;
    }
    return LWIP_MIN(altcp_sndbuf(pcb), PIECE_MAX);
}

static size_t send(void *context, const void *bytes, size_t length, bool constant)
{
    struct altcp_pcb *pcb = ((struct link *)context)->pcb;
    const char *next = bytes;
    size_t sent = 0;
    /* What is not copied takes from a pool that is smaller than what copies take. */
    bool copy = !constant || is_half_used(MEMP_PBUF, MEMP_NUM_PBUF);

    while (sent < length) {
        size_t piece = LWIP_MIN(length - sent, room(pcb));

        /* Without memory for it: some comes back when something is acknowledged. */
        if (piece == 0 ||
            altcp_write(pcb, next + sent, (u16_t)piece, copy ? TCP_WRITE_FLAG_COPY : 0) != ERR_OK) {
            break;
        }
        sent += piece;
    }
    return sent;
}

static void flush(void *context)
{
    (void)altcp_output(((struct link *)context)->pcb);
}

static void consumed(void *context, size_t length)
{
    while (length) {
        u16_t piece = (u16_t)LWIP_MIN(length, UINT16_MAX);

        altcp_recved(((struct link *)context)->pcb, piece);
        length -= piece;
    }
}

static bool shut(void *context)
{
    return altcp_shutdown(((struct link *)context)->pcb, 0, 1) == ERR_OK;
}

static void end(void *context, bool cut)
{
    struct link *link = context;
    struct altcp_pcb *pcb = link->pcb;

    altcp_arg(pcb, NULL);
    altcp_recv(pcb, NULL);
    altcp_sent(pcb, NULL);
    altcp_err(pcb, NULL);
    altcp_poll(pcb, NULL, POLL_OFTEN);
    /* If the other side does not end it, it makes way for new ones. */
    altcp_setprio(pcb, TCP_PRIO_MIN);
    kfree(link);
    if (cut || altcp_close(pcb) != ERR_OK) {
        altcp_abort(pcb);
    }
}

static const struct http_transport transport = {
    .send = send, .flush = flush, .consumed = consumed, .shut = shut, .end = end};

/* The server looks at it when the network's thread is done with what has come. A connection is
 * never ended in here, where lwIP would go on with it. */
static err_t receive(void *argument, struct altcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct link *link = argument;

    (void)pcb;
    (void)error;
    if (!packet) {
        if (link) {
            http_server_finish(link->connection);
        }
        return ERR_OK;
    }
    for (struct pbuf *part = packet; part && link; part = part->next) {
        if (!http_server_receive(link->connection, part->payload, part->len)) {
            break;
        }
    }
    pbuf_free(packet);
    return ERR_OK;
}

/* The server's thread runs whenever there may be room. */
static err_t sent(void *argument, struct altcp_pcb *pcb, u16_t length)
{
    (void)argument;
    (void)pcb;
    (void)length;
    return ERR_OK;
}

static err_t poll(void *argument, struct altcp_pcb *pcb)
{
    (void)argument;
    (void)pcb;
    return ERR_OK;
}

/* The connection is gone already. */
static void failed(void *argument, err_t error)
{
    struct link *link = argument;

    (void)error;
    if (link) {
        http_server_lose(link->connection);
        kfree(link);
    }
}

static err_t accepted(struct altcp_pcb *pcb, bool secure)
{
    struct link *link = kmalloc(sizeof(*link));
    const ip_addr_t *address = altcp_get_ip(pcb, 0);

    if (link) {
        link->pcb = pcb;
        link->connection = http_server_open(&transport, link, address ? ipaddr_ntoa(address) : "",
                                            secure, time_ns());
    }
    if (!link || !link->connection) {
        kfree(link);
        altcp_abort(pcb);
        return ERR_ABRT;
    }
    altcp_arg(pcb, link);
    altcp_recv(pcb, receive);
    altcp_sent(pcb, sent);
    altcp_err(pcb, failed);
    altcp_poll(pcb, poll, POLL_OFTEN);
    altcp_nagle_disable(pcb);
    return ERR_OK;
}

static err_t accepted_plain(void *argument, struct altcp_pcb *pcb, err_t error)
{
    (void)argument;
    if (error != ERR_OK || !pcb) {
        return ERR_VAL;
    }
    return accepted(pcb, false);
}

static err_t accepted_secure(void *argument, struct altcp_pcb *pcb, err_t error)
{
    (void)argument;
    if (error != ERR_OK || !pcb) {
        return ERR_VAL;
    }
    return accepted(pcb, true);
}

int http_listen(struct altcp_pcb *pcb, uint16_t port, bool secure)
{
    struct altcp_pcb *listening = net_listen(pcb, port);

    if (!listening) {
        return -ENOMEM;
    }
    altcp_accept(listening, secure ? accepted_secure : accepted_plain);
    return 0;
}
