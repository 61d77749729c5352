/*
 * The kernel's log: levelled, time-stamped lines, kept in a ring and shown on the console sinks
 * (serial port, framebuffer). Writing never blocks and never waits for a device; sinks drain the
 * ring when they can (interrupt, idle), a panic drains it synchronously.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_TEXT_MAX 237u /* bytes of one line; longer ones are cut */
#define LOG_LINE_MAX 320u /* a formatted line with the note about lost ones before it */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Adds one line (no newline at its end). Any context, interrupts on or off. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

struct log_record {
    uint64_t tsc;  /* when it was written: see time_from_tsc */
    uint64_t lost; /* lines overwritten between the one read before and this one */
    enum log_level level;
    uint16_t length;
    char text[LOG_TEXT_MAX + 1]; /* NUL-terminated */
};

/** Copies the line at `*cursor` (0: the oldest that is kept) and moves the cursor past it; false
 * when there is no newer line. Each reader has its own cursor. Any context. */
bool log_read(uint64_t *cursor, struct log_record *record);

/** Moves lines to the console and draws what changed on the screen, a bounded amount of work;
 * returns whether more is left. Called from the idle loop; any context but NMI. */
bool log_drain(void);

/** Gives `write` the formatted lines which the console already had, oldest first: for a sink that
 * comes later. Not from an interrupt. */
void log_replay(void (*write)(const char *text, size_t length));

/** Brings everything out to the devices before it returns, whatever locks others hold: only when
 * the kernel is about to halt, power off or reset, with the other CPUs stopped. */
void log_flush(void);

#endif
