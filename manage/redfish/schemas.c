#include "manage/redfish/schemas.h"

#include <stdio.h>
#include <string.h>

#define PUBLISHED "http://redfish.dmtf.org/schemas/v1/"

struct schema_type {
    const char *name;
    const char *version; /* "" of collections, which have none */
    bool ours;
};

static const struct schema_type types[SCHEMAS] = {
    [SCHEMA_ACCOUNT] = {"ManagerAccount", "v1_9_0", false},
    [SCHEMA_ACCOUNTS] = {"ManagerAccountCollection", "", false},
    [SCHEMA_ACCOUNT_SERVICE] = {"AccountService", "v1_11_0", false},
    [SCHEMA_ACTION_INFO] = {"ActionInfo", "v1_2_0", false},
    [SCHEMA_CHASSIS] = {"Chassis", "v1_20_0", false},
    [SCHEMA_CHASSIS_COLLECTION] = {"ChassisCollection", "", false},
    [SCHEMA_ETHERNET_INTERFACE] = {"EthernetInterface", "v1_8_0", false},
    [SCHEMA_ETHERNET_INTERFACES] = {"EthernetInterfaceCollection", "", false},
    [SCHEMA_EVENT] = {"Event", "v1_7_0", false},
    [SCHEMA_EVENT_SERVICE] = {"EventService", "v1_7_2", false},
    [SCHEMA_JSON_SCHEMA_FILE] = {"JsonSchemaFile", "v1_1_4", false},
    [SCHEMA_JSON_SCHEMA_FILES] = {"JsonSchemaFileCollection", "", false},
    [SCHEMA_LOG_ENTRIES] = {"LogEntryCollection", "", false},
    [SCHEMA_LOG_ENTRY] = {"LogEntry", "v1_11_0", false},
    [SCHEMA_LOG_SERVICE] = {"LogService", "v1_3_0", false},
    [SCHEMA_LOG_SERVICES] = {"LogServiceCollection", "", false},
    [SCHEMA_MANAGER] = {"Manager", "v1_15_0", false},
    [SCHEMA_MANAGERS] = {"ManagerCollection", "", false},
    [SCHEMA_MEMORY] = {"Memory", "v1_14_0", false},
    [SCHEMA_MEMORY_COLLECTION] = {"MemoryCollection", "", false},
    [SCHEMA_MESSAGE_REGISTRY] = {"MessageRegistry", "v1_5_0", false},
    [SCHEMA_MESSAGE_REGISTRY_FILE] = {"MessageRegistryFile", "v1_1_3", false},
    [SCHEMA_MESSAGE_REGISTRY_FILES] = {"MessageRegistryFileCollection", "", false},
    [SCHEMA_NETWORK_PROTOCOL] = {"ManagerNetworkProtocol", "v1_8_0", false},
    [SCHEMA_PROCESSOR] = {"Processor", "v1_14_0", false},
    [SCHEMA_PROCESSORS] = {"ProcessorCollection", "", false},
    [SCHEMA_ROLE] = {"Role", "v1_3_1", false},
    [SCHEMA_ROLES] = {"RoleCollection", "", false},
    [SCHEMA_ROOT] = {"ServiceRoot", "v1_14_0", false},
    [SCHEMA_SENSOR] = {"Sensor", "v1_5_0", false},
    [SCHEMA_SENSORS] = {"SensorCollection", "", false},
    [SCHEMA_SESSION] = {"Session", "v1_5_0", false},
    [SCHEMA_SESSIONS] = {"SessionCollection", "", false},
    [SCHEMA_SESSION_SERVICE] = {"SessionService", "v1_1_8", false},
    [SCHEMA_SYSTEM] = {"ComputerSystem", "v1_18_0", false},
    [SCHEMA_SYSTEMS] = {"ComputerSystemCollection", "", false},
    [SCHEMA_TASK] = {"Task", "v1_6_0", false},
    [SCHEMA_TASKS] = {"TaskCollection", "", false},
    [SCHEMA_TASK_SERVICE] = {"TaskService", "v1_2_0", false},
    [SCHEMA_IMAGE] = {"InnkeeperImage", "v1_0_0", true},
    [SCHEMA_IMAGES] = {"InnkeeperImageCollection", "", true},
};

void schema_write_type(struct json_writer *json, enum schema schema)
{
    const struct schema_type *type = &types[schema];

    json_add_format(json, "@odata.type", "#%s%s%s.%s", type->name, type->version[0] ? "." : "",
                    type->version, type->name);
}

static void get_files(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_JSON_SCHEMA_FILES, "JSON Schemas");
    for (unsigned i = 0; i < SCHEMAS; i++) {
        if (!types[i].ours) {
            redfish_member(call, "JsonSchemas/%s", types[i].name);
        }
    }
    redfish_end_members(call, target);
}

static const struct schema_type *find_type(const char *name)
{
    for (unsigned i = 0; i < SCHEMAS; i++) {
        if (!types[i].ours && strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

static bool find_file(const struct redfish_call *call, struct redfish_target *target)
{
    (void)call;
    return find_type(target->name) != NULL;
}

/* `uri` of a file that DMTF publishes, NULL: it is in `local`. */
static void put_location(struct json_writer *json, const char *local, const char *uri)
{
    json_add_array(json, "Location");
    json_begin_object(json);
    json_add_string(json, "Language", "en");
    if (local != NULL) {
        json_add_string(json, "Uri", local);
    } else {
        json_add_string(json, "PublicationUri", uri);
    }
    json_end_object(json);
    json_end_array(json);
}

static void get_file(struct redfish_call *call, struct redfish_target *target)
{
    const struct schema_type *type = find_type(target->name);
    const char *dot = type->version[0] != '\0' ? "." : "";
    char uri[128];

    redfish_header(call, SCHEMA_JSON_SCHEMA_FILE, type->name, type->name);
    json_add_format(&call->json, "Schema", "#%s%s%s.%s", type->name, dot, type->version,
                    type->name);
    json_add_array(&call->json, "Languages");
    json_put_string(&call->json, "en");
    json_end_array(&call->json);
    snprintf(uri, sizeof(uri), PUBLISHED "%s%s%s.json", type->name, dot, type->version);
    put_location(&call->json, NULL, uri);
}

static void get_registries(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_MESSAGE_REGISTRY_FILES, "Message Registries");
    redfish_member(call, "Registries/Base");
    redfish_member(call, "Registries/Innkeeper");
    redfish_end_members(call, target);
}

static void put_registry(struct redfish_call *call, const char *id, const char *registry,
                         const char *local, const char *uri)
{
    redfish_header(call, SCHEMA_MESSAGE_REGISTRY_FILE, id, registry);
    json_add_string(&call->json, "Registry", registry);
    json_add_array(&call->json, "Languages");
    json_put_string(&call->json, "en");
    json_end_array(&call->json);
    put_location(&call->json, local, uri);
}

static void get_base(struct redfish_call *call, struct redfish_target *target)
{
    (void)target;
    put_registry(call, "Base", "Base.1.13", NULL,
                 "https://redfish.dmtf.org/registries/Base.1.13.0.json");
}

static void get_ours(struct redfish_call *call, struct redfish_target *target)
{
    (void)target;
    put_registry(call, "Innkeeper", "Innkeeper.1.0", REDFISH_ROOT "/Registries/Innkeeper/Messages",
                 NULL);
}

static void get_messages(struct redfish_call *call, struct redfish_target *target)
{
    (void)target;
    schema_write_type(&call->json, SCHEMA_MESSAGE_REGISTRY);
    message_write_registry(&call->json);
}

static const struct redfish_resource table[] = {
    {.pattern = "JsonSchemas", .get = get_files},
    {.pattern = "JsonSchemas/*", .find = find_file, .get = get_file},
    {.pattern = "Registries", .get = get_registries},
    {.pattern = "Registries/Base", .get = get_base},
    {.pattern = "Registries/Innkeeper", .get = get_ours},
    {.pattern = "Registries/Innkeeper/Messages", .get = get_messages},
};

const struct redfish_resources schema_resources = REDFISH_RESOURCES(table);

static void put(struct http_answer *answer, const char *text)
{
    http_write(answer, text, strlen(text));
}

void schema_answer_metadata(const struct http_request *request, struct http_answer *answer)
{
    char line[512];

    (void)request;
    http_add_field(answer, "Content-Type", "application/xml");
    http_add_field(answer, "OData-Version", "4.0");
    put(answer, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<edmx:Edmx "
                "xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\" Version=\"4.0\">\n");
    for (unsigned i = 0; i < SCHEMAS; i++) {
        const struct schema_type *type = &types[i];

        if (type->ours) {
            continue;
        }
        snprintf(line, sizeof(line),
                 "  <edmx:Reference Uri=\"" PUBLISHED "%s%s.xml\">\n"
                 "    <edmx:Include Namespace=\"%s\"/>\n",
                 type->name, "_v1", type->name);
        put(answer, line);
        if (type->version[0] != '\0') {
            snprintf(line, sizeof(line), "    <edmx:Include Namespace=\"%s.%s\"/>\n", type->name,
                     type->version);
            put(answer, line);
        }
        put(answer, "  </edmx:Reference>\n");
    }
    snprintf(line, sizeof(line),
             "  <edmx:DataServices>\n"
             "    <Schema xmlns=\"http://docs.oasis-open.org/odata/ns/edm\" "
             "Namespace=\"Service\">\n"
             "      <EntityContainer Name=\"Service\" Extends=\"%s.%s.ServiceContainer\"/>\n"
             "    </Schema>\n  </edmx:DataServices>\n</edmx:Edmx>\n",
             types[SCHEMA_ROOT].name, types[SCHEMA_ROOT].version);
    put(answer, line);
}
