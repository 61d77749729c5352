/*
 * The memory of the log: a ring of fixed-size line slots. Writers take the next line number with
 * one atomic add and fill that line's slot, so that a writer never waits for anyone: an NMI or an
 * exception may interrupt another writer at any instruction. Readers have a cursor of their own and
 * take nothing away. Pure: the time stamp is given by the caller.
 */
#ifndef KERNEL_LOG_RING_H
#define KERNEL_LOG_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/log.h"

#define LOG_RING_LINES 512u /* power of two */

struct log_slot {
    /* Line number + 1 once the line is complete. Whoever reads checks it before and after. */
    _Atomic uint64_t sequence;
    uint64_t tsc;
    uint16_t length;
    uint8_t level;
    char text[LOG_TEXT_MAX];
};

struct log_ring {
    _Atomic uint64_t head; /* number of the next line */
    struct log_slot slots[LOG_RING_LINES];
};

/** Adds a line of `length` bytes; what exceeds LOG_TEXT_MAX is cut. Control characters become '?',
 * so that no text can forge a line or an escape sequence. */
void log_ring_write(struct log_ring *ring, enum log_level level, uint64_t tsc, const char *text,
                    size_t length);

/**
 * Copies the line at `*cursor` (0: the oldest) into `record` and moves the cursor past it; false
 * when there is none. Lines that were overwritten before they were read are counted in
 * record->lost. A line still being written ends the reading, unless `skip_unfinished`: then it is
 * passed over as lost (for a panic, which may have interrupted its writer for good).
 */
bool log_ring_read(struct log_ring *ring, uint64_t *cursor, struct log_record *record,
                   bool skip_unfinished);

/** Formats a record as a console line, "[    0.012345] info: text\r\n", preceded by a line about
 * lost ones if there are any. Returns the length, at most LOG_LINE_MAX; not NUL-terminated. */
size_t log_format_line(const struct log_record *record, uint64_t time_ns,
                       char line[static LOG_LINE_MAX]);

#endif
