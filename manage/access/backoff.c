#include "manage/access/backoff.h"

#include <stddef.h>
#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define IPV6_GROUPS   8u

/* FNV-1a. Peers that collide wait together; names are mixed with a secret first. */
static uint64_t hash_text(const char *text, uint64_t hash)
{
    for (; *text; text++) {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

void backoff_init(struct backoff *backoff, uint64_t name_key)
{
    memset(backoff, 0, sizeof(*backoff));
    backoff->name_key = name_key;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The first half of an IPv6 address (RFC 4291, 2.2); false if the text is none. */
static bool parse_network(const char *text, uint64_t *network)
{
    uint16_t groups[IPV6_GROUPS] = {0};
    unsigned count = 0;
    unsigned gap = IPV6_GROUPS; /* where "::" is */

    while (count < IPV6_GROUPS) {
        unsigned value = 0;
        unsigned digits = 0;

        if (text[0] == ':' && text[1] == ':' && gap == IPV6_GROUPS) {
            gap = count;
            text += 2;
            continue;
        }
        for (; hex_digit(*text) >= 0 && digits < 4; text++, digits++) {
            value = value * 16 + (unsigned)hex_digit(*text);
        }
        if (digits == 0) {
            break;
        }
        groups[count++] = (uint16_t)value;
        if (text[0] == ':' && text[1] != ':') {
            text++;
        }
    }
    if (gap < IPV6_GROUPS) {
        memmove(&groups[IPV6_GROUPS - (count - gap)], &groups[gap],
                (count - gap) * sizeof(groups[0]));
        memset(&groups[gap], 0, (IPV6_GROUPS - count) * sizeof(groups[0]));
    } else if (count < IPV6_GROUPS) {
        return false;
    }
    *network = (uint64_t)groups[0] << 48 | (uint64_t)groups[1] << 32 | (uint64_t)groups[2] << 16 |
               groups[3];
    return true;
}

backoff_peer backoff_peer_of(const char *address)
{
    uint64_t network;

    /* A network is told from the hash of a text by luck only; no network begins with all ones. */
    if (strchr(address, ':') && parse_network(address, &network)) {
        return network;
    }
    return hash_text(address, UINT64_C(0xcbf29ce484222325)) | UINT64_C(0xffff) << 48;
}

static size_t find_peer(const struct backoff *backoff, backoff_peer peer)
{
    size_t index = 0;

    while (index < BACKOFF_PEERS &&
           (backoff->peers[index].failures == 0 || backoff->peers[index].peer != peer)) {
        index++;
    }
    return index;
}

/* Takes back failures for the time without any. */
static void forgive(struct backoff *backoff, size_t index, uint64_t now)
{
    while (backoff->peers[index].failures > 0 &&
           now >= backoff->peers[index].until + BACKOFF_FORGIVE_NS) {
        backoff->peers[index].failures--;
        backoff->peers[index].until += BACKOFF_FORGIVE_NS;
    }
}

unsigned backoff_wait(struct backoff *backoff, backoff_peer peer, uint64_t now)
{
    size_t index = find_peer(backoff, peer);

    if (index == BACKOFF_PEERS || now >= backoff->peers[index].until) {
        return 0;
    }
    return (unsigned)((backoff->peers[index].until - now + NS_PER_SECOND - 1) / NS_PER_SECOND);
}

/* A free place, or that of the client whose waiting has ended first. */
static size_t take_place(struct backoff *backoff, backoff_peer peer)
{
    size_t oldest = 0;

    for (size_t i = 0; i < BACKOFF_PEERS; i++) {
        if (backoff->peers[i].failures == 0) {
            oldest = i;
            break;
        }
        if (backoff->peers[i].until < backoff->peers[oldest].until) {
            oldest = i;
        }
    }
    backoff->peers[oldest].peer = peer;
    backoff->peers[oldest].failures = 0;
    return oldest;
}

void backoff_failed(struct backoff *backoff, backoff_peer peer, uint64_t now)
{
    size_t index = find_peer(backoff, peer);

    if (index == BACKOFF_PEERS) {
        index = take_place(backoff, peer);
    } else {
        forgive(backoff, index, now);
    }
    if (backoff->peers[index].failures < BACKOFF_MAX_FAILURES) {
        backoff->peers[index].failures++;
    }
    backoff->peers[index].until = now;
    if (backoff->peers[index].failures > BACKOFF_FREE_FAILURES) {
        backoff->peers[index].until +=
            NS_PER_SECOND << (backoff->peers[index].failures - BACKOFF_FREE_FAILURES - 1);
    }
}

static size_t name_place(const struct backoff *backoff, const char *name)
{
    return hash_text(name, backoff->name_key) % BACKOFF_NAMES;
}

/* The place of a name, with the tries given back that time has brought. */
static size_t find_name(struct backoff *backoff, const char *name, uint64_t now)
{
    size_t place = name_place(backoff, name);
    uint64_t given = (now - backoff->names[place].counted) / BACKOFF_NAME_NS;

    backoff->names[place].counted += given * BACKOFF_NAME_NS;
    backoff->names[place].used -=
        given < backoff->names[place].used ? (unsigned)given : backoff->names[place].used;
    return place;
}

bool backoff_take_try(struct backoff *backoff, const char *name, uint64_t now)
{
    size_t place = find_name(backoff, name, now);

    if (backoff->names[place].used == BACKOFF_NAME_TRIES) {
        return false;
    }
    backoff->names[place].used++;
    return true;
}

void backoff_return_try(struct backoff *backoff, const char *name)
{
    size_t place = name_place(backoff, name);

    if (backoff->names[place].used > 0) {
        backoff->names[place].used--;
    }
}

bool backoff_no_tries(struct backoff *backoff, const char *name, uint64_t now)
{
    return backoff->names[find_name(backoff, name, now)].used == BACKOFF_NAME_TRIES;
}
