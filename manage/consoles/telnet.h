/*
 * The telnet protocol (RFC 854, 855) as a server of characters has it: it echoes (RFC 857), there
 * is no go-ahead (RFC 858), and both directions are binary where the client agrees (RFC 856). Pure.
 */
#ifndef MANAGE_CONSOLES_TELNET_H
#define MANAGE_CONSOLES_TELNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes so many of a console's can become. */
#define TELNET_ENCODED_MAX(length) ((length)*2 + 1)

/* What has to be told the client, at most: what does not fit is not told, for a client that asks so
 * much without listening is none. */
#define TELNET_ANSWER_SIZE 64u

enum telnet_state {
    TELNET_DATA,
    TELNET_RETURN,  /* after a CR */
    TELNET_COMMAND, /* after an IAC */
    TELNET_OPTION,  /* after one of WILL, WONT, DO, DONT */
    TELNET_SUBNEGOTIATION,
    TELNET_SUBNEGOTIATION_COMMAND
};

struct telnet {
    enum telnet_state state;
    uint8_t verb;    /* of TELNET_OPTION */
    uint32_t ours;   /* options that we offered and were not refused, by number */
    uint32_t theirs; /* that we asked the client for, and were not refused */
    bool binary_out; /* the client has agreed */
    bool binary_in;
    bool return_sent; /* a CR was the last byte, and what is to follow it is not known yet */
    uint8_t answer[TELNET_ANSWER_SIZE];
    size_t answer_length; /* bytes that are to be sent to the client; the caller takes them out */
};

/** A new connection: what we offer and ask for is in the answer. */
void telnet_begin(struct telnet *telnet);

/** Takes a byte from the client; true if *typed is one that was typed. */
bool telnet_receive(struct telnet *telnet, uint8_t byte, uint8_t *typed);

/** What the console has sent, as it is to be sent to the client: `out` has room for
 * TELNET_ENCODED_MAX(length). Returns how many bytes. */
size_t telnet_encode(struct telnet *telnet, const uint8_t *bytes, size_t length, uint8_t *out);

#endif
