/*
 * The host's console: everything that is shown to a person goes through here, log lines and guests'
 * console lines alike, to all sinks (serial port, framebuffer) at once. A sink takes text into
 * memory of its own and brings it out later, by interrupt or when work() is called, so that whoever
 * writes never waits for a device.
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

/* Called with the console's lock held and interrupts off, save flush(). */
struct console_sink {
    /** How many bytes write() can take now. */
    size_t (*space)(void);
    /** Takes `length` bytes, not more than space() said; does not wait. */
    void (*write)(const char *text, size_t length);
    /** Does a bounded part of what write() put off; returns whether more is left. */
    bool (*work)(void);
    /** Brings out all that was put off, synchronously and whoever holds which lock. */
    void (*flush)(void);
    struct console_sink *next;
};

/** Adds a sink for good. Not from an interrupt. */
void console_add(struct console_sink *sink);

/**
 * Shows `length` bytes as they are (lines end with "\r\n") on all sinks, without another's text in
 * between. All or nothing: false, and nothing shown, when some sink has no space now, when there is
 * no sink, or when the console is being written to. Any context.
 */
bool console_put(const char *text, size_t length);

/** As console_put, on a line of its own: an unfinished line (a guest's prompt) is ended first. */
bool console_put_line(const char *text, size_t length);

/** Bytes that console_put would take now. Any context. */
size_t console_space(void);

/** Whether what was shown last ended its line. Any context. */
bool console_at_line_start(void);

/** Lets the sinks do some of the work they put off; returns whether more is left. Any context but
 * NMI. */
bool console_work(void);

/** Brings out all that was put before it returns, past all locks: only when the kernel is about to
 * end, with the other CPUs stopped. */
void console_flush(void);

/** As console_put_line and console_flush in one. */
void console_put_line_synchronous(const char *text, size_t length);

#endif
