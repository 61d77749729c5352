#include "kernel/console.h"

#include <stdint.h>

#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"

static struct spinlock lock;
static struct console_sink *sinks;

void console_add(struct console_sink *sink)
{
    bool interrupts = interrupts_save();

    spin_lock(&lock);
    sink->next = sinks;
    sinks = sink;
    spin_unlock(&lock);
    interrupts_restore(interrupts);
}

/* The last byte shown ended a line. */
static bool line_start = true;

static size_t space(void)
{
    size_t least = SIZE_MAX;

    for (const struct console_sink *sink = sinks; sink; sink = sink->next) {
        size_t here = sink->space();

        least = here < least ? here : least;
    }
    return least;
}

static bool put(const char *text, size_t length)
{
    if (space() < length || length == 0) {
        return false;
    }
    for (const struct console_sink *sink = sinks; sink; sink = sink->next) {
        sink->write(text, length);
    }
    line_start = text[length - 1] == '\n';
    return sinks != NULL;
}

size_t console_space(void)
{
    bool interrupts = interrupts_save();
    size_t least = 0;

    if (spin_lock_bounded(&lock)) {
        least = space();
        spin_unlock(&lock);
    }
    interrupts_restore(interrupts);
    return least;
}

bool console_at_line_start(void)
{
    return line_start;
}

bool console_put_line(const char *text, size_t length)
{
    bool interrupts = interrupts_save();
    bool done = false;

    if (spin_lock_bounded(&lock)) {
        if (line_start) {
            done = put(text, length);
        } else if (space() >= length + 2) {
            done = put("\r\n", 2) && put(text, length);
        }
        spin_unlock(&lock);
    }
    interrupts_restore(interrupts);
    return done;
}

bool console_put(const char *text, size_t length)
{
    bool interrupts = interrupts_save();
    bool done = false;

    /* Bounded: an NMI may have interrupted the holder on this CPU. */
    if (spin_lock_bounded(&lock)) {
        done = put(text, length);
        spin_unlock(&lock);
    }
    interrupts_restore(interrupts);
    return done;
}

bool console_work(void)
{
    bool interrupts = interrupts_save();
    bool more = false;

    if (spin_trylock(&lock)) {
        for (const struct console_sink *sink = sinks; sink; sink = sink->next) {
            more |= sink->work();
        }
        spin_unlock(&lock);
    }
    interrupts_restore(interrupts);
    return more;
}

void console_flush(void)
{
    for (const struct console_sink *sink = sinks; sink; sink = sink->next) {
        sink->flush();
    }
}

void console_put_line_synchronous(const char *text, size_t length)
{
    console_flush();
    if (!line_start) {
        put("\r\n", 2);
    }
    put(text, length);
    console_flush();
}
