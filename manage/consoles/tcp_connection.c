#include "manage/consoles/tcp_connection.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <lwip/tcp.h>

#include "kernel/log.h"
#include "manage/consoles/attachment.h"
#include "manage/consoles/telnet.h"

#define CHUNK_SIZE    1024u  /* of output */
#define KEEP_IDLE_MS  60000u /* silence after which a client is asked whether it is there */
#define KEEP_EACH_MS  10000u
#define KEEP_PROBES   3u
#define CLOSING_POLLS 20u /* half seconds for the guest to take a client's last bytes */

#define NOTHING_HELD (-1)

struct connection {
    struct tcp_pcb *pcb; /* NULL: the place is free */
    struct pbuf *input;  /* has come, and the guest has not taken it: the client's window says so */
    struct attachment attachment;
    struct telnet telnet;
    int held;       /* a typed byte that is not in the input any more */
    unsigned polls; /* since it is closing */
    bool is_telnet;
    bool told;    /* the client knows whether it is the writer */
    bool closing; /* it sends no more */
};

static struct connection connections[TCP_CONNECTIONS];

/* Gives back all but the pcb. */
static void forget(struct connection *connection)
{
    if (connection->input) {
        pbuf_free(connection->input);
    }
    attachment_end(&connection->attachment);
    *connection = (struct connection){0};
}

/* ERR_ABRT if the connection had to be cut off, as lwIP wants to be told. */
static err_t end(struct connection *connection)
{
    struct tcp_pcb *pcb = connection->pcb;

    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    tcp_err(pcb, NULL);
    forget(connection);
    if (tcp_close(pcb) != ERR_OK) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    return ERR_OK;
}

static bool send(struct connection *connection, const void *bytes, size_t length)
{
    return length <= tcp_sndbuf(connection->pcb) &&
           tcp_write(connection->pcb, bytes, (u16_t)length, TCP_WRITE_FLAG_COPY) == ERR_OK;
}

/* Tells a person at a telnet client why typing has no effect, or that it has one now. */
static void tell(struct connection *connection)
{
    static const char reads[] = "[somebody else types here: you can read]\r\n";
    static const char types[] = "\r\n[you type here now]\r\n";
    bool writer = connection->attachment.writer;

    connection->told =
        !connection->is_telnet ||
        send(connection, writer ? types : reads, writer ? sizeof(types) - 1 : sizeof(reads) - 1);
}

/* What the console has sent, as far as the client takes it. */
static void send_output(struct connection *connection)
{
    uint8_t bytes[CHUNK_SIZE];
    uint8_t encoded[TELNET_ENCODED_MAX(CHUNK_SIZE)];

    for (;;) {
        size_t room = tcp_sndbuf(connection->pcb) / 2;
        struct telnet after = connection->telnet;
        uint64_t next;
        size_t count;

        if (room <= 1) {
            return;
        }
        count = attachment_peek(&connection->attachment, bytes,
                                room - 1 < CHUNK_SIZE ? room - 1 : CHUNK_SIZE, &next);
        if (count == 0) {
            return;
        }
        if (connection->is_telnet) {
            count = telnet_encode(&after, bytes, count, encoded);
        }
        if (!send(connection, connection->is_telnet ? encoded : bytes, count)) {
            return;
        }
        connection->telnet = after;
        connection->attachment.position = next;
    }
}

static bool type(struct connection *connection, uint8_t byte)
{
    bool taken = attachment_type(&connection->attachment, &byte, 1) == 1;

    connection->held = taken ? NOTHING_HELD : byte;
    return taken;
}

/* Takes the input's first byte; false if the guest takes no more. */
static bool take_byte(struct connection *connection)
{
    uint8_t byte = *(const uint8_t *)connection->input->payload;
    bool typed = true;

    connection->input = pbuf_free_header(connection->input, 1);
    tcp_recved(connection->pcb, 1);
    if (connection->is_telnet) {
        typed = telnet_receive(&connection->telnet, byte, &byte);
    }
    return !typed || type(connection, byte);
}

static void take_input(struct connection *connection)
{
    struct telnet *telnet = &connection->telnet;

    if (connection->held != NOTHING_HELD && !type(connection, (uint8_t)connection->held)) {
        return;
    }
    while (connection->input && take_byte(connection)) {
    }
    if (telnet->answer_length && send(connection, telnet->answer, telnet->answer_length)) {
        telnet->answer_length = 0;
    }
}

/* Moves what there is; ends the connection when the client has and its last bytes are taken. */
static err_t run(struct connection *connection)
{
    take_input(connection);
    if (connection->closing && ((!connection->input && connection->held == NOTHING_HELD) ||
                                connection->polls > CLOSING_POLLS)) {
        return end(connection);
    }
    if (attachment_update(&connection->attachment)) {
        connection->told = false;
    }
    if (!connection->told) {
        tell(connection);
    }
    send_output(connection);
    (void)tcp_output(connection->pcb);
    return ERR_OK;
}

static err_t receive(void *argument, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct connection *connection = argument;

    (void)pcb;
    (void)error;
    if (!packet) {
        connection->closing = true;
    } else if (connection->input) {
        pbuf_cat(connection->input, packet);
    } else {
        connection->input = packet;
    }
    return run(connection);
}

static err_t poll(void *argument, struct tcp_pcb *pcb)
{
    struct connection *connection = argument;

    (void)pcb;
    connection->polls += connection->closing;
    return run(connection);
}

/* The connection is gone already. */
static void fail(void *argument, err_t error)
{
    (void)error;
    forget(argument);
}

bool tcp_connection_open(struct tcp_pcb *pcb, uint64_t vm, bool telnet)
{
    struct connection *connection = NULL;

    for (unsigned i = 0; i < TCP_CONNECTIONS && !connection; i++) {
        connection = connections[i].pcb ? NULL : &connections[i];
    }
    if (!connection) {
        return false;
    }
    *connection =
        (struct connection){.pcb = pcb, .is_telnet = telnet, .held = NOTHING_HELD, .told = true};
    attachment_begin(&connection->attachment, vm, true);
    (void)attachment_update(&connection->attachment);
    connection->told = connection->attachment.writer;
    if (telnet) {
        telnet_begin(&connection->telnet);
    }
    tcp_arg(pcb, connection);
    tcp_recv(pcb, receive);
    tcp_poll(pcb, poll, 1);
    tcp_err(pcb, fail);
    ip_set_option(pcb, SOF_KEEPALIVE);
    pcb->keep_idle = KEEP_IDLE_MS;
    pcb->keep_intvl = KEEP_EACH_MS;
    pcb->keep_cnt = KEEP_PROBES;
    tcp_nagle_disable(pcb);
    log_info("audit: -@%s: opens the console of vm number %lu over TCP",
             ipaddr_ntoa(&pcb->remote_ip), vm);
    return true;
}

void tcp_connections_run(void)
{
    for (unsigned i = 0; i < TCP_CONNECTIONS; i++) {
        if (connections[i].pcb) {
            (void)run(&connections[i]);
        }
    }
}

void tcp_connections_end(uint64_t vm)
{
    for (unsigned i = 0; i < TCP_CONNECTIONS; i++) {
        if (connections[i].pcb && connections[i].attachment.vm == vm) {
            (void)end(&connections[i]);
        }
    }
}
