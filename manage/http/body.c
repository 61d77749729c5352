#include "manage/http/body.h"

#include "manage/http/fields.h"

#define SIZE_DIGITS_MAX 15u /* fits into 60 bits */

void http_body_start(struct http_body *body, bool chunked, uint64_t length)
{
    *body = (struct http_body){.chunked = chunked, .left = chunked ? 0 : length};
    if (!chunked) {
        body->state = length ? HTTP_BODY_DATA : HTTP_BODY_DONE;
    }
}

static void next_chunk(struct http_body *body)
{
    body->state = HTTP_BODY_SIZE;
    body->left = 0;
    body->digits = 0;
    body->line = 0;
}

static enum http_body_state take_size(struct http_body *body, char c)
{
    int digit = http_hex_digit(c);

    if (digit >= 0) {
        body->left = body->left << 4 | (unsigned)digit;
        return ++body->digits > SIZE_DIGITS_MAX ? HTTP_BODY_BAD : HTTP_BODY_SIZE;
    }
    if (body->digits == 0) {
        return HTTP_BODY_BAD;
    }
    if (c == '\r') {
        return HTTP_BODY_SIZE_END;
    }
    return c == ';' || c == ' ' || c == '\t' ? HTTP_BODY_EXTENSION : HTTP_BODY_BAD;
}

static bool is_text(char c)
{
    return c < 0 || (c >= ' ' && c != 0x7f) || c == '\t';
}

static enum http_body_state take_extension(char c)
{
    if (c == '\r') {
        return HTTP_BODY_SIZE_END;
    }
    return is_text(c) ? HTTP_BODY_EXTENSION : HTTP_BODY_BAD;
}

static enum http_body_state take_size_end(struct http_body *body, char c)
{
    if (c != '\n') {
        return HTTP_BODY_BAD;
    }
    if (body->left) {
        return HTTP_BODY_DATA;
    }
    body->line = 0;
    body->trailer_empty = true;
    return HTTP_BODY_TRAILER;
}

static enum http_body_state take_trailer(struct http_body *body, char c)
{
    if (c == '\r') {
        return HTTP_BODY_TRAILER_END;
    }
    body->trailer_empty = false;
    return is_text(c) ? HTTP_BODY_TRAILER : HTTP_BODY_BAD;
}

static enum http_body_state take_trailer_end(struct http_body *body, char c)
{
    if (c != '\n') {
        return HTTP_BODY_BAD;
    }
    if (body->trailer_empty) {
        return HTTP_BODY_DONE;
    }
    body->trailer_empty = true;
    return HTTP_BODY_TRAILER;
}

/* A byte of what is around the data of chunks. */
static void take(struct http_body *body, char c)
{
    size_t limit = HTTP_CHUNK_LINE_MAX;

    switch (body->state) {
    case HTTP_BODY_SIZE:
        body->state = take_size(body, c);
        break;
    case HTTP_BODY_EXTENSION:
        body->state = take_extension(c);
        break;
    case HTTP_BODY_SIZE_END:
        body->state = take_size_end(body, c);
        break;
    case HTTP_BODY_DATA_END:
        body->state = c == '\r' ? HTTP_BODY_DATA_LF : HTTP_BODY_BAD;
        break;
    case HTTP_BODY_DATA_LF:
        next_chunk(body);
        if (c != '\n') {
            body->state = HTTP_BODY_BAD;
        }
        break;
    case HTTP_BODY_TRAILER:
        body->state = take_trailer(body, c);
        limit = HTTP_TRAILERS_MAX;
        break;
    case HTTP_BODY_TRAILER_END:
        body->state = take_trailer_end(body, c);
        limit = HTTP_TRAILERS_MAX;
        break;
    case HTTP_BODY_DATA:
    case HTTP_BODY_DONE:
    case HTTP_BODY_BAD:
        break;
    }
    if (++body->line > limit && body->state != HTTP_BODY_DONE) {
        body->state = HTTP_BODY_BAD;
    }
}

size_t http_body_take(struct http_body *body, const void *bytes, size_t length, size_t *data_length)
{
    const char *next = bytes;
    size_t taken = 0;
    size_t piece;

    *data_length = 0;
    while (body->state != HTTP_BODY_DATA) {
        if (taken == length || body->state >= HTTP_BODY_DONE) {
            return taken;
        }
        take(body, next[taken++]);
    }
    piece = length - taken;
    if (piece > body->left) {
        piece = (size_t)body->left;
    }
    body->left -= piece;
    if (body->left == 0) {
        body->state = body->chunked ? HTTP_BODY_DATA_END : HTTP_BODY_DONE;
    }
    *data_length = piece;
    return taken + piece;
}
