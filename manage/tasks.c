#include "manage/tasks.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "kernel/time.h"
#include "manage/events.h"

/* In the order in which they began. */
static struct machine_task tasks[TASKS_KEPT];
static unsigned count;
static uint64_t last_id;

static struct machine_task *find(uint64_t id)
{
    for (unsigned i = 0; i < count; i++) {
        if (tasks[i].id == id) {
            return &tasks[i];
        }
    }
    return NULL;
}

static void post(const struct machine_task *task, const char *what)
{
    char id[24];

    snprintf(id, sizeof(id), "%lu", task->id);
    events_post(MACHINE_EVENT_TASK, id, "%s: %s", task->name, what);
}

/* Forgets the oldest one that has ended. False if all run. */
static bool make_room(void)
{
    for (unsigned i = 0; i < count; i++) {
        if (tasks[i].state != MACHINE_TASK_RUNNING) {
            count--;
            memmove(&tasks[i], &tasks[i + 1], (count - i) * sizeof(tasks[0]));
            return true;
        }
    }
    return false;
}

uint64_t tasks_begin(const char *vm, const char *format, ...)
{
    struct machine_task *task;
    va_list arguments;

    if (count == TASKS_KEPT && !make_room()) {
        return 0;
    }
    task = &tasks[count++];
    *task =
        (struct machine_task){.id = ++last_id, .state = MACHINE_TASK_RUNNING, .started = time_ns()};
    snprintf(task->vm, sizeof(task->vm), "%s", vm);
    va_start(arguments, format);
    vsnprintf(task->name, sizeof(task->name), format, arguments);
    va_end(arguments);
    post(task, "begun");
    return task->id;
}

void tasks_progress(uint64_t id, uint64_t bytes, uint64_t all)
{
    struct machine_task *task = find(id);

    if (task) {
        task->bytes = bytes;
        task->bytes_all = all;
    }
}

void tasks_end(uint64_t id, enum machine_task_state state, const char *message)
{
    struct machine_task *task = find(id);

    if (!task) {
        return;
    }
    task->state = state;
    task->ended = time_ns();
    snprintf(task->message, sizeof(task->message), "%s", message);
    switch (state) {
    case MACHINE_TASK_COMPLETED:
        post(task, "completed");
        break;
    case MACHINE_TASK_CANCELLED:
        post(task, "cancelled");
        break;
    default:
        post(task, task->message);
        break;
    }
}

bool tasks_get(unsigned index, struct machine_task *task)
{
    if (index >= count) {
        return false;
    }
    *task = tasks[index];
    return true;
}

bool tasks_find(uint64_t id, struct machine_task *out)
{
    const struct machine_task *task = find(id);

    if (task) {
        *out = *task;
    }
    return task != NULL;
}
