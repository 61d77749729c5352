/* manage/events.c and manage/tasks.c: what was told is found again, as long as it is kept. */
#include <stdio.h>
#include <string.h>

#include "kernel/time.h"
#include "manage/events.h"
#include "manage/tasks.h"
#include "tests/unit/support/cmocka.h"

static uint64_t now = 5;
static unsigned notified;

uint64_t time_ns(void)
{
    return now;
}

static void count_notice(void)
{
    notified++;
}

/* Events are the machine's: each test begins where the one before ended. */
static uint64_t newest(void)
{
    struct machine_event event = {0};
    uint64_t last = 0;

    while (events_read(last, &event)) {
        last = event.number;
    }
    return last;
}

static void an_event_is_read_once_with_its_number(void **state)
{
    struct machine_event event;
    uint64_t before = newest();

    (void)state;
    events_init(count_notice);
    notified = 0;
    now = 77;
    events_post(MACHINE_EVENT_VM_STATE, "linux", "ended: %s", "killed");
    assert_int_equal(notified, 1);
    assert_true(events_read(before, &event));
    assert_int_equal(event.number, before + 1);
    assert_int_equal(event.kind, MACHINE_EVENT_VM_STATE);
    assert_int_equal(event.when, 77);
    assert_string_equal(event.subject, "linux");
    assert_string_equal(event.message, "ended: killed");
    assert_false(events_read(event.number, &event));
}

static void who_is_late_gets_what_is_kept(void **state)
{
    struct machine_event event;
    uint64_t before = newest();
    uint64_t position = before;
    unsigned count = 0;

    (void)state;
    for (unsigned i = 0; i < EVENTS_KEPT + 10; i++) {
        events_post(MACHINE_EVENT_IMAGE, "x", "%u", i);
    }
    while (events_read(position, &event)) {
        char message[16];

        assert_true(event.number > position);
        position = event.number;
        snprintf(message, sizeof(message), "%lu", event.number - before - 1);
        assert_string_equal(event.message, message);
        count++;
    }
    assert_int_equal(count, EVENTS_KEPT);
    assert_int_equal(position, before + EVENTS_KEPT + 10);
    assert_false(events_read(position + 5, &event));
    assert_false(events_read(UINT64_MAX - 1, &event));
}

static void long_texts_are_cut(void **state)
{
    struct machine_event event;
    uint64_t before = newest();
    char text[500];

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    events_post(MACHINE_EVENT_IMAGE, text, "%s", text);
    assert_true(events_read(before, &event));
    assert_int_equal(strlen(event.subject), sizeof(event.subject) - 1);
    assert_int_equal(strlen(event.message), sizeof(event.message) - 1);
}

static void a_task_goes_its_way(void **state)
{
    struct machine_task task;
    struct machine_event event;
    uint64_t before = newest();
    uint64_t id;

    (void)state;
    now = 100;
    id = tasks_begin("linux", "fetch %s", "http://h/x");
    assert_int_not_equal(id, 0);
    now = 200;
    tasks_progress(id, 3, 9);
    assert_true(tasks_find(id, &task));
    assert_int_equal(task.state, MACHINE_TASK_RUNNING);
    assert_string_equal(task.name, "fetch http://h/x");
    assert_string_equal(task.vm, "linux");
    assert_int_equal(task.started, 100);
    assert_int_equal(task.ended, 0);
    assert_int_equal(task.bytes, 3);
    assert_int_equal(task.bytes_all, 9);
    tasks_end(id, MACHINE_TASK_FAILED, "refused");
    assert_true(tasks_find(id, &task));
    assert_int_equal(task.state, MACHINE_TASK_FAILED);
    assert_int_equal(task.ended, 200);
    assert_string_equal(task.message, "refused");
    assert_true(events_read(before, &event));
    assert_string_equal(event.message, "fetch http://h/x: begun");
    assert_true(events_read(before + 1, &event));
    assert_int_equal(event.kind, MACHINE_EVENT_TASK);
    assert_string_equal(event.message, "fetch http://h/x: refused");
    assert_false(tasks_find(id + 1, &task));
}

static void tasks_that_run_are_not_forgotten(void **state)
{
    struct machine_task task;
    uint64_t ids[TASKS_KEPT];
    unsigned count = 0;

    (void)state;
    for (unsigned i = 0; i < TASKS_KEPT; i++) {
        ids[i] = tasks_begin("", "%u", i);
        assert_int_not_equal(ids[i], 0);
    }
    assert_int_equal(tasks_begin("", "one too many"), 0);
    tasks_end(ids[3], MACHINE_TASK_COMPLETED, "");
    assert_int_not_equal(tasks_begin("", "in its place"), 0);
    assert_false(tasks_find(ids[3], &task));
    for (unsigned i = 0; i < TASKS_KEPT; i++) {
        assert_int_equal(tasks_find(ids[i], &task), i != 3);
    }
    while (tasks_get(count, &task)) {
        count++;
    }
    assert_int_equal(count, TASKS_KEPT);
    assert_string_equal(task.name, "in its place"); /* the last of them */
    tasks_end(12345, MACHINE_TASK_FAILED, "nobody");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_read_once_with_its_number),
        cmocka_unit_test(who_is_late_gets_what_is_kept),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_task_goes_its_way),
        cmocka_unit_test(tasks_that_run_are_not_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
