#include <string.h>

#include <mbedtls/base64.h>
#include <mbedtls/sha1.h>

#include "manage/http/answer.h"
#include "manage/http/fields.h"
#include "manage/http/websocket.h"

#define KEY_SIZE     24u /* 16 bytes in base64 */
#define KEY_BYTES    16u
#define SHA1_SIZE    20u
#define VERSION      "13"
#define HANDSHAKE_ID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, 1.3 */

bool websocket_accept(const char *key, char accept[29])
{
    unsigned char text[KEY_SIZE + sizeof(HANDSHAKE_ID)];
    unsigned char hash[SHA1_SIZE];
    unsigned char bytes[KEY_BYTES];
    size_t length;

    if (strlen(key) != KEY_SIZE ||
        mbedtls_base64_decode(bytes, sizeof(bytes), &length, (const unsigned char *)key,
                              KEY_SIZE) ||
        length != KEY_BYTES) {
        return false;
    }
    memcpy(text, key, KEY_SIZE);
    memcpy(text + KEY_SIZE, HANDSHAKE_ID, sizeof(HANDSHAKE_ID));
    return mbedtls_sha1_ret(text, sizeof(text) - 1, hash) == 0 &&
           mbedtls_base64_encode((unsigned char *)accept, HTTP_WEBSOCKET_ACCEPT_SIZE, &length, hash,
                                 sizeof(hash)) == 0;
}

bool http_answer_websocket(const struct http_request *request, struct http_answer *answer,
                           const struct http_stream_handler *handler, void *context)
{
    const char *upgrade = http_field(request, "Upgrade");
    const char *connection = http_field(request, "Connection");
    const char *version = http_field(request, "Sec-WebSocket-Version");
    const char *key = http_field(request, "Sec-WebSocket-Key");

    if (!upgrade || !http_list_has(upgrade, "websocket") || !version ||
        strcmp(version, VERSION) != 0) {
        http_add_field(answer, "Upgrade", "websocket");
        http_add_field(answer, "Sec-WebSocket-Version", VERSION);
        http_answer_text(answer, 426, "this is a WebSocket, version 13");
        return false;
    }
    if (request->method != HTTP_GET || !connection || !http_list_has(connection, "Upgrade") ||
        !key || !websocket_accept(key, answer->websocket_accept)) {
        http_answer_text(answer, 400, "this is no handshake of a WebSocket");
        return false;
    }
    http_clear_body(answer);
    http_status(answer, 101);
    answer->websocket = true;
    answer->stream = handler;
    answer->stream_context = context;
    return true;
}
