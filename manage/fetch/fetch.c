#include "manage/fetch/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <lwip/dns.h>
#include <lwip/tcp.h>

#include "kernel/memory/heap.h"

#define POLL_HALF_SECONDS 2u
#define REQUEST_SIZE      (URL_PATH_SIZE + URL_HOST_SIZE + 128u)

struct fetch {
    struct fetch_receiver
        receiver; /* end NULL: it was cancelled while its host's name is asked for */
    struct url url;
    struct response response;
    struct tcp_pcb *pcb; /* NULL: none yet */
    unsigned idle;       /* seconds */
};

/* The connection is no more the fetch's. ERR_ABRT if it had to be cut off, as lwIP wants to be
 * told. */
static err_t disconnect(struct fetch *fetch, bool gracefully)
{
    struct tcp_pcb *pcb = fetch->pcb;

    fetch->pcb = NULL;
    if (!pcb) {
        return ERR_OK;
    }
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    tcp_err(pcb, NULL);
    if (gracefully && tcp_close(pcb) == ERR_OK) {
        return ERR_OK;
    }
    tcp_abort(pcb);
    return ERR_ABRT;
}

static err_t finish(struct fetch *fetch, bool complete, const char *reason)
{
    err_t error = disconnect(fetch, complete);
    char text[RESPONSE_REASON_SIZE];

    /* What the reason is in may be the fetch. */
    snprintf(text, sizeof(text), "%s", reason);
    if (fetch->receiver.end) {
        fetch->receiver.end(fetch->receiver.sink.context, complete, text);
    }
    kfree(fetch);
    return error;
}

static err_t received(void *argument, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct fetch *fetch = argument;
    bool fine = true;

    (void)error;
    fetch->idle = 0;
    if (!packet) {
        bool complete = response_end(&fetch->response);

        return finish(fetch, complete, fetch->response.reason);
    }
    for (struct pbuf *part = packet; part && fine; part = part->next) {
        fine = response_take(&fetch->response, part->payload, part->len);
    }
    tcp_recved(pcb, packet->tot_len);
    pbuf_free(packet);
    if (!fine || fetch->response.state == RESPONSE_COMPLETE) {
        return finish(fetch, fine, fetch->response.reason);
    }
    return ERR_OK;
}

/* The connection is gone already. */
static void failed(void *argument, err_t error)
{
    struct fetch *fetch = argument;
    char reason[RESPONSE_REASON_SIZE];
    bool answered = fetch->response.outside > 0;

    fetch->pcb = NULL;
    snprintf(reason, sizeof(reason), "%s port %u: %s", fetch->url.host, fetch->url.port,
             answered           ? "the connection broke before all had come"
             : error == ERR_RST ? "connection refused"
                                : "no connection");
    (void)finish(fetch, false, reason);
}

static err_t poll(void *argument, struct tcp_pcb *pcb)
{
    struct fetch *fetch = argument;
    char reason[RESPONSE_REASON_SIZE];

    (void)pcb;
    if (++fetch->idle < FETCH_PATIENCE_S) {
        return ERR_OK;
    }
    snprintf(reason, sizeof(reason), "%s port %u: nothing came for %u s", fetch->url.host,
             fetch->url.port, FETCH_PATIENCE_S);
    return finish(fetch, false, reason);
}

static err_t connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct fetch *fetch = argument;
    const struct url *url = &fetch->url;
    char request[REQUEST_SIZE];
    char port[8] = "";
    int length;

    (void)error; /* is always ERR_OK */
    fetch->idle = 0;
    if (url->port != 80) {
        snprintf(port, sizeof(port), ":%u", url->port);
    }
    length = snprintf(request, sizeof(request),
                      "GET %s HTTP/1.1\r\nHost: %s%s%s%s\r\nUser-Agent: Innkeeper\r\n"
                      "Accept: */*\r\nConnection: close\r\n\r\n",
                      url->path, url->ipv6 ? "[" : "", url->host, url->ipv6 ? "]" : "", port);
    if (tcp_write(pcb, request, (u16_t)length, TCP_WRITE_FLAG_COPY) != ERR_OK) {
        return finish(fetch, false, "the network has no memory for a request");
    }
    (void)tcp_output(pcb); /* what it could not send now it sends later */
    return ERR_OK;
}

/* 0, or a negative errno and why in `reason`. */
static int connect(struct fetch *fetch, const ip_addr_t *address, char *reason, size_t size)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(address));
    err_t error;

    if (!pcb) {
        snprintf(reason, size, "the network has no memory for a connection");
        return -ENOMEM;
    }
    fetch->pcb = pcb;
    tcp_arg(pcb, fetch);
    tcp_recv(pcb, received);
    tcp_err(pcb, failed);
    tcp_poll(pcb, poll, POLL_HALF_SECONDS);
    error = tcp_connect(pcb, address, fetch->url.port, connected);
    if (error != ERR_OK) {
        (void)disconnect(fetch, false);
        snprintf(reason, size, "%s: %s", fetch->url.host,
                 error == ERR_RTE ? "there is no way to that network"
                                  : "no connection can be made");
        return -EHOSTUNREACH;
    }
    return 0;
}

static void found(const char *name, const ip_addr_t *address, void *argument)
{
    struct fetch *fetch = argument;
    char reason[RESPONSE_REASON_SIZE];

    (void)name;
    if (!fetch->receiver.end) {
        kfree(fetch);
        return;
    }
    if (!address) {
        snprintf(reason, sizeof(reason), "%s: no such host is known to DNS", fetch->url.host);
    }
    if (!address || connect(fetch, address, reason, sizeof(reason)) != 0) {
        (void)finish(fetch, false, reason);
    }
}

int fetch_start(const struct url *url, const struct fetch_receiver *receiver, struct fetch **fetch,
                char *reason, size_t size)
{
    struct fetch *made = kzalloc(sizeof(*made));
    ip_addr_t address;
    err_t error;
    int result = 0;

    if (!made) {
        snprintf(reason, size, "the kernel heap is exhausted");
        return -ENOMEM;
    }
    made->receiver = *receiver;
    made->url = *url;
    response_init(&made->response, &receiver->sink);
    error = dns_gethostbyname(url->host, &address, found, made);
    if (error == ERR_OK) {
        result = connect(made, &address, reason, size);
    } else if (error != ERR_INPROGRESS) {
        snprintf(reason, size, "%s: DNS cannot be asked", url->host);
        result = -EHOSTUNREACH;
    }
    if (result) {
        kfree(made);
        return result;
    }
    *fetch = made;
    return 0;
}

void fetch_cancel(struct fetch *fetch)
{
    if (fetch->pcb) {
        (void)disconnect(fetch, false);
        kfree(fetch);
    } else {
        fetch->receiver.end = NULL; /* DNS will answer, and frees it */
    }
}
