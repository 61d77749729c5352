/*
 * TaskService: work that goes on after its request was answered.
 */
#include <stdio.h>
#include <string.h>

#include "manage/redfish/numbers.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"

static void get_service(struct redfish_call *call, struct redfish_target *target)
{
    struct json_writer *json = &call->json;

    (void)target;
    redfish_header(call, SCHEMA_TASK_SERVICE, "TaskService", "Task Service");
    json_add_bool(json, "ServiceEnabled", true);
    json_add_bool(json, "LifeCycleEventOnTaskStateChange", true);
    json_add_string(json, "CompletedTaskOverWritePolicy", "Oldest");
    json_volatile(json);
    redfish_put_time(call, "DateTime", redfish_host(call)->uptime);
    json_stable(json);
    redfish_put_status(call, "Enabled", "OK");
    redfish_link(call, "Tasks", "TaskService/Tasks");
}

static void get_tasks(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_TASKS, "Tasks");
    for (unsigned i = 0; machine()->task(i, &target->task); i++) {
        redfish_member(call, "TaskService/Tasks/%lu", target->task.id);
    }
    redfish_end_members(call, target);
}

static bool find_task(const struct redfish_call *call, struct redfish_target *target)
{
    uint64_t id;

    (void)call;
    if (!redfish_parse_number(target->name, &id) || !machine()->find_task(id, &target->task)) {
        return false;
    }
    /* A monitor's answer is the task itself. */
    snprintf(target->path, sizeof(target->path), REDFISH_ROOT "/TaskService/Tasks/%lu", id);
    return true;
}

static void put_messages(struct json_writer *json, const struct machine_task *task)
{
    struct message message = {.id = MESSAGE_TASK_FAILED};

    json_add_array(json, "Messages");
    if (task->message[0] != '\0') {
        snprintf(message.arguments[0], sizeof(message.arguments[0]), "%s", task->message);
        message_write(json, &message);
    }
    json_end_array(json);
}

static void get_task(struct redfish_call *call, struct redfish_target *target)
{
    static const char *const states[] = {
        [MACHINE_TASK_RUNNING] = "Running",
        [MACHINE_TASK_COMPLETED] = "Completed",
        [MACHINE_TASK_FAILED] = "Exception",
        [MACHINE_TASK_CANCELLED] = "Cancelled",
    };
    const struct machine_task *task = &target->task;
    struct json_writer *json = &call->json;
    char id[24];

    snprintf(id, sizeof(id), "%lu", task->id);
    redfish_header(call, SCHEMA_TASK, id, task->name);
    json_add_string(json, "TaskState", states[task->state]);
    json_add_string(json, "TaskStatus", task->state == MACHINE_TASK_FAILED ? "Critical" : "OK");
    json_add_format(json, "TaskMonitor", REDFISH_ROOT "/TaskService/TaskMonitors/%s", id);
    redfish_put_time(call, "StartTime", task->started);
    if (task->ended != 0) {
        redfish_put_time(call, "EndTime", task->ended);
    }
    json_volatile(json);
    if (task->state == MACHINE_TASK_COMPLETED) {
        json_add_number(json, "PercentComplete", 100);
    } else if (task->bytes_all > 0) {
        json_add_number(json, "PercentComplete", task->bytes / (task->bytes_all / 100 + 1));
    }
    json_stable(json);
    json_add_bool(json, "HidePayload", true);
    put_messages(json, task);
    json_add_object(json, "Oem");
    json_add_object(json, "Innkeeper");
    json_volatile(json);
    json_add_number(json, "FetchedBytes", task->bytes);
    json_add_number(json, "AllBytes", task->bytes_all);
    json_stable(json);
    if (task->vm[0] != '\0') {
        redfish_link(call, "System", "Systems/%s", task->vm);
    }
    json_end_object(json);
    json_end_object(json);
}

/* The answer that the request would have got if it had waited. */
static void get_monitor(struct redfish_call *call, struct redfish_target *target)
{
    const struct machine_task *task = &target->task;

    if (task->state == MACHINE_TASK_FAILED) {
        redfish_refuse(call, MESSAGE_TASK_FAILED, "", task->message, NULL, NULL);
        return;
    }
    if (task->state == MACHINE_TASK_CANCELLED) {
        redfish_refuse(call, MESSAGE_MISSING, "", call->request->path, NULL, NULL);
        return;
    }
    if (task->state == MACHINE_TASK_RUNNING && call->level == 0) {
        http_status(call->answer, 202);
        http_add_field(call->answer, "Location", call->request->path);
        http_add_field(call->answer, "Retry-After", "1");
    }
    get_task(call, target);
}

static void cancel_task(struct redfish_call *call, struct redfish_target *target)
{
    char reason[MACHINE_REASON_SIZE] = "";
    int error = machine()->cancel_task(target->task.id, reason, sizeof(reason));

    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_audit(call, "task %lu cancelled: %s", target->task.id, target->task.name);
    redfish_answer_nothing(call);
}

static const struct redfish_resource table[] = {
    {.pattern = "TaskService", .get = get_service},
    {.pattern = "TaskService/Tasks", .get = get_tasks},
    {.pattern = "TaskService/Tasks/*", .find = find_task, .get = get_task, .remove = cancel_task},
    {.pattern = "TaskService/TaskMonitors/*",
     .find = find_task,
     .get = get_monitor,
     .remove = cancel_task},
};

const struct redfish_resources task_resources = REDFISH_RESOURCES(table);
