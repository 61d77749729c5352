#include "kernel/log_ring.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)

_Static_assert((LOG_RING_LINES & (LOG_RING_LINES - 1)) == 0, "slots are found by masking");
_Static_assert(sizeof(struct log_slot) == 256, "a slot fills whole cache lines");

void log_ring_write(struct log_ring *ring, enum log_level level, uint64_t tsc, const char *text,
                    size_t length)
{
    uint64_t number = atomic_fetch_add_explicit(&ring->head, 1, memory_order_relaxed);
    struct log_slot *slot = &ring->slots[number % LOG_RING_LINES];

    if (length > LOG_TEXT_MAX) {
        length = LOG_TEXT_MAX;
    }
    /* The old line is invalid before its first byte changes, the new one valid after its last. */
    atomic_store_explicit(&slot->sequence, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    slot->tsc = tsc;
    slot->level = (uint8_t)level;
    slot->length = (uint16_t)length;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        slot->text[i] = text[i];
        if (c < ' ' || c == 0x7f) {
            slot->text[i] = '?';
        }
    }
    atomic_store_explicit(&slot->sequence, number + 1, memory_order_release);
}

enum slot_state { SLOT_COMPLETE, SLOT_UNFINISHED, SLOT_OVERWRITTEN };

static enum slot_state copy_slot(struct log_ring *ring, uint64_t number, struct log_record *record)
{
    const struct log_slot *slot = &ring->slots[number % LOG_RING_LINES];

    if (atomic_load_explicit(&slot->sequence, memory_order_acquire) != number + 1) {
        return SLOT_UNFINISHED;
    }
    record->tsc = slot->tsc;
    record->level = (enum log_level)slot->level;
    record->length = slot->length < LOG_TEXT_MAX ? slot->length : (uint16_t)LOG_TEXT_MAX;
    memcpy(record->text, slot->text, record->length);
    record->text[record->length] = '\0';
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slot->sequence, memory_order_relaxed) == number + 1
               ? SLOT_COMPLETE
               : SLOT_OVERWRITTEN;
}

bool log_ring_read(struct log_ring *ring, uint64_t *cursor, struct log_record *record,
                   bool skip_unfinished)
{
    uint64_t number = *cursor;

    record->lost = 0;
    for (;;) {
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
        enum slot_state state;

        if (head - number > LOG_RING_LINES) {
            record->lost += head - LOG_RING_LINES - number;
            number = head - LOG_RING_LINES;
        }
        if (number == head) {
            break;
        }
        state = copy_slot(ring, number, record);
        if (state == SLOT_COMPLETE) {
            *cursor = number + 1;
            return true;
        }
        /* A slot that is not ours any more belongs to a line one lap on: look at head again. */
        if (atomic_load_explicit(&ring->head, memory_order_relaxed) - number > LOG_RING_LINES) {
            continue;
        }
        if (!skip_unfinished) {
            break;
        }
        record->lost++;
        number++;
    }
    return false;
}

size_t log_format_line(const struct log_record *record, uint64_t time_ns,
                       char line[static LOG_LINE_MAX])
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    uint64_t seconds = time_ns / NS_PER_SECOND;
    uint64_t microseconds = time_ns % NS_PER_SECOND / 1000;
    const char *name = (unsigned)record->level <= LOG_DEBUG ? names[record->level] : "?";
    int length = 0;

    if (record->lost) {
        length = snprintf(line, LOG_LINE_MAX, "[%lu log lines lost]\r\n", record->lost);
    }
    length += snprintf(line + length, LOG_LINE_MAX - (size_t)length, "[%5lu.%06lu] %s: %s\r\n",
                       seconds, microseconds, name, record->text);
    return (size_t)length < LOG_LINE_MAX ? (size_t)length : LOG_LINE_MAX - 1;
}
