#include "manage/net/tls/connection.h"

#include <lwip/pbuf.h>
#include <lwip/priv/altcp_priv.h>
#include <lwip/tcp.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl_internal.h>

#include "kernel/memory/heap.h"
#include "kernel/time.h"

#define HANDSHAKE_NS UINT64_C(15000000000)

static struct tls_connection *connections[TLS_CONNECTIONS];

/* mbedTLS sends. */
static int send_bytes(void *context, const unsigned char *bytes, size_t size)
{
    struct tls_connection *connection = context;
    struct altcp_pcb *lower = connection->upper ? connection->upper->inner_conn : NULL;
    u16_t room = lower ? altcp_sndbuf(lower) : 0;
    err_t error;

    if (!lower) {
        return MBEDTLS_ERR_NET_CONN_RESET;
    }
    if (size > room) {
        size = room;
    }
    if (size == 0) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    error = altcp_write(lower, bytes, (u16_t)size, TCP_WRITE_FLAG_COPY);
    if (error == ERR_MEM) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    return error == ERR_OK ? (int)size : MBEDTLS_ERR_NET_CONN_RESET;
}

/* mbedTLS receives. */
static int receive_bytes(void *context, unsigned char *bytes, size_t size)
{
    struct tls_connection *connection = context;
    u16_t length;

    if (!connection->encrypted) {
        return connection->peer_closed ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
    }
    length = size < connection->encrypted->tot_len ? (u16_t)size : connection->encrypted->tot_len;
    pbuf_copy_partial(connection->encrypted, bytes, length, 0);
    connection->encrypted = pbuf_free_header(connection->encrypted, length);
    return length;
}

/* A place among the connections, NULL if there is none. */
static struct tls_connection **free_place(void)
{
    struct tls_connection **place = NULL;
    struct tls_connection *oldest = NULL;
    unsigned handshakes = 0;

    for (unsigned i = 0; i < TLS_CONNECTIONS; i++) {
        struct tls_connection *one = connections[i];

        if (!one) {
            place = &connections[i];
        } else if (!one->open && one->upper && !one->entered) {
            handshakes++;
            if (!oldest || one->deadline < oldest->deadline) {
                oldest = one;
            }
        }
    }
    if (place && handshakes < TLS_HANDSHAKES) {
        return place;
    }
    if (oldest) {
        altcp_abort(oldest->upper);
        for (unsigned i = 0; i < TLS_CONNECTIONS; i++) {
            if (!connections[i]) {
                return &connections[i];
            }
        }
    }
    return place;
}

struct tls_connection *tls_connection_new(const mbedtls_ssl_config *config, struct altcp_pcb *upper)
{
    struct tls_connection **place = free_place();
    struct tls_connection *connection = place ? kzalloc(sizeof(*connection)) : NULL;

    if (!connection) {
        return NULL;
    }
    mbedtls_ssl_init(&connection->ssl);
    if (mbedtls_ssl_setup(&connection->ssl, config)) {
        mbedtls_ssl_free(&connection->ssl);
        kfree(connection);
        return NULL;
    }
    mbedtls_ssl_set_bio(&connection->ssl, connection, send_bytes, receive_bytes, NULL);
    connection->upper = upper;
    connection->deadline = time_ns() + HANDSHAKE_NS;
    *place = connection;
    return connection;
}

unsigned tls_connection_count(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < TLS_CONNECTIONS; i++) {
        count += connections[i] ? 1 : 0;
    }
    return count;
}

static void forget(struct tls_connection *connection)
{
    for (unsigned i = 0; i < TLS_CONNECTIONS; i++) {
        if (connections[i] == connection) {
            connections[i] = NULL;
        }
    }
    mbedtls_ssl_free(&connection->ssl);
    if (connection->encrypted) {
        pbuf_free(connection->encrypted);
    }
    if (connection->decrypted) {
        pbuf_free(connection->decrypted);
    }
    kfree(connection);
}

void tls_connection_enter(struct tls_connection *connection)
{
    connection->entered++;
}

err_t tls_connection_leave(struct tls_connection *connection, err_t error)
{
    if (connection->aborted) {
        error = ERR_ABRT;
    }
    connection->entered--;
    if (!connection->upper && connection->entered == 0) {
        forget(connection);
    }
    return error;
}

void tls_connection_drop(struct tls_connection *connection)
{
    connection->upper = NULL;
    if (connection->entered == 0) {
        forget(connection);
    }
}

void tls_connection_open_window(struct tls_connection *connection)
{
    uint32_t kept =
        connection->in_use + (connection->encrypted ? connection->encrypted->tot_len : 0u);

    /* What a record has more than what it carries counts as used. */
    if (connection->untold > kept) {
        altcp_recved(connection->upper->inner_conn, (u16_t)(connection->untold - kept));
        connection->untold = kept;
    }
}

bool tls_connection_flush(struct tls_connection *connection)
{
    return mbedtls_ssl_flush_output(&connection->ssl) == 0;
}

void tls_connection_finish(struct tls_connection *connection)
{
    struct altcp_pcb *upper = connection->upper;
    struct altcp_pcb *lower = upper->inner_conn;

    /* TCP resets a connection that is closed while there is something that was not used. */
    if (connection->untold > 0) {
        altcp_recved(lower, (u16_t)connection->untold);
    }
    altcp_arg(lower, NULL);
    altcp_recv(lower, NULL);
    altcp_sent(lower, NULL);
    altcp_err(lower, NULL);
    altcp_poll(lower, NULL, lower->pollinterval);
    upper->inner_conn = NULL;
    if (altcp_close(lower) != ERR_OK) {
        altcp_abort(lower);
        connection->aborted = true;
    }
    altcp_free(upper); /* and with it, tls_connection_drop */
}

void tls_connection_fail(struct tls_connection *connection)
{
    altcp_err_fn tell = connection->open ? connection->upper->err : NULL;
    void *argument = connection->upper->arg;

    (void)tls_connection_flush(connection); /* mbedTLS may have told the peer why */
    tls_connection_finish(connection);
    if (tell) {
        tell(argument, ERR_CLSD);
    }
}

static err_t handshake(struct tls_connection *connection)
{
    int result = mbedtls_ssl_handshake(&connection->ssl);
    err_t error;

    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return ERR_OK;
    }
    if (result != 0) {
        tls_connection_fail(connection);
        return ERR_OK;
    }
    connection->open = true;
    altcp_setprio(connection->upper->inner_conn, TCP_PRIO_NORMAL);
    error = connection->accept(connection->accept_argument, connection->upper, ERR_OK);
    if (error != ERR_OK && connection->upper) {
        altcp_abort(connection->upper);
        connection->aborted = true;
    }
    return error;
}

/* Hands `decrypted` to the upper connection. */
static err_t hand_up(struct tls_connection *connection)
{
    struct pbuf *packet = connection->decrypted;
    struct altcp_pcb *upper = connection->upper;
    err_t error;

    connection->decrypted = NULL;
    if (!upper->recv) {
        connection->in_use -= packet->tot_len;
        pbuf_free(packet);
        return ERR_OK;
    }
    error = upper->recv(upper->arg, upper, packet, ERR_OK);
    if (error == ERR_ABRT) {
        connection->aborted = true;
    } else if (error != ERR_OK && connection->upper) {
        connection->decrypted = packet; /* it is offered again */
    }
    return error;
}

static err_t tell_closed(struct tls_connection *connection)
{
    struct altcp_pcb *upper = connection->upper;

    connection->told_closed = true;
    if (!upper->recv) {
        return ERR_OK;
    }
    return upper->recv(upper->arg, upper, NULL, ERR_OK);
}

/* One step of what comes; false if there is no more for now. */
static bool receive(struct tls_connection *connection, err_t *error)
{
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, PBUF_POOL_BUFSIZE, PBUF_POOL);
    int result;

    if (!packet) {
        return false; /* tried again by the poll */
    }
    result = mbedtls_ssl_read(&connection->ssl, packet->payload, packet->len);
    if (result > 0) {
        pbuf_realloc(packet, (u16_t)result);
        connection->in_use += (uint32_t)result;
        connection->decrypted = packet;
        *error = hand_up(connection);
        return *error == ERR_OK;
    }
    pbuf_free(packet);
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return false;
    }
    if (result == 0 || result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        *error = tell_closed(connection);
    } else {
        tls_connection_fail(connection);
    }
    return false;
}

static bool can_receive(const struct tls_connection *connection)
{
    return connection->upper && connection->open && !connection->closing &&
           !connection->told_closed && !connection->aborted;
}

err_t tls_connection_advance(struct tls_connection *connection)
{
    err_t error = ERR_OK;

    if (!connection->open) {
        error = handshake(connection);
    } else {
        (void)tls_connection_flush(connection);
    }
    if (error == ERR_OK && connection->decrypted && can_receive(connection)) {
        error = hand_up(connection);
    }
    while (error == ERR_OK && !connection->decrypted && can_receive(connection) &&
           receive(connection, &error)) {
    }
    if (connection->upper && !connection->aborted) {
        tls_connection_open_window(connection);
        (void)altcp_output(connection->upper->inner_conn); /* repeated by TCP's timer */
    }
    /* That something was not taken is between the two above. */
    return error == ERR_ABRT ? ERR_ABRT : ERR_OK;
}
