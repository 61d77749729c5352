#include "kernel/console.h"

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

static bool put(const char *text, size_t length)
{
    for (const struct console_sink *sink = sinks; sink; sink = sink->next) {
        if (sink->space() < length) {
            return false;
        }
    }
    for (const struct console_sink *sink = sinks; sink; sink = sink->next) {
        sink->write(text, length);
    }
    return sinks != NULL;
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

void console_put_synchronous(const char *text, size_t length)
{
    for (const struct console_sink *sink = sinks; sink; sink = sink->next) {
        sink->flush();
        if (sink->space() >= length) {
            sink->write(text, length);
        }
        sink->flush();
    }
}
