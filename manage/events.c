#include "manage/events.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "kernel/time.h"

static struct machine_event ring[EVENTS_KEPT];
static uint64_t last; /* number of the last event; 0: there was none */
static void (*notify)(void);

void events_init(void (*function)(void))
{
    notify = function;
}

void events_post(enum machine_event_kind kind, const char *subject, const char *format, ...)
{
    struct machine_event *event = &ring[++last % EVENTS_KEPT];
    va_list arguments;

    event->number = last;
    event->kind = kind;
    event->when = time_ns();
    snprintf(event->subject, sizeof(event->subject), "%s", subject);
    va_start(arguments, format);
    vsnprintf(event->message, sizeof(event->message), format, arguments);
    va_end(arguments);
    if (notify) {
        notify();
    }
}

bool events_read(uint64_t after, struct machine_event *event)
{
    uint64_t number = after + 1;

    if (last >= EVENTS_KEPT && number <= last - EVENTS_KEPT) {
        number = last - EVENTS_KEPT + 1;
    }
    if (number > last) {
        return false;
    }
    *event = ring[number % EVENTS_KEPT];
    return true;
}
