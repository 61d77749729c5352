#include "tests/fuzz/tls/peer.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <mbedtls/net_sockets.h>

#include "manage/net/tls/port.h"
#include "manage/net/tls/tls.h"
#include "tests/fuzz/tls/port.h"

/* Rounds in which everything must have arrived that can. */
#define ROUNDS_MAX 2000u

struct peer peers[PEERS];
static mbedtls_ssl_config client_config;
static mbedtls_ssl_session session; /* with a ticket */

/* Patterns. */

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 7 + (at >> 8));
}

static void make_pattern(uint8_t *bytes, size_t length, size_t at)
{
    for (size_t i = 0; i < length; i++) {
        bytes[i] = pattern(at + i);
    }
}

static void check_pattern(const void *bytes, size_t length, size_t at)
{
    for (size_t i = 0; i < length; i++) {
        require(((const uint8_t *)bytes)[i] == pattern(at + i));
    }
}

/* The server. */

void server_uses(struct peer *peer)
{
    size_t length = peer->held;

    peer->held = 0;
    if (length > 0 && peer->upper) {
        altcp_recved(peer->upper, (u16_t)length);
    }
}

static void close_upper(struct peer *peer)
{
    struct altcp_pcb *upper = peer->upper;

    peer->upper = NULL;
    peer->held = 0;
    require(altcp_close(upper) == ERR_OK);
}

static void abort_upper(struct peer *peer)
{
    struct altcp_pcb *upper = peer->upper;

    altcp_abort(upper); /* and lost() is called */
    require(!peer->upper);
}

/* True if it went, and that is what lwIP is told. */
static bool is_moody(struct peer *peer, err_t *error)
{
    enum mood mood = peer->mood;

    if (mood == TAKES || mood == REFUSES) {
        return false;
    }
    peer->mood = TAKES;
    *error = mood == ABORTS ? ERR_ABRT : ERR_OK;
    if (mood == ABORTS) {
        abort_upper(peer);
    } else {
        close_upper(peer);
    }
    return true;
}

static err_t received(void *argument, struct altcp_pcb *upper, struct pbuf *packet, err_t error)
{
    struct peer *peer = argument;
    err_t result = ERR_OK;

    require(peer && peer->upper == upper && error == ERR_OK && !peer->told_end);
    if (!packet) {
        peer->told_end = true;
        (void)is_moody(peer, &result);
        return result;
    }
    if (peer->mood == REFUSES) {
        peer->mood = TAKES;
        return ERR_MEM;
    }
    require(packet->tot_len > 0);
    for (const struct pbuf *part = packet; part; part = part->next) {
        /* Nothing that was tampered with gets through. */
        check_pattern(part->payload, part->len, peer->server_got);
        peer->server_got += part->len;
        peer->held += part->len;
    }
    require(peer->server_got <= peer->client_sent);
    pbuf_free(packet);
    if (is_moody(peer, &result)) {
        return result;
    }
    if (!peer->holds) {
        server_uses(peer);
    }
    return ERR_OK;
}

static err_t called(void *argument, struct altcp_pcb *upper)
{
    struct peer *peer = argument;
    err_t result = ERR_OK;

    require(peer && peer->upper == upper);
    (void)is_moody(peer, &result);
    return result;
}

static err_t sent(void *argument, struct altcp_pcb *upper, u16_t length)
{
    require(length == 0);
    return called(argument, upper);
}

static void lost(void *argument, err_t error)
{
    struct peer *peer = argument;

    require(peer && peer->upper && error != ERR_OK);
    peer->upper = NULL;
    peer->held = 0;
}

static err_t accepted(void *argument, struct altcp_pcb *upper, err_t error)
{
    struct peer *peer = NULL;
    err_t result = ERR_OK;

    (void)argument;
    require(upper && error == ERR_OK);
    for (unsigned i = 0; i < PEERS; i++) {
        if (peers[i].wire.lower && peers[i].wire.lower == upper->inner_conn) {
            peer = &peers[i];
        }
    }
    require(peer && peer->is_client && !peer->upper);
    peer->upper = upper;
    altcp_arg(upper, peer);
    altcp_recv(upper, received);
    altcp_sent(upper, sent);
    altcp_err(upper, lost);
    altcp_poll(upper, called, 1);
    if (peer->mood == REFUSES) {
        abort_upper(peer);
        return ERR_ABRT;
    }
    (void)is_moody(peer, &result);
    return result;
}

void server_writes(struct peer *peer, size_t length)
{
    uint8_t bytes[8192];

    while (peer->upper && !peer->shut && length > 0) {
        size_t piece = altcp_sndbuf(peer->upper);

        piece = piece < length ? piece : length;
        piece = piece < sizeof(bytes) ? piece : sizeof(bytes);
        make_pattern(bytes, piece, peer->server_sent);
        if (piece == 0 || altcp_write(peer->upper, bytes, (u16_t)piece, 0) != ERR_OK) {
            return;
        }
        peer->server_sent += piece;
        length -= piece;
        (void)altcp_output(peer->upper);
    }
}

void server_acts(struct peer *peer, unsigned what)
{
    if (!peer->upper) {
        return;
    }
    switch (what & 7) {
    case 0:
        close_upper(peer);
        break;
    case 1:
        abort_upper(peer);
        break;
    case 2:
        peer->shut |= altcp_shutdown(peer->upper, 0, 1) == ERR_OK;
        break;
    case 3:
        server_uses(peer);
        break;
    case 4:
        peer->holds = !peer->holds;
        break;
    default:
        peer->mood = (enum mood)(what & 3);
        break;
    }
}

/* The client. */

static int client_sends(void *context, const unsigned char *bytes, size_t size)
{
    struct wire *wire = &((struct peer *)context)->wire;
    size_t left = WIRE_SIZE - wire->up_length;

    if (wire->client_ends) {
        return MBEDTLS_ERR_NET_CONN_RESET;
    }
    size = size < left ? size : left;
    if (size == 0) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    memcpy(wire->up + wire->up_length, bytes, size);
    wire->up_length += size;
    return (int)size;
}

static int client_receives(void *context, unsigned char *bytes, size_t size)
{
    struct wire *wire = &((struct peer *)context)->wire;

    if (wire->down_length == 0) {
        return wire->lower && !wire->server_ended ? MBEDTLS_ERR_SSL_WANT_READ : 0;
    }
    size = size < wire->down_length ? size : wire->down_length;
    memcpy(bytes, wire->down, size);
    wire->down_length -= size;
    memmove(wire->down, wire->down + size, wire->down_length);
    return (int)size;
}

static bool waits(int result)
{
    return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static bool client_shakes(struct peer *peer)
{
    if (peer->is_client && !peer->shaken) {
        peer->shaken = mbedtls_ssl_handshake(&peer->client) == 0;
    }
    return peer->is_client && peer->shaken;
}

void client_writes(struct peer *peer, size_t length)
{
    uint8_t bytes[8192];
    int result;

    /* Whatever mbedTLS could not send whole it has to be called with again. */
    if (!client_shakes(peer) || peer->notified || length == 0 ||
        peer->wire.up_length + length + 256 > WIRE_SIZE) {
        return;
    }
    make_pattern(bytes, length, peer->client_sent);
    result = mbedtls_ssl_write(&peer->client, bytes, length);
    peer->client_sent += result > 0 ? (size_t)result : 0;
}

void client_reads(struct peer *peer)
{
    uint8_t bytes[4096];
    int result;

    if (!client_shakes(peer)) {
        return;
    }
    while ((result = mbedtls_ssl_read(&peer->client, bytes, sizeof(bytes))) > 0) {
        check_pattern(bytes, (size_t)result, peer->client_got);
        peer->client_got += (size_t)result;
        require(peer->client_got <= peer->server_sent);
    }
    peer->wire.damaged |= !waits(result) && peer->wire.lower && !peer->wire.server_ended &&
                          result != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY;
}

void client_ends(struct peer *peer, unsigned how)
{
    if ((how & 1) && client_shakes(peer)) {
        peer->notified = true;
        (void)mbedtls_ssl_close_notify(&peer->client);
    }
    peer->wire.client_ends |= (how & 2) != 0;
}

/* Both. */

void peer_leave(struct peer *peer)
{
    wire_reset(&peer->wire);
    if (peer->is_client) {
        mbedtls_ssl_free(&peer->client);
    }
    /* The wire's buffers are large, and their bytes are none before they are written. */
    memset(&peer->is_client, 0, sizeof(*peer) - offsetof(struct peer, is_client));
    peer->wire.up_length = 0;
    peer->wire.down_length = 0;
}

void peer_come(struct peer *peer, bool is_client, bool resumes)
{
    if (peer->upper || peer->wire.lower) {
        return;
    }
    peer_leave(peer);
    peer->is_client = is_client;
    if (is_client) {
        mbedtls_ssl_init(&peer->client);
        if (mbedtls_ssl_setup(&peer->client, &client_config) ||
            (resumes && mbedtls_ssl_set_session(&peer->client, &session))) {
            peer_leave(peer);
            return;
        }
        mbedtls_ssl_set_bio(&peer->client, peer, client_sends, client_receives, NULL);
    }
    (void)wire_open(&peer->wire);
}

void peer_settle(struct peer *peer)
{
    struct wire *wire = &peer->wire;

    wire->room = TCP_SND_BUF;
    wire->failures = 0;
    peer->holds = false;
    peer->mood = TAKES;
    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        size_t moved = wire->up_length + wire->down_length + wire->unacknowledged +
                       peer->client_got + peer->server_got;

        server_uses(peer);
        client_reads(peer);
        wire_deliver(wire, WIRE_SIZE, 1460);
        wire_acknowledge(wire, WIRE_SIZE);
        wire_poll(wire);
        if (i > 2 && moved == wire->up_length + wire->down_length + wire->unacknowledged +
                                  peer->client_got + peer->server_got) {
            break;
        }
    }
    if (!peer->is_client || wire->damaged || !wire->lower) {
        return;
    }
    require(wire->window == TCP_WND || peer->told_end);
    if (!wire->client_ends) {
        require(peer->shaken && peer->upper);
        require(peer->client_got == peer->server_sent);
    }
    if (peer->upper) {
        require(peer->server_got == peer->client_sent);
        require(peer->told_end == (peer->notified || wire->client_ends));
    }
}

void peers_start(void)
{
    static struct netif netif;
    static const struct net_settings settings = {.hostname = "innkeeper"};
    static struct altcp_pcb *listening;

    port_reset();
    require(tls_start(&netif, &settings) == 0);
    listening = altcp_listen_with_backlog(altcp_new_ip_type(tls_allocator(), IPADDR_TYPE_ANY), 255);
    require(listening != NULL);
    altcp_accept(listening, accepted);
    mbedtls_ssl_config_init(&client_config);
    require(mbedtls_ssl_config_defaults(&client_config, MBEDTLS_SSL_IS_CLIENT,
                                        MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_rng(&client_config, tls_random, NULL);
    mbedtls_ssl_conf_authmode(&client_config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_session_init(&session);
    peer_come(&peers[0], true, false);
    peer_settle(&peers[0]);
    require(mbedtls_ssl_get_session(&peers[0].client, &session) == 0);
    peer_leave(&peers[0]);
}
