/*
 * WebSocket (RFC 6455): frames as they come from a client, and those that are sent. Pure but for
 * the heap.
 */
#ifndef MANAGE_HTTP_WEBSOCKET_H
#define MANAGE_HTTP_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/http/buffer.h"
#include "manage/http/utf8.h"

#define WEBSOCKET_MESSAGE_MAX 65536u /* bytes of a message from a client */
#define WEBSOCKET_CONTROL_MAX 125u
#define WEBSOCKET_HEADER_MAX  10u /* of a frame that is sent: it has no mask */

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
};

/* Why a connection closes. */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_NO_CODE = 1005, /* never sent */
    WEBSOCKET_BAD_TEXT = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_INTERNAL_ERROR = 1011,
};

enum websocket_event {
    WEBSOCKET_MORE,     /* all bytes are taken */
    WEBSOCKET_MESSAGE,  /* `message` is whole */
    WEBSOCKET_PINGED,   /* answer with the control bytes */
    WEBSOCKET_PONGED,   /* an answer */
    WEBSOCKET_CLOSING,  /* the other side closes; `code` is its reason */
    WEBSOCKET_VIOLATION /* close with `code`, and take no more */
};

/* Begins as all zeroes. */
struct websocket {
    uint8_t header[14];
    unsigned header_length; /* bytes of it that are there */
    enum websocket_opcode opcode;
    bool final;
    uint64_t left; /* bytes of the frame that are to come */
    unsigned mask_at;

    bool in_message;
    bool text;
    struct utf8 utf8;
    struct http_buffer message;

    uint8_t control[WEBSOCKET_CONTROL_MAX];
    size_t control_length;
    unsigned code;
};

/** Takes bytes until something has happened; returns how many. After a message the caller is done
 * with it when it calls again. */
size_t websocket_take(struct websocket *websocket, const void *bytes, size_t length,
                      enum websocket_event *event);
void websocket_free(struct websocket *websocket);

/** Writes the header of a frame; its length. */
size_t websocket_header(enum websocket_opcode opcode, size_t length,
                        uint8_t header[WEBSOCKET_HEADER_MAX]);

/** What the server answers to a client's key; false if that is no key. */
bool websocket_accept(const char *key, char accept[29]);

#endif
