/* libFuzzer target: the layer of TLS between connections that do anything at any moment and a
 * server that does, too. Real clients talk to it, some of whose bytes are tampered with, and others
 * that send whatever they like. The input is a list of what happens: see act(). */
#include <stdint.h>
#include <string.h>

#include "manage/net/tls/connection.h"
#include "tests/fuzz/tls/peer.h"
#include "tests/fuzz/tls/port.h"
#include "tests/fuzz/tls/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned crowd; /* the last of it that came */

static void come_together(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct peer *peer = &peers[CLIENTS + crowd++ % CROWD];

        peer_leave(peer);
        peer_come(peer, false, false);
    }
}

static void tamper(struct wire *wire, uint8_t where, uint8_t how)
{
    if (wire->up_length > 0 && how != 0) {
        wire->up[where * 37u % wire->up_length] ^= how;
        wire->damaged = true;
    }
}

static void insert(struct wire *wire, const uint8_t *bytes, size_t length)
{
    if (length > 0 && length <= WIRE_SIZE - wire->up_length) {
        memcpy(wire->up + wire->up_length, bytes, length);
        wire->up_length += length;
        wire->damaged = true;
    }
}

static void lack_memory(unsigned argument)
{
    bool everywhere = argument & 128;

    port_lack_memory(argument >> 3 & 15, argument & 7, everywhere);
    for (unsigned i = 0; i < PEERS && everywhere; i++) {
        peers[i].wire.damaged = true;
    }
}

/* A byte that says what and with whom, one that says more, and what that needs; returns what is
 * left of the list. */
static size_t act(const uint8_t *bytes, size_t left)
{
    struct peer *peer = &peers[bytes[0] >> 4 & 3];
    unsigned argument = left > 1 ? bytes[1] : 0;
    size_t length = left < 2 ? 0 : left - 2;

    switch (bytes[0] & 15) {
    case 0:
        peer_come(peer, !(argument & 1), !(argument & 2));
        break;
    case 1:
        client_writes(peer, argument * 32u);
        break;
    case 2:
        wire_deliver(&peer->wire, argument * 16u + 1, bytes[0] & 64 ? 7 : 1460);
        break;
    case 3:
        wire_acknowledge(&peer->wire, argument * 64u + 1);
        break;
    case 4:
        peer->wire.room = argument * 92u;
        break;
    case 5:
        wire_poll(&peer->wire);
        break;
    case 6:
        port_now += argument * SECOND / 16;
        break;
    case 7:
        client_reads(peer);
        break;
    case 8:
        tamper(&peer->wire, (uint8_t)argument, length ? bytes[2] : 0);
        return length ? length - 1 : 0;
    case 9:
        length = length < argument ? length : argument;
        insert(&peer->wire, bytes + 2, length);
        return left < 2 ? 0 : left - 2 - length;
    case 10:
        client_ends(peer, argument);
        break;
    case 11:
        wire_reset(&peer->wire);
        break;
    case 12:
        server_writes(peer, argument * 64u);
        break;
    case 13:
        server_acts(peer, argument);
        break;
    case 14:
        if (argument & 64) {
            come_together(argument % 64);
        } else {
            peer->wire.failures = argument & 7;
        }
        break;
    default:
        lack_memory(argument);
        break;
    }
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;
    size_t left = size;

    if (!started) {
        peers_start();
        started = true;
    }
    port_reset();
    crowd = 0;
    while (left) {
        left = act(bytes + (size - left), left);
    }
    port_lack_memory(0, 0, false);
    for (unsigned i = 0; i < CLIENTS; i++) {
        peer_settle(&peers[i]);
    }
    /* Whoever is being closed is gone before long, whatever the client does. */
    port_now += 60 * SECOND;
    for (unsigned i = 0; i < PEERS; i++) {
        wire_poll(&peers[i].wire);
        require(!peers[i].wire.lower || peers[i].upper);
    }
    for (unsigned i = 0; i < PEERS; i++) {
        peer_leave(&peers[i]);
    }
    require(tls_connection_count() == 0);
    return 0;
}
