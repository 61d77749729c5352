#include "manage/http/websocket.h"

#include <string.h>

#define FINAL         0x80u
#define RESERVED_BITS 0x70u
#define OPCODE_BITS   0x0fu
#define MASKED        0x80u
#define LENGTH_BITS   0x7fu
#define LENGTH_16     126u
#define LENGTH_64     127u
#define MASK_SIZE     4u

#define CONTROL_BIT 8u

static bool is_control(enum websocket_opcode opcode)
{
    return ((unsigned)opcode & CONTROL_BIT) != 0;
}

/* Bytes of the header, as far as it is known. */
static unsigned header_size(const struct websocket *websocket)
{
    unsigned length;

    if (websocket->header_length < 2) {
        return 2;
    }
    length = websocket->header[1] & LENGTH_BITS;
    return 2 + (length == LENGTH_16 ? 2u : length == LENGTH_64 ? 8u : 0u) + MASK_SIZE;
}

static enum websocket_event violate(struct websocket *websocket, unsigned code)
{
    websocket->code = code;
    return WEBSOCKET_VIOLATION;
}

/* The first two bytes of a frame, which already tell most of what can be wrong. */
static bool is_allowed(const struct websocket *websocket)
{
    unsigned opcode = websocket->header[0] & OPCODE_BITS;
    bool final = (websocket->header[0] & FINAL) != 0;

    if ((websocket->header[0] & RESERVED_BITS) || !(websocket->header[1] & MASKED)) {
        return false;
    }
    switch (opcode) {
    case WEBSOCKET_CONTINUATION:
        return websocket->in_message;
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        return !websocket->in_message;
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        return final && (websocket->header[1] & LENGTH_BITS) <= WEBSOCKET_CONTROL_MAX;
    default:
        return false;
    }
}

/* Length of the frame's payload; UINT64_MAX if it is not written in the shortest way. */
static uint64_t payload_length(const struct websocket *websocket)
{
    unsigned length = websocket->header[1] & LENGTH_BITS;
    unsigned bytes = length == LENGTH_16 ? 2u : length == LENGTH_64 ? 8u : 0u;
    uint64_t value = 0;

    if (bytes == 0) {
        return length;
    }
    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | websocket->header[2 + i];
    }
    return value < LENGTH_16 || (bytes == 8 && value <= UINT16_MAX) ? UINT64_MAX : value;
}

/* The header is whole. */
static enum websocket_event begin_frame(struct websocket *websocket)
{
    websocket->opcode = (enum websocket_opcode)(websocket->header[0] & OPCODE_BITS);
    websocket->final = (websocket->header[0] & FINAL) != 0;
    websocket->left = payload_length(websocket);
    websocket->mask_at = 0;
    if (is_control(websocket->opcode)) {
        websocket->control_length = 0;
        return WEBSOCKET_MORE;
    }
    if (websocket->left > (uint64_t)INT64_MAX) {
        return violate(websocket, WEBSOCKET_PROTOCOL_ERROR);
    }
    if (websocket->left > WEBSOCKET_MESSAGE_MAX - websocket->message.length) {
        return violate(websocket, WEBSOCKET_TOO_BIG);
    }
    if (websocket->opcode != WEBSOCKET_CONTINUATION) {
        websocket->in_message = true;
        websocket->text = websocket->opcode == WEBSOCKET_TEXT;
        websocket->utf8 = (struct utf8){0};
    }
    return WEBSOCKET_MORE;
}

static void unmask(struct websocket *websocket, uint8_t *bytes, size_t length)
{
    const uint8_t *mask = &websocket->header[header_size(websocket) - MASK_SIZE];

    for (size_t i = 0; i < length; i++) {
        bytes[i] ^= mask[websocket->mask_at++ % MASK_SIZE];
    }
}

/* A part of the payload. */
static enum websocket_event take_payload(struct websocket *websocket, const uint8_t *bytes,
                                         size_t length)
{
    struct http_buffer *message = &websocket->message;
    uint8_t *kept;

    websocket->left -= length;
    if (is_control(websocket->opcode)) {
        kept = websocket->control + websocket->control_length;
        memcpy(kept, bytes, length);
        websocket->control_length += length;
        unmask(websocket, kept, length);
        return WEBSOCKET_MORE;
    }
    if (!http_buffer_append(message, bytes, length, WEBSOCKET_MESSAGE_MAX)) {
        return violate(websocket, WEBSOCKET_INTERNAL_ERROR);
    }
    kept = (uint8_t *)message->bytes + message->length - length;
    unmask(websocket, kept, length);
    if (websocket->text && !utf8_check(&websocket->utf8, kept, length)) {
        return violate(websocket, WEBSOCKET_BAD_TEXT);
    }
    return WEBSOCKET_MORE;
}

/* A close frame: nothing, or a code and a text. */
static enum websocket_event take_close(struct websocket *websocket)
{
    struct utf8 utf8 = {0};
    unsigned code;

    if (websocket->control_length == 0) {
        websocket->code = WEBSOCKET_NO_CODE;
        return WEBSOCKET_CLOSING;
    }
    if (websocket->control_length == 1) {
        return violate(websocket, WEBSOCKET_PROTOCOL_ERROR);
    }
    code = (unsigned)websocket->control[0] << 8 | websocket->control[1];
    /* Those that may be sent (RFC 6455, 7.4): registered ones, and those for libraries and
     * applications. */
    if (code < 1000 || (code > 1003 && code < 1007) || (code > 1014 && code < 3000) ||
        code > 4999) {
        return violate(websocket, WEBSOCKET_PROTOCOL_ERROR);
    }
    if (!utf8_check(&utf8, websocket->control + 2, websocket->control_length - 2) ||
        !utf8_complete(&utf8)) {
        return violate(websocket, WEBSOCKET_BAD_TEXT);
    }
    websocket->code = code;
    return WEBSOCKET_CLOSING;
}

/* A frame has come to its end. */
static enum websocket_event end_frame(struct websocket *websocket)
{
    websocket->header_length = 0;
    switch (websocket->opcode) {
    case WEBSOCKET_CLOSE:
        return take_close(websocket);
    case WEBSOCKET_PING:
        return WEBSOCKET_PINGED;
    case WEBSOCKET_PONG:
        return WEBSOCKET_PONGED;
    case WEBSOCKET_CONTINUATION:
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        break;
    }
    if (!websocket->final) {
        return WEBSOCKET_MORE;
    }
    if (websocket->text && !utf8_complete(&websocket->utf8)) {
        return violate(websocket, WEBSOCKET_BAD_TEXT);
    }
    websocket->in_message = false;
    return WEBSOCKET_MESSAGE;
}

/* A byte of a frame's header. */
static enum websocket_event take_header(struct websocket *websocket, uint8_t byte)
{
    enum websocket_event event;

    websocket->header[websocket->header_length++] = byte;
    if (websocket->header_length == 2 && !is_allowed(websocket)) {
        return violate(websocket, WEBSOCKET_PROTOCOL_ERROR);
    }
    if (websocket->header_length < header_size(websocket)) {
        return WEBSOCKET_MORE;
    }
    event = begin_frame(websocket);
    return event == WEBSOCKET_MORE && websocket->left == 0 ? end_frame(websocket) : event;
}

size_t websocket_take(struct websocket *websocket, const void *bytes, size_t length,
                      enum websocket_event *event)
{
    const uint8_t *next = bytes;
    size_t taken = 0;

    *event = WEBSOCKET_MORE;
    if (!websocket->in_message) {
        http_buffer_free(&websocket->message);
    }
    while (taken < length && *event == WEBSOCKET_MORE) {
        size_t piece = length - taken;

        if (websocket->header_length < header_size(websocket)) {
            *event = take_header(websocket, next[taken++]);
            continue;
        }
        if (piece > websocket->left) {
            piece = (size_t)websocket->left;
        }
        *event = take_payload(websocket, next + taken, piece);
        taken += piece;
        if (*event == WEBSOCKET_MORE && websocket->left == 0) {
            *event = end_frame(websocket);
        }
    }
    return taken;
}

void websocket_free(struct websocket *websocket)
{
    http_buffer_free(&websocket->message);
}

size_t websocket_header(enum websocket_opcode opcode, size_t length,
                        uint8_t header[WEBSOCKET_HEADER_MAX])
{
    unsigned bytes = length < LENGTH_16 ? 0u : length <= UINT16_MAX ? 2u : 8u;

    header[0] = (uint8_t)(FINAL | (unsigned)opcode);
    header[1] = (uint8_t)(bytes == 0 ? length : bytes == 2 ? LENGTH_16 : LENGTH_64);
    for (unsigned i = 0; i < bytes; i++) {
        header[2 + i] = (uint8_t)(length >> 8 * (bytes - 1 - i));
    }
    return 2 + bytes;
}
