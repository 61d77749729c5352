/*
 * Connections as TCP would have them, of which the fuzzer has everything in its hand: what comes
 * and when, how much can be sent, and what fails. On their one side is the layer of TLS, on the
 * other a client, or somebody who is none.
 */
#ifndef FUZZ_TLS_WIRE_H
#define FUZZ_TLS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lwip/altcp.h>

#define WIRE_SIZE 65536u /* bytes that are on their way, each way */

struct wire {
    struct altcp_pcb *lower; /* NULL: TCP has forgotten it */
    uint8_t up[WIRE_SIZE];   /* to the server, not delivered */
    size_t up_length;
    uint8_t down[WIRE_SIZE]; /* to the client */
    size_t down_length;
    size_t window; /* what can be delivered */
    size_t room;   /* for what is sent and not acknowledged */
    size_t unacknowledged;
    unsigned failures; /* so many of the next writes, shutdowns and closes fail */
    bool client_ends;  /* after what is on its way */
    bool client_ended; /* and the server knows */
    bool server_ended;
    bool aborted; /* by the layer */
    bool damaged; /* somebody tampered with it: nothing can be promised */
};

/** Ends the program if it does not hold. */
void require(int holds);

/** Where servers listen: altcp_tcp_new_ip_type gives it. */
extern struct altcp_pcb *wire_listening;

/** A connection comes; false if the server did not take it. */
bool wire_open(struct wire *wire);
/** Delivers up to `length` bytes, in pieces of `piece`, or the client's end after the last. */
void wire_deliver(struct wire *wire, size_t length, size_t piece);
/** Acknowledges up to `length` bytes. */
void wire_acknowledge(struct wire *wire, size_t length);
void wire_poll(struct wire *wire);
/** The client resets it. */
void wire_reset(struct wire *wire);

#endif
