/*
 * Long work: what runs now and what has ended lately, for people. With the VMs' lock (vms_lock).
 */
#ifndef MANAGE_TASKS_H
#define MANAGE_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "manage/machine.h"

#define TASKS_KEPT 32u

/** A task that runs from now on; `vm` is "" if it is for none. Its id, or 0 if there is no room
 * because all others run. */
uint64_t tasks_begin(const char *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** How far it is. `all` 0: not known. */
void tasks_progress(uint64_t id, uint64_t bytes, uint64_t all);
/** It has ended; the message says why, if it failed. */
void tasks_end(uint64_t id, enum machine_task_state state, const char *message);

/** Tasks in the order in which they began; false past the last. */
bool tasks_get(unsigned index, struct machine_task *task);
bool tasks_find(uint64_t id, struct machine_task *task);

#endif
