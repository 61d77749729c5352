/*
 * LogServices: the host's log, and of each VM what has happened to it.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/time.h"
#include "manage/redfish/numbers.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"
#include "manage/redfish/systems.h"

#define HOST_LOGS "Managers/" REDFISH_HOST_ID "/LogServices"

static void get_host_logs(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_LOG_SERVICES, "Log Services");
    redfish_member(call, HOST_LOGS "/Log");
    redfish_end_members(call, target);
}

static void put_log(struct redfish_call *call, const char *id, const char *name, const char *type)
{
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_LOG_SERVICE, id, name);
    json_add_bool(json, "ServiceEnabled", true);
    json_add_string(json, "OverWritePolicy", "WrapsWhenFull");
    json_add_string(json, "LogEntryType", type);
    redfish_put_status(call, "Enabled", "OK");
}

static void get_host_log(struct redfish_call *call, struct redfish_target *target)
{
    (void)target;
    put_log(call, "Log", "Log of the Host", "OEM");
    redfish_link(call, "Entries", HOST_LOGS "/Log/Entries");
}

static void put_record(struct redfish_call *call, uint64_t number, const struct log_record *record)
{
    static const char *const severities[] = {
        [LOG_ERROR] = "Critical", [LOG_WARN] = "Warning", [LOG_INFO] = "OK", [LOG_DEBUG] = "OK"};
    struct json_writer *json = &call->json;

    schema_write_type(json, SCHEMA_LOG_ENTRY);
    json_add_format(json, "Id", "%lu", number);
    json_add_format(json, "Name", "Log Entry %lu", number);
    json_add_string(json, "EntryType", "Oem");
    json_add_string(json, "OemRecordFormat", "Innkeeper");
    json_add_string(json, "Severity", severities[record->level]);
    redfish_put_time(call, "Created", time_from_tsc(record->tsc));
    json_add_string(json, "Message", record->text);
}

/* Entries are written in full, as clients expect of logs. */
static void get_records(struct redfish_call *call, struct redfish_target *target)
{
    struct log_record record;
    uint64_t cursor = 0;

    redfish_begin_members(call, SCHEMA_LOG_ENTRIES, "Log Entries");
    while (machine()->log(&cursor, &record)) {
        if (redfish_wants_member(call)) {
            json_begin_object(&call->json);
            json_add_format(&call->json, "@odata.id", REDFISH_ROOT "/" HOST_LOGS "/Log/Entries/%lu",
                            cursor - 1);
            put_record(call, cursor - 1, &record);
            json_end_object(&call->json);
        }
    }
    redfish_end_members(call, target);
}

/* Entries' numbers are those of the log's lines. */
static bool read_record(const char *id, uint64_t *number, struct log_record *record)
{
    if (!redfish_parse_number(id, number)) {
        return false;
    }
    uint64_t cursor = *number;
    return machine()->log(&cursor, record) && cursor == *number + 1;
}

static bool find_record(const struct redfish_call *call, struct redfish_target *target)
{
    struct log_record record;
    uint64_t number;

    (void)call;
    return read_record(target->name, &number, &record);
}

static void get_record(struct redfish_call *call, struct redfish_target *target)
{
    struct log_record record;
    uint64_t number;

    if (read_record(target->name, &number, &record)) {
        put_record(call, number, &record);
    }
}

static void get_vm_logs(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_LOG_SERVICES, "Log Services");
    redfish_member(call, "Systems/%s/LogServices/Events", target->name);
    redfish_end_members(call, target);
}

static void get_vm_log(struct redfish_call *call, struct redfish_target *target)
{
    put_log(call, "Events", "Events of the VM", "Event");
    redfish_link(call, "Entries", "Systems/%s/LogServices/Events/Entries", target->name);
}

static bool is_of_vm(const struct machine_event *event, const char *name)
{
    return event->kind <= MACHINE_EVENT_VM_CHANGED && strcmp(event->subject, name) == 0;
}

static void put_event(struct redfish_call *call, const struct machine_event *event)
{
    struct json_writer *json = &call->json;

    schema_write_type(json, SCHEMA_LOG_ENTRY);
    json_add_format(json, "Id", "%lu", event->number);
    json_add_format(json, "Name", "Event %lu", event->number);
    json_add_string(json, "EntryType", "Event");
    json_add_string(json, "Severity", "OK");
    redfish_put_time(call, "Created", event->when);
    json_add_string(json, "Message", event->message);
}

static void get_events(struct redfish_call *call, struct redfish_target *target)
{
    struct machine_event event = {.number = 0};

    redfish_begin_members(call, SCHEMA_LOG_ENTRIES, "Log Entries");
    while (machine()->event(event.number, &event)) {
        if (is_of_vm(&event, target->name) && redfish_wants_member(call)) {
            json_begin_object(&call->json);
            json_add_format(&call->json, "@odata.id",
                            REDFISH_ROOT "/Systems/%s/LogServices/Events/Entries/%lu", target->name,
                            event.number);
            put_event(call, &event);
            json_end_object(&call->json);
        }
    }
    redfish_end_members(call, target);
}

static bool read_event(const struct redfish_target *target, struct machine_event *event)
{
    uint64_t number;

    return redfish_parse_number(target->second, &number) && number > 0 &&
           machine()->event(number - 1, event) && event->number == number &&
           is_of_vm(event, target->name);
}

static bool find_event(const struct redfish_call *call, struct redfish_target *target)
{
    struct machine_event event;

    return read_event(target, &event) && system_find(call, target);
}

static void get_event(struct redfish_call *call, struct redfish_target *target)
{
    struct machine_event event;

    if (read_event(target, &event)) {
        put_event(call, &event);
    }
}

static const struct redfish_resource table[] = {
    {.pattern = HOST_LOGS, .get = get_host_logs},
    {.pattern = HOST_LOGS "/Log", .get = get_host_log},
    {.pattern = HOST_LOGS "/Log/Entries", .get = get_records},
    {.pattern = HOST_LOGS "/Log/Entries/*", .find = find_record, .get = get_record},
    {.pattern = "Systems/*/LogServices", .find = system_find, .get = get_vm_logs},
    {.pattern = "Systems/*/LogServices/Events", .find = system_find, .get = get_vm_log},
    {.pattern = "Systems/*/LogServices/Events/Entries", .find = system_find, .get = get_events},
    {.pattern = "Systems/*/LogServices/Events/Entries/*", .find = find_event, .get = get_event},
};

const struct redfish_resources log_resources = REDFISH_RESOURCES(table);
