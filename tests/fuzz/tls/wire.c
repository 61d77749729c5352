#include "tests/fuzz/tls/wire.h"

#include <stdlib.h>
#include <string.h>

#include <lwip/altcp_tcp.h>
#include <lwip/pbuf.h>
#include <lwip/priv/altcp_priv.h>
#include <lwip/tcp.h>

struct altcp_pcb *wire_listening;

void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static struct wire *wire_of(const struct altcp_pcb *lower)
{
    struct wire *wire = lower->state;

    require(wire && wire->lower == lower);
    return wire;
}

static bool fails(struct wire *wire)
{
    bool now = wire->failures > 0;

    wire->failures -= now;
    return now;
}

static void set_poll(struct altcp_pcb *lower, u8_t interval)
{
    (void)wire_of(lower);
    (void)interval;
}

static void used(struct altcp_pcb *lower, u16_t length)
{
    struct wire *wire = wire_of(lower);

    wire->window += length;
    require(wire->window <= TCP_WND);
}

/* As lwIP: who has it is told, but when it is the one that closes it, it has taken its callbacks
 * off before. */
static void forget(struct wire *wire, err_t error)
{
    struct altcp_pcb *lower = wire->lower;

    wire->lower = NULL;
    lower->state = NULL;
    if (lower->err) {
        lower->err(lower->arg, error);
    }
    altcp_free(lower);
}

static void abort_connection(struct altcp_pcb *lower)
{
    struct wire *wire = wire_of(lower);

    wire->aborted = true;
    forget(wire, ERR_ABRT);
}

static err_t close_connection(struct altcp_pcb *lower)
{
    struct wire *wire = wire_of(lower);

    if (fails(wire)) {
        return ERR_MEM;
    }
    require(!lower->recv && !lower->sent && !lower->err && !lower->poll);
    require(wire->window == TCP_WND); /* else the client is told of a reset, not of an end */
    wire->server_ended = true;
    wire->lower = NULL;
    lower->state = NULL;
    altcp_free(lower);
    return ERR_OK;
}

static err_t shut_down(struct altcp_pcb *lower, int receiving, int sending)
{
    struct wire *wire = wire_of(lower);

    require(!receiving && sending);
    if (fails(wire)) {
        return ERR_MEM;
    }
    wire->server_ended = true;
    return ERR_OK;
}

static u16_t room(struct altcp_pcb *lower)
{
    const struct wire *wire = wire_of(lower);

    return wire->room > wire->unacknowledged ? (u16_t)(wire->room - wire->unacknowledged) : 0;
}

static err_t write_bytes(struct altcp_pcb *lower, const void *bytes, u16_t length, u8_t flags)
{
    struct wire *wire = wire_of(lower);

    require(flags & TCP_WRITE_FLAG_COPY);
    if (wire->server_ended) {
        return ERR_CONN; /* mbedTLS answers to what it cannot read */
    }
    if (length > room(lower) || wire->down_length + length > WIRE_SIZE || fails(wire)) {
        return ERR_MEM;
    }
    memcpy(wire->down + wire->down_length, bytes, length);
    wire->down_length += length;
    wire->unacknowledged += length;
    return ERR_OK;
}

static err_t send_now(struct altcp_pcb *lower)
{
    (void)wire_of(lower);
    return ERR_OK;
}

static u16_t packets(struct altcp_pcb *lower)
{
    return (u16_t)(wire_of(lower)->unacknowledged / 512);
}

static void set_flag(struct altcp_pcb *lower)
{
    (void)wire_of(lower);
}

static void set_priority(struct altcp_pcb *lower, u8_t priority)
{
    (void)wire_of(lower);
    (void)priority;
}

static const struct altcp_functions functions = {
    .set_poll = set_poll,
    .recved = used,
    .abort = abort_connection,
    .close = close_connection,
    .shutdown = shut_down,
    .write = write_bytes,
    .output = send_now,
    .sndbuf = room,
    .sndqueuelen = packets,
    .nagle_disable = set_flag,
    .setprio = set_priority,
};

static struct altcp_pcb *listen_on(struct altcp_pcb *lower, u8_t backlog, err_t *error)
{
    (void)backlog;
    (void)error;
    return lower;
}

static const struct altcp_functions listening_functions = {.listen = listen_on};

struct altcp_pcb *altcp_tcp_new_ip_type(u8_t ip_type)
{
    (void)ip_type;
    wire_listening = altcp_alloc();
    require(wire_listening != NULL);
    wire_listening->fns = &listening_functions;
    return wire_listening;
}

/* lwIP has to be told that a connection is gone if it was aborted, and must not if it was not. */
static void check_told(const struct wire *wire, err_t told)
{
    require(told == (wire->aborted ? ERR_ABRT : ERR_OK));
}

bool wire_open(struct wire *wire)
{
    struct altcp_pcb *lower = altcp_alloc();

    memset(wire, 0, sizeof(*wire));
    if (!lower) {
        return false;
    }
    lower->fns = &functions;
    lower->state = wire;
    wire->lower = lower;
    wire->window = TCP_WND;
    wire->room = TCP_SND_BUF;
    if (wire_listening->accept(wire_listening->arg, lower, ERR_OK) != ERR_OK) {
        require(wire->lower == lower && !lower->err);
        forget(wire, ERR_ABRT);
    }
    return wire->lower != NULL;
}

static struct pbuf *make_packets(const uint8_t *bytes, size_t length, size_t piece)
{
    struct pbuf *all = NULL;

    for (size_t at = 0; at < length; at += piece) {
        size_t size = length - at < piece ? length - at : piece;
        struct pbuf *one = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM);

        if (!one) {
            break; /* the rest comes later */
        }
        require(pbuf_take(one, bytes + at, (u16_t)size) == ERR_OK);
        if (all) {
            pbuf_cat(all, one);
        } else {
            all = one;
        }
    }
    return all;
}

static void deliver_end(struct wire *wire)
{
    struct altcp_pcb *lower = wire->lower;

    wire->client_ended = true;
    if (lower->recv) {
        check_told(wire, lower->recv(lower->arg, lower, NULL, ERR_OK));
    }
    /* When both sides have ended it, TCP forgets it without a word. */
    require(!wire->lower || !wire->server_ended);
}

void wire_deliver(struct wire *wire, size_t length, size_t piece)
{
    struct altcp_pcb *lower = wire->lower;
    struct pbuf *packets_up;

    if (!lower || wire->client_ended) {
        return;
    }
    length = length < wire->up_length ? length : wire->up_length;
    length = length < wire->window ? length : wire->window;
    if (length == 0) {
        if (wire->client_ends && wire->up_length == 0) {
            deliver_end(wire);
        }
        return;
    }
    packets_up = make_packets(wire->up, length, piece);
    if (!packets_up) {
        return;
    }
    length = packets_up->tot_len;
    wire->up_length -= length;
    memmove(wire->up, wire->up + length, wire->up_length);
    wire->window -= length;
    if (lower->recv) {
        check_told(wire, lower->recv(lower->arg, lower, packets_up, ERR_OK));
    } else {
        pbuf_free(packets_up);
    }
}

void wire_acknowledge(struct wire *wire, size_t length)
{
    struct altcp_pcb *lower = wire->lower;

    length = length < wire->unacknowledged ? length : wire->unacknowledged;
    wire->unacknowledged -= length;
    if (!lower) {
        return;
    }
    if (wire->server_ended && wire->client_ended && wire->unacknowledged == 0) {
        forget(wire, ERR_CLSD);
    } else if (length > 0 && lower->sent) {
        check_told(wire, lower->sent(lower->arg, lower, (u16_t)length));
    }
}

void wire_poll(struct wire *wire)
{
    struct altcp_pcb *lower = wire->lower;

    if (lower && lower->poll) {
        check_told(wire, lower->poll(lower->arg, lower));
    }
}

void wire_reset(struct wire *wire)
{
    if (wire->lower) {
        forget(wire, ERR_RST);
    }
}
