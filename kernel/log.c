#include "kernel/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "kernel/console.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/cpu/x86.h"
#include "kernel/log_ring.h"
#include "kernel/time.h"

/* Lines moved to the console in one call of log_drain. */
#define DRAIN_LINES 16

static struct log_ring ring;

/* The console's place in the log, and who moves it. */
static struct spinlock drain_lock;
static uint64_t console_cursor;

/* Moves lines that the console has space for; returns whether some are left. One at a time does it:
 * whoever comes meanwhile leaves it to the other, who looks again after each line. */
static bool drain_lines(unsigned count)
{
    struct log_record record;
    char line[LOG_LINE_MAX];
    bool interrupts = interrupts_save();
    bool more = false;

    if (spin_trylock(&drain_lock)) {
        for (uint64_t cursor = console_cursor; log_read(&cursor, &record);
             console_cursor = cursor) {
            size_t length;

            if (count-- == 0) {
                more = true;
                break;
            }
            length = log_format_line(&record, time_from_tsc(record.tsc), line);
            if (!console_put_line(line, length)) {
                break; /* not `more`: there is nothing to do until the device has caught up */
            }
        }
        spin_unlock(&drain_lock);
    }
    interrupts_restore(interrupts);
    return more;
}

void log_write(enum log_level level, const char *format, ...)
{
    char text[LOG_TEXT_MAX + 1];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0) {
        length = 0;
    } else if (length > (int)LOG_TEXT_MAX) {
        length = LOG_TEXT_MAX;
    }
    log_ring_write(&ring, level, rdtsc(), text, (size_t)length);
    drain_lines(1);
}

bool log_read(uint64_t *cursor, struct log_record *record)
{
    return log_ring_read(&ring, cursor, record, false);
}

bool log_drain(void)
{
    bool lines = drain_lines(DRAIN_LINES);

    return console_work() || lines;
}

void log_replay(void (*write)(const char *text, size_t length))
{
    struct log_record record;
    char line[LOG_LINE_MAX];
    uint64_t cursor = 0;

    while (cursor < console_cursor && log_read(&cursor, &record)) {
        write(line, log_format_line(&record, time_from_tsc(record.tsc), line));
    }
}

void log_flush(void)
{
    struct log_record record;
    char line[LOG_LINE_MAX];
    bool interrupts = interrupts_save();

    console_flush();
    while (log_ring_read(&ring, &console_cursor, &record, true)) {
        size_t length = log_format_line(&record, time_from_tsc(record.tsc), line);

        console_put_line_synchronous(line, length);
    }
    interrupts_restore(interrupts);
}
