#include "manage/net/tls/layer.h"

#include <lwip/altcp_tcp.h>
#include <lwip/pbuf.h>
#include <lwip/priv/altcp_priv.h>
#include <lwip/tcp.h>

#include "kernel/time.h"
#include "manage/net/tls/connection.h"

#define POLL_INTERVAL 2u /* half seconds */
#define LINGER_NS     UINT64_C(10000000000)
/* TCP's queue has room for this many packets and then for one record's, sent in pieces. */
#define QUEUE_MAX (TCP_SND_QUEUELEN - 8)

static const struct altcp_functions functions;

/* Of the two that listen, `state` of the upper one is the configuration; of others it is the
 * connection. */
static struct tls_connection *connection_of(struct altcp_pcb *upper)
{
    return upper->state;
}

/* What TCP tells. */

static err_t lower_received(void *argument, struct altcp_pcb *lower, struct pbuf *packet,
                            err_t error)
{
    struct tls_connection *connection = connection_of(argument);

    (void)lower;
    (void)error;
    tls_connection_enter(connection);
    if (!packet) {
        connection->peer_closed = true;
    } else {
        connection->untold += packet->tot_len;
        if (connection->closing) {
            pbuf_free(packet);
        } else if (connection->encrypted) {
            pbuf_cat(connection->encrypted, packet);
        } else {
            connection->encrypted = packet;
        }
    }
    error = tls_connection_advance(connection);
    /* When both sides have ended it TCP forgets it in its time without a word: so nobody keeps it,
     * whatever has not been taken. */
    if (connection->upper && connection->shut && connection->peer_closed) {
        tls_connection_fail(connection);
    }
    return tls_connection_leave(connection, error);
}

/* The server has closed it: when all is sent it is at its end. */
static void close_when_sent(struct tls_connection *connection)
{
    if (tls_connection_flush(connection)) {
        tls_connection_finish(connection);
    }
}

static err_t lower_sent(void *argument, struct altcp_pcb *lower, u16_t length)
{
    struct tls_connection *connection = connection_of(argument);
    err_t error = ERR_OK;

    (void)lower;
    (void)length;
    tls_connection_enter(connection);
    if (connection->closing) {
        close_when_sent(connection);
    } else if (!connection->open) {
        error = tls_connection_advance(connection);
    } else if (tls_connection_flush(connection) && connection->upper->sent) {
        error = connection->upper->sent(connection->upper->arg, connection->upper, 0);
    }
    return tls_connection_leave(connection, error);
}

static err_t lower_polled(void *argument, struct altcp_pcb *lower)
{
    struct tls_connection *connection = connection_of(argument);
    struct altcp_pcb *upper = connection->upper;
    err_t error = ERR_OK;

    tls_connection_enter(connection);
    if ((connection->closing || !connection->open) && time_ns() > connection->deadline) {
        altcp_abort(lower);
        connection->aborted = true;
    } else if (connection->closing) {
        close_when_sent(connection);
    } else {
        error = tls_connection_advance(connection); /* there was no memory before */
        if (error == ERR_OK && connection->upper && connection->open && !connection->aborted &&
            upper->poll) {
            error = upper->poll(upper->arg, upper);
        }
    }
    return tls_connection_leave(connection, error);
}

/* TCP's connection is gone already. */
static void lower_failed(void *argument, err_t error)
{
    struct altcp_pcb *upper = argument;
    struct tls_connection *connection = connection_of(upper);
    altcp_err_fn tell = connection->open && !connection->closing ? upper->err : NULL;

    upper->inner_conn = NULL;
    connection->aborted = true;
    if (tell) {
        tell(upper->arg, error);
    }
    altcp_free(upper);
}

static err_t lower_accepted(void *argument, struct altcp_pcb *lower, err_t error)
{
    struct altcp_pcb *listening = argument;
    struct altcp_pcb *upper;
    struct tls_connection *connection;

    if (error != ERR_OK || !lower || !listening->accept) {
        return ERR_VAL;
    }
    upper = altcp_alloc();
    if (!upper) {
        return ERR_MEM;
    }
    connection = tls_connection_new(listening->state, upper);
    if (!connection) {
        altcp_free(upper);
        return ERR_MEM;
    }
    connection->accept = listening->accept;
    connection->accept_argument = listening->arg;
    upper->state = connection;
    upper->inner_conn = lower;
    upper->fns = &functions;
    altcp_arg(lower, upper);
    altcp_recv(lower, lower_received);
    altcp_sent(lower, lower_sent);
    altcp_err(lower, lower_failed);
    altcp_poll(lower, lower_polled, POLL_INTERVAL);
    altcp_nagle_disable(lower);
    altcp_setprio(lower, TCP_PRIO_MIN); /* the first to go when TCP has no more */
    return ERR_OK;
}

/* What the server calls. */

static void set_poll(struct altcp_pcb *upper, u8_t interval)
{
    if (upper->inner_conn) {
        altcp_poll(upper->inner_conn, lower_polled, interval ? interval : POLL_INTERVAL);
    }
}

static void used(struct altcp_pcb *upper, u16_t length)
{
    struct tls_connection *connection = connection_of(upper);

    connection->in_use -= length < connection->in_use ? length : connection->in_use;
    if (upper->inner_conn) {
        tls_connection_open_window(connection);
    }
}

static struct altcp_pcb *start_listening(struct altcp_pcb *upper, u8_t backlog, err_t *error)
{
    struct altcp_pcb *lower = altcp_listen_with_backlog_and_err(upper->inner_conn, backlog, error);

    if (!lower) {
        return NULL;
    }
    upper->inner_conn = lower;
    altcp_arg(lower, upper);
    altcp_accept(lower, lower_accepted);
    return upper;
}

static void abort_connection(struct altcp_pcb *upper)
{
    if (upper->inner_conn) {
        altcp_abort(upper->inner_conn); /* and lower_failed is called */
    }
}

/* Tells the peer that no more comes; false if that could not be sent yet. */
static bool notify_end(struct tls_connection *connection)
{
    if (!tls_connection_flush(connection)) {
        return false;
    }
    if (!connection->notified) {
        connection->notified = true;
        (void)mbedtls_ssl_close_notify(&connection->ssl); /* it may not get out at once */
    }
    return tls_connection_flush(connection);
}

static err_t shut_down(struct altcp_pcb *upper, int receiving, int sending)
{
    struct tls_connection *connection = connection_of(upper);
    err_t error;

    if (!upper->inner_conn) {
        return ERR_CONN;
    }
    if (sending && !notify_end(connection)) {
        return ERR_MEM;
    }
    error = altcp_shutdown(upper->inner_conn, receiving, sending);
    if (sending && error == ERR_OK) {
        connection->shut = true;
    }
    return error;
}

static err_t close_connection(struct altcp_pcb *upper)
{
    struct tls_connection *connection = connection_of(upper);

    altcp_arg(upper, NULL);
    altcp_recv(upper, NULL);
    altcp_sent(upper, NULL);
    altcp_err(upper, NULL);
    tls_connection_enter(connection);
    /* After TCP's end nothing can be sent, and TCP calls nobody any more when it was the first to
     * end. */
    if (connection->shut || notify_end(connection)) {
        tls_connection_finish(connection);
    } else {
        connection->closing = true;
        connection->deadline = time_ns() + LINGER_NS;
        connection->in_use = 0;
    }
    (void)tls_connection_leave(connection, ERR_OK);
    return ERR_OK;
}

static u16_t room(struct altcp_pcb *upper)
{
    struct tls_connection *connection = connection_of(upper);
    int more = mbedtls_ssl_get_record_expansion(&connection->ssl);
    u16_t bytes = upper->inner_conn ? altcp_sndbuf(upper->inner_conn) : 0;

    if (connection->ssl.out_left > 0 || more < 0 || bytes <= more ||
        altcp_sndqueuelen(upper->inner_conn) > QUEUE_MAX) {
        return 0;
    }
    bytes = (u16_t)(bytes - more);
    return bytes < MBEDTLS_SSL_OUT_CONTENT_LEN ? bytes : MBEDTLS_SSL_OUT_CONTENT_LEN;
}

static err_t write_bytes(struct altcp_pcb *upper, const void *bytes, u16_t length, u8_t flags)
{
    struct tls_connection *connection = connection_of(upper);
    int result;

    (void)flags;
    if (!upper->inner_conn || connection->closing) {
        return ERR_CONN;
    }
    if (!tls_connection_flush(connection) || length > room(upper)) {
        return ERR_MEM;
    }
    result = length > 0 ? mbedtls_ssl_write(&connection->ssl, bytes, length) : 0;
    /* If it wants to write it has taken all, and has not sent all. */
    return result == length || result == MBEDTLS_ERR_SSL_WANT_WRITE ? ERR_OK : ERR_CONN;
}

static void deallocate(struct altcp_pcb *upper)
{
    if (upper->state) {
        tls_connection_drop(connection_of(upper));
        upper->state = NULL;
    }
}

static const struct altcp_functions functions = {
    .set_poll = set_poll,
    .recved = used,
    .abort = abort_connection,
    .close = close_connection,
    .shutdown = shut_down,
    .write = write_bytes,
    .output = altcp_default_output,
    .mss = altcp_default_mss,
    .sndbuf = room,
    .sndqueuelen = altcp_default_sndqueuelen,
    .nagle_disable = altcp_default_nagle_disable,
    .nagle_enable = altcp_default_nagle_enable,
    .nagle_disabled = altcp_default_nagle_disabled,
    .setprio = altcp_default_setprio,
    .dealloc = deallocate,
    .addrinfo = altcp_default_get_tcp_addrinfo,
    .getip = altcp_default_get_ip,
    .getport = altcp_default_get_port,
    .keepalive_disable = altcp_default_keepalive_disable,
    .keepalive_enable = altcp_default_keepalive_enable,
};

static err_t close_listening(struct altcp_pcb *upper)
{
    err_t error = altcp_close(upper->inner_conn);

    if (error == ERR_OK) {
        altcp_free(upper);
    }
    return error;
}

static const struct altcp_functions listening_functions = {
    .bind = altcp_default_bind,
    .listen = start_listening,
    .close = close_listening,
    .getip = altcp_default_get_ip,
    .getport = altcp_default_get_port,
};

struct altcp_pcb *tls_layer_alloc(void *config, u8_t ip_type)
{
    struct altcp_pcb *lower = altcp_tcp_new_ip_type(ip_type);
    struct altcp_pcb *upper = lower ? altcp_alloc() : NULL;

    if (!upper) {
        if (lower) {
            (void)altcp_close(lower); /* nothing is open yet, so nothing fails */
        }
        return NULL;
    }
    upper->state = config;
    upper->inner_conn = lower;
    upper->fns = &listening_functions;
    return upper;
}
