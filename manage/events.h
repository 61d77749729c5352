/*
 * What has happened to VMs, images and tasks lately: a ring of events with numbers, which any
 * number of readers follow. With the VMs' lock (vms_lock).
 */
#ifndef MANAGE_EVENTS_H
#define MANAGE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "manage/machine.h"

#define EVENTS_KEPT 256u

/** `notify` is called for each event. */
void events_init(void (*notify)(void));
/** Something happened to `subject` (cut if it is too long), now. */
void events_post(enum machine_event_kind kind, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** The first event with a number greater than `after` that is still kept; false if there is none.
 */
bool events_read(uint64_t after, struct machine_event *event);

#endif
