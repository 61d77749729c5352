/*
 * The types of our resources, with the versions of their schemas as of 2022.
 */
#ifndef MANAGE_REDFISH_SCHEMAS_H
#define MANAGE_REDFISH_SCHEMAS_H

#include "manage/redfish/json_writer.h"
#include "manage/redfish/resource.h"

enum schema {
    SCHEMA_ACCOUNT,
    SCHEMA_ACCOUNTS,
    SCHEMA_ACCOUNT_SERVICE,
    SCHEMA_ACTION_INFO,
    SCHEMA_CHASSIS,
    SCHEMA_CHASSIS_COLLECTION,
    SCHEMA_ETHERNET_INTERFACE,
    SCHEMA_ETHERNET_INTERFACES,
    SCHEMA_EVENT,
    SCHEMA_EVENT_SERVICE,
    SCHEMA_JSON_SCHEMA_FILE,
    SCHEMA_JSON_SCHEMA_FILES,
    SCHEMA_LOG_ENTRIES,
    SCHEMA_LOG_ENTRY,
    SCHEMA_LOG_SERVICE,
    SCHEMA_LOG_SERVICES,
    SCHEMA_MANAGER,
    SCHEMA_MANAGERS,
    SCHEMA_MEMORY,
    SCHEMA_MEMORY_COLLECTION,
    SCHEMA_MESSAGE_REGISTRY,
    SCHEMA_MESSAGE_REGISTRY_FILE,
    SCHEMA_MESSAGE_REGISTRY_FILES,
    SCHEMA_NETWORK_PROTOCOL,
    SCHEMA_PROCESSOR,
    SCHEMA_PROCESSORS,
    SCHEMA_ROLE,
    SCHEMA_ROLES,
    SCHEMA_ROOT,
    SCHEMA_SENSOR,
    SCHEMA_SENSORS,
    SCHEMA_SESSION,
    SCHEMA_SESSIONS,
    SCHEMA_SESSION_SERVICE,
    SCHEMA_SYSTEM,
    SCHEMA_SYSTEMS,
    SCHEMA_TASK,
    SCHEMA_TASKS,
    SCHEMA_TASK_SERVICE,
    SCHEMA_IMAGE,
    SCHEMA_IMAGES,
    SCHEMAS
};

/** The member @odata.type. */
void schema_write_type(struct json_writer *json, enum schema schema);

/** The OData metadata document: where each type is described. */
void schema_answer_metadata(const struct http_request *request, struct http_answer *answer);

extern const struct redfish_resources schema_resources;

#endif
