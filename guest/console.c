#include "guest/console.h"

#include <string.h>

static bool put(struct console *console, uint8_t byte)
{
    if (!console->ring) {
        return true;
    }
    if (console_waiting(console) == CONSOLE_OUTPUT_SIZE) {
        if (!console->hidden) {
            return false;
        }
        console->shown++;
        console->dropped++;
    }
    console->ring[console->sent++ % CONSOLE_RING_SIZE] = byte;
    return true;
}

bool console_send(struct console *console, uint8_t byte)
{
    bool first;
    bool sent;
    bool watched;

    spin_lock(&console->lock);
    first = console_waiting(console) == 0;
    sent = put(console, byte);
    watched = console->watched && sent;
    if (watched) {
        console->watched = false;
    }
    spin_unlock(&console->lock);
    if (first && console->notify) {
        console->notify();
    }
    if (watched) {
        console->watcher();
    }
    return sent;
}

/* With the lock: they are there. */
static void copy(const struct console *console, uint64_t position, uint8_t *bytes, size_t count)
{
    size_t offset = position % CONSOLE_RING_SIZE;
    size_t to_end = CONSOLE_RING_SIZE - offset;

    if (to_end > count) {
        to_end = count;
    }
    memcpy(bytes, console->ring + offset, to_end);
    memcpy(bytes + to_end, console->ring, count - to_end);
}

size_t console_read(struct console *console, uint8_t *bytes, size_t size)
{
    size_t count;

    spin_lock(&console->lock);
    count = console_waiting(console);
    if (count > size) {
        count = size;
    }
    if (count > 0) {
        copy(console, console->shown, bytes, count);
        console->shown += count;
    }
    spin_unlock(&console->lock);
    return count;
}

size_t console_read_at(struct console *console, uint64_t *position, uint8_t *bytes, size_t size)
{
    uint64_t oldest;
    size_t count = 0;

    spin_lock(&console->lock);
    oldest = console->sent > CONSOLE_RING_SIZE ? console->sent - CONSOLE_RING_SIZE : 0;
    if (*position < oldest) {
        *position = oldest;
    }
    if (*position < console->sent) {
        count = console->sent - *position < size ? console->sent - *position : size;
        copy(console, *position, bytes, count);
        *position += count;
    }
    spin_unlock(&console->lock);
    return count;
}

bool console_watch(struct console *console, uint64_t sent)
{
    bool nothing_new;

    spin_lock(&console->lock);
    nothing_new = console->sent <= sent;
    console->watched |= nothing_new;
    spin_unlock(&console->lock);
    return nothing_new;
}

uint64_t console_sent(struct console *console)
{
    uint64_t sent;

    spin_lock(&console->lock);
    sent = console->sent;
    spin_unlock(&console->lock);
    return sent;
}

bool console_type(struct console *console, uint8_t byte)
{
    uint32_t head;
    bool room;

    spin_lock(&console->lock);
    head = console->input_head;
    room = head - __atomic_load_n(&console->input_tail, __ATOMIC_ACQUIRE) != CONSOLE_INPUT_SIZE;
    if (room) {
        console->input[head % CONSOLE_INPUT_SIZE] = byte;
        __atomic_store_n(&console->input_head, head + 1, __ATOMIC_RELEASE);
    }
    spin_unlock(&console->lock);
    return room;
}

size_t console_take_typed(struct console *console, uint8_t *bytes, size_t size)
{
    uint32_t tail = console->input_tail;
    size_t count = console_typed(console);

    if (count > size) {
        count = size;
    }
    for (size_t i = 0; i < count; i++) {
        bytes[i] = console->input[tail++ % CONSOLE_INPUT_SIZE];
    }
    __atomic_store_n(&console->input_tail, tail, __ATOMIC_RELEASE);
    return count;
}
