#include "manage/http/buffer.h"

#include <string.h>

#include "kernel/memory/heap.h"

#define FIRST_SIZE 512u

static size_t memory_used;

size_t http_memory_used(void)
{
    return memory_used;
}

/* Whether there is room for `length` more bytes and a NUL. */
static bool has_room(const struct http_buffer *buffer, size_t length)
{
    size_t used = (size_t)(buffer->bytes - buffer->memory) + buffer->length;

    return used + length < buffer->size;
}

/* Makes that room. */
static bool grow(struct http_buffer *buffer, size_t length)
{
    size_t wanted = buffer->length + length + 1;
    size_t size = buffer->size ? buffer->size : FIRST_SIZE;
    char *memory;

    while (size < wanted) {
        size *= 2;
    }
    if (size == buffer->size) {
        memmove(buffer->memory, buffer->bytes, buffer->length);
        buffer->bytes = buffer->memory;
        return true;
    }
    if (memory_used + size > HTTP_MEMORY_MAX) {
        return false;
    }
    memory = kmalloc(size);
    if (!memory) {
        return false;
    }
    if (buffer->length) {
        memcpy(memory, buffer->bytes, buffer->length);
    }
    kfree(buffer->memory);
    memory_used += size - buffer->size;
    buffer->memory = memory;
    buffer->bytes = memory;
    buffer->size = size;
    return true;
}

char *http_buffer_extend(struct http_buffer *buffer, size_t length, size_t max)
{
    char *end;

    if (length > max || buffer->length > max - length ||
        (!has_room(buffer, length) && !grow(buffer, length))) {
        return NULL;
    }
    end = buffer->bytes + buffer->length;
    buffer->length += length;
    end[length] = '\0';
    return end;
}

bool http_buffer_append(struct http_buffer *buffer, const void *bytes, size_t length, size_t max)
{
    char *end = http_buffer_extend(buffer, length, max);

    if (end && length) {
        memcpy(end, bytes, length);
    }
    return end != NULL;
}

bool http_buffer_append_text(struct http_buffer *buffer, const char *text, size_t max)
{
    return http_buffer_append(buffer, text, strlen(text), max);
}

void http_buffer_take(struct http_buffer *buffer, size_t length)
{
    if (length == buffer->length) {
        http_buffer_free(buffer);
        return;
    }
    buffer->bytes += length;
    buffer->length -= length;
}

void http_buffer_free(struct http_buffer *buffer)
{
    memory_used -= buffer->size;
    kfree(buffer->memory);
    *buffer = (struct http_buffer){0};
}
