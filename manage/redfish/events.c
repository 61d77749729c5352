/*
 * EventService: what happens to VMs, images and tasks, as server-sent events.
 */
#include "manage/redfish/events.h"

#include <stdio.h>
#include <string.h>

#include "kernel/memory/heap.h"
#include "manage/redfish/numbers.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"

#define EVENT_SIZE 2048u /* as it is sent */

static const char stream_path[] = REDFISH_EVENTS_PATH;

static void get_service(struct redfish_call *call, struct redfish_target *target)
{
    static const char *const formats[] = {"Event", NULL};
    static const char *const registries[] = {"Innkeeper", NULL};
    static const char *const types[] = {"ComputerSystem", "InnkeeperImage", "Task", NULL};
    struct json_writer *json = &call->json;

    (void)target;
    redfish_header(call, SCHEMA_EVENT_SERVICE, "EventService", "Event Service");
    json_add_bool(json, "ServiceEnabled", true);
    json_add_string(json, "ServerSentEventUri", stream_path);
    json_add_strings(json, "EventFormatTypes", formats);
    json_add_strings(json, "RegistryPrefixes", registries);
    json_add_strings(json, "ResourceTypes", types);
    json_add_bool(json, "IncludeOriginOfConditionSupported", false);
    redfish_put_status(call, "Enabled", "OK");
}

static const struct redfish_resource table[] = {{.pattern = "EventService", .get = get_service}};

const struct redfish_resources event_resources = REDFISH_RESOURCES(table);

/* One event on its way out. */
struct event_text {
    size_t length;
    bool cut;
    char bytes[EVENT_SIZE];
};

static char *extend(void *context, size_t length)
{
    struct event_text *text = context;

    if (length > sizeof(text->bytes) - text->length) {
        text->cut = true;
        return NULL;
    }
    text->length += length;
    return text->bytes + text->length - length;
}

static void append_text(struct event_text *text, const char *bytes)
{
    size_t length = strlen(bytes);
    char *to = extend(text, length);

    if (to != NULL) {
        memcpy(to, bytes, length);
    }
}

static void put_origin(struct json_writer *json, const struct machine_event *event)
{
    const char *folder = event->kind == MACHINE_EVENT_IMAGE  ? "Oem/Innkeeper/Images"
                         : event->kind == MACHINE_EVENT_TASK ? "TaskService/Tasks"
                                                             : "Systems";

    json_add_object(json, "OriginOfCondition");
    json_add_format(json, "@odata.id", REDFISH_ROOT "/%s/%s", folder, event->subject);
    json_end_object(json);
}

static void put_record(struct json_writer *json, const struct machine_host *host,
                       const struct machine_event *event)
{
    static const char *const types[] = {
        [MACHINE_EVENT_VM_ADDED] = "ResourceAdded", [MACHINE_EVENT_VM_REMOVED] = "ResourceRemoved",
        [MACHINE_EVENT_VM_STATE] = "StatusChange",  [MACHINE_EVENT_VM_CHANGED] = "ResourceUpdated",
        [MACHINE_EVENT_IMAGE] = "ResourceUpdated",  [MACHINE_EVENT_TASK] = "StatusChange",
    };
    struct message message = {.id = MESSAGE_EVENT};
    char time[REDFISH_TIME_SIZE];

    snprintf(message.arguments[0], sizeof(message.arguments[0]), "%s", event->message);
    json_begin_object(json);
    json_add_string(json, "MemberId", "0");
    json_add_string(json, "EventType", types[event->kind]);
    json_add_format(json, "EventId", "%lu", event->number);
    if (redfish_format_time(host, event->when, time)) {
        json_add_string(json, "EventTimestamp", time);
    }
    message_write_members(json, &message);
    put_origin(json, event);
    json_end_object(json);
}

/* As one message of the stream: its number, and the event in one line of JSON. */
static void write_event(struct event_text *text, const struct machine_host *host,
                        const struct machine_event *event)
{
    struct json_writer json;
    char line[48];

    text->length = 0;
    text->cut = false;
    snprintf(line, sizeof(line), "id: %lu\ndata: ", event->number);
    append_text(text, line);
    json_writer_init(&json, extend, text);
    json_begin_object(&json);
    schema_write_type(&json, SCHEMA_EVENT);
    json_add_format(&json, "Id", "%lu", event->number);
    json_add_string(&json, "Name", "Innkeeper Event");
    json_add_array(&json, "Events");
    put_record(&json, host, event);
    json_end_array(&json);
    json_end_object(&json);
    append_text(text, "\n\n");
}

/* A client that listens. */
struct listener {
    uint64_t last; /* number of the event that it has */
};

static void send_events(struct http_stream *stream, void *context)
{
    static struct event_text text; /* the network's thread is the only one here */
    struct listener *listener = context;
    struct machine_event event;
    struct machine_host host;
    bool asked = false;

    while (machine()->event(listener->last, &event)) {
        if (!asked) {
            machine()->host(&host);
            asked = true;
        }
        write_event(&text, &host, &event);
        if (!text.cut && http_stream_send(stream, true, text.bytes, text.length) != 0) {
            return; /* when there is room again */
        }
        listener->last = event.number;
    }
}

static void begin_stream(struct http_stream *stream, void *context)
{
    static const char hello[] = ": Innkeeper's events\n\n"; /* so that proxies let it through */

    (void)context;
    http_stream_send(stream, true, hello, sizeof(hello) - 1);
}

static void end_stream(struct http_stream *stream, void *context)
{
    (void)stream;
    kfree(context);
}

void redfish_answer_events(const struct http_request *request, struct http_answer *answer)
{
    static const struct http_stream_handler handler = {
        .opened = begin_stream, .service = send_events, .closed = end_stream};
    const char *have = http_field(request, "Last-Event-ID");
    struct listener *listener = kzalloc(sizeof(*listener));
    struct machine_event event;

    if (listener == NULL) {
        http_status(answer, 503);
        return;
    }
    if (have == NULL || !redfish_parse_number(have, &listener->last)) {
        /* From now on. */
        while (machine()->event(listener->last, &event)) {
            listener->last = event.number;
        }
    }
    http_add_field(answer, "OData-Version", "4.0");
    http_answer_events(answer, &handler, listener);
}
