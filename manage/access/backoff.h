/*
 * Patience with those who guess passwords.
 *
 * A client that was wrong a few times has to wait, longer each time, up to some minutes; with time
 * it is forgiven. Clients are told apart by their addresses, in IPv6 by the network of 64 bits,
 * within which anybody chooses freely.
 *
 * Whoever has many addresses is slowed down by the name that is guessed for: after a number of
 * tries a name is tried once a second only. That never concerns clients that had a password of that
 * name right before, so guessing keeps nobody out who is known; and others get in between the
 * guesses. Names that nobody has are treated in the same way, so this tells nothing of names.
 *
 * All memory is fixed. Pure.
 */
#ifndef MANAGE_ACCESS_BACKOFF_H
#define MANAGE_ACCESS_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_PEERS         128u
#define BACKOFF_NAMES         64u                   /* names share places by chance */
#define BACKOFF_FREE_FAILURES 3u                    /* of a client, that cost nothing */
#define BACKOFF_MAX_FAILURES  12u                   /* from there on it does not grow: 2^8 s */
#define BACKOFF_FORGIVE_NS    UINT64_C(60000000000) /* for each failure */
#define BACKOFF_NAME_TRIES    20u
#define BACKOFF_NAME_NS       UINT64_C(1000000000) /* for each try after those */

/* A client's address or network, as a number. */
typedef uint64_t backoff_peer;

struct backoff {
    uint64_t name_key; /* which names share a place: nobody else knows */
    struct {
        backoff_peer peer;
        unsigned failures; /* 0: the place is free */
        uint64_t until;    /* ns since boot: it waits; after that, when one was forgiven last */
    } peers[BACKOFF_PEERS];
    struct {
        unsigned used;    /* tries, BACKOFF_NAME_TRIES: no more now */
        uint64_t counted; /* ns since boot: until when tries have been given back */
    } names[BACKOFF_NAMES];
};

void backoff_init(struct backoff *backoff, uint64_t name_key);

/** The client that has this address: IPv4, IPv6, or some other text. */
backoff_peer backoff_peer_of(const char *address);

/** How many seconds the client has to wait until it may try; 0: none. */
unsigned backoff_wait(struct backoff *backoff, backoff_peer peer, uint64_t now);
/** The client was wrong. */
void backoff_failed(struct backoff *backoff, backoff_peer peer, uint64_t now);

/** Takes one of the tries that there are for a name; false if there is none now. */
bool backoff_take_try(struct backoff *backoff, const char *name, uint64_t now);
/** It was no guess. */
void backoff_return_try(struct backoff *backoff, const char *name);
/** Whether there is none now. */
bool backoff_no_tries(struct backoff *backoff, const char *name, uint64_t now);

#endif
