/*
 * The service root, the tables of all that is below it, and the routes to them.
 */
#include <string.h>

#include "guest/json.h"
#include "manage/redfish/call.h"
#include "manage/redfish/events.h"
#include "manage/redfish/images.h"
#include "manage/redfish/redfish.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"

#define VERSION   "1.15.0"
#define SMALL_MAX 4096u /* bytes of a body that is no description of a VM */

static void put_features(struct json_writer *json)
{
    json_add_object(json, "ProtocolFeaturesSupported");
    json_add_object(json, "ExpandQuery");
    json_add_bool(json, "ExpandAll", true);
    json_add_bool(json, "Levels", true);
    json_add_number(json, "MaxLevels", REDFISH_EXPAND_MAX);
    json_add_bool(json, "Links", true);
    json_add_bool(json, "NoLinks", true);
    json_end_object(json);
    json_add_bool(json, "SelectQuery", true);
    json_add_bool(json, "FilterQuery", false);
    json_add_bool(json, "OnlyMemberQuery", false);
    json_add_bool(json, "ExcerptQuery", false);
    json_add_object(json, "DeepOperations");
    json_add_bool(json, "DeepPATCH", false);
    json_add_bool(json, "DeepPOST", false);
    json_end_object(json);
    json_end_object(json);
}

static void get_root(struct redfish_call *call, struct redfish_target *target)
{
    struct json_writer *json = &call->json;

    (void)target;
    redfish_header(call, SCHEMA_ROOT, "RootService", "Innkeeper");
    json_add_string(json, "RedfishVersion", VERSION);
    redfish_put_uuid(call, "service", "");
    json_add_string(json, "Vendor", "Innkeeper");
    json_add_string(json, "Product", "Innkeeper");
    put_features(json);
    redfish_link(call, "Systems", "Systems");
    redfish_link(call, "Managers", "Managers");
    redfish_link(call, "Chassis", "Chassis");
    redfish_link(call, "SessionService", "SessionService");
    redfish_link(call, "AccountService", "AccountService");
    redfish_link(call, "EventService", "EventService");
    redfish_link(call, "Tasks", "TaskService");
    redfish_link(call, "JsonSchemas", "JsonSchemas");
    redfish_link(call, "Registries", "Registries");
    redfish_begin_links(call);
    redfish_link(call, "Sessions", "SessionService/Sessions");
    redfish_end_links(call);
    json_add_object(json, "Oem");
    json_add_object(json, "Innkeeper");
    redfish_link(call, "Images", "Oem/Innkeeper/Images");
    json_end_object(json);
    json_end_object(json);
}

static const struct redfish_resource table[] = {{.pattern = "", .get = get_root}};

const struct redfish_resources root_resources = REDFISH_RESOURCES(table);

const struct redfish_resources *const redfish_tables[] = {
    &root_resources,    &system_resources, &system_part_resources, &manager_resources,
    &chassis_resources, &log_resources,    &session_resources,     &account_resources,
    &task_resources,    &event_resources,  &image_resources,       &schema_resources,
};
const unsigned redfish_table_count = sizeof(redfish_tables) / sizeof(redfish_tables[0]);

static void begin_document(struct http_answer *answer, struct json_writer *json)
{
    http_add_field(answer, "Content-Type", "application/json");
    http_add_field(answer, "OData-Version", "4.0");
    json_writer_init(json, redfish_extend_answer, answer);
    json_begin_object(json);
}

static void answer_versions(const struct http_request *request, struct http_answer *answer)
{
    struct json_writer json;

    (void)request;
    begin_document(answer, &json);
    json_add_string(&json, "v1", REDFISH_ROOT "/");
    json_end_object(&json);
}

static void put_service(struct json_writer *json, const char *name, const char *url)
{
    json_begin_object(json);
    json_add_string(json, "name", name);
    json_add_string(json, "kind", "Singleton");
    json_add_string(json, "url", url);
    json_end_object(json);
}

static void answer_odata(const struct http_request *request, struct http_answer *answer)
{
    struct json_writer json;

    (void)request;
    begin_document(answer, &json);
    json_add_string(&json, "@odata.context", REDFISH_ROOT "/$metadata");
    json_add_array(&json, "value");
    put_service(&json, "Service", REDFISH_ROOT "/");
    put_service(&json, "Systems", REDFISH_ROOT "/Systems");
    put_service(&json, "Managers", REDFISH_ROOT "/Managers");
    put_service(&json, "Chassis", REDFISH_ROOT "/Chassis");
    put_service(&json, "SessionService", REDFISH_ROOT "/SessionService");
    put_service(&json, "AccountService", REDFISH_ROOT "/AccountService");
    put_service(&json, "EventService", REDFISH_ROOT "/EventService");
    put_service(&json, "Tasks", REDFISH_ROOT "/TaskService");
    put_service(&json, "Sessions", REDFISH_ROOT "/SessionService/Sessions");
    json_end_array(&json);
    json_end_object(&json);
}

#define GET    HTTP_ALLOW(HTTP_GET)
#define POST   HTTP_ALLOW(HTTP_POST)
#define PUT    HTTP_ALLOW(HTTP_PUT)
#define PATCH  HTTP_ALLOW(HTTP_PATCH)
#define DELETE HTTP_ALLOW(HTTP_DELETE)

/* What is wrong is told in Redfish's way, whatever the route. */
#define ROUTE(handler, ...)                                             \
    {                                                                   \
        .handle = (handler), .error = redfish_handle_error, __VA_ARGS__ \
    }

const struct http_route redfish_routes[REDFISH_ROUTES] = {
    ROUTE(answer_versions, .path = "/redfish", .methods = GET, .access = HTTP_PUBLIC),
    ROUTE(redfish_handle, .path = REDFISH_ROOT, .methods = GET, .access = HTTP_PUBLIC),
    ROUTE(schema_answer_metadata, .path = REDFISH_ROOT "/$metadata", .methods = GET,
          .access = HTTP_PUBLIC),
    ROUTE(answer_odata, .path = REDFISH_ROOT "/odata", .methods = GET, .access = HTTP_PUBLIC),
    /* Whoever logs in is nobody yet; the others are asked for by the resource. */
    ROUTE(redfish_handle, .path = REDFISH_ROOT "/SessionService/Sessions", .methods = GET | POST,
          .access = HTTP_PUBLIC, .body_max = SMALL_MAX),
    /* One's own session and account. */
    ROUTE(redfish_handle, .path = REDFISH_ROOT "/SessionService/Sessions", .below = true,
          .methods = GET | POST | PUT | PATCH | DELETE, .access = HTTP_OWN, .body_max = SMALL_MAX),
    ROUTE(redfish_handle, .path = REDFISH_ROOT "/AccountService/Accounts", .below = true,
          .methods = GET | POST | PUT | PATCH | DELETE, .access = HTTP_OWN, .body_max = SMALL_MAX),
    ROUTE(redfish_answer_events, .path = REDFISH_EVENTS_PATH, .methods = GET, .access = HTTP_READ),
    ROUTE(redfish_handle, .path = REDFISH_ROOT "/Oem/Innkeeper/Images", .methods = GET | POST,
          .access = HTTP_READ, .body_max = SMALL_MAX),
    ROUTE(redfish_handle, .path = REDFISH_ROOT "/Oem/Innkeeper/Images", .below = true,
          .methods = GET | PUT | DELETE, .access = HTTP_READ, .upload = &redfish_image_upload),
    ROUTE(redfish_handle, .path = "/redfish", .below = true,
          .methods = GET | POST | PUT | PATCH | DELETE, .access = HTTP_READ,
          .body_max = JSON_LENGTH_MAX),
};
