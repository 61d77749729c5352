/*
 * The tables of all resources.
 */
#ifndef MANAGE_REDFISH_RESOURCES_H
#define MANAGE_REDFISH_RESOURCES_H

#include "manage/redfish/resource.h"

extern const struct redfish_resources *const redfish_tables[];
extern const unsigned redfish_table_count;

extern const struct redfish_resources root_resources;
extern const struct redfish_resources session_resources;
extern const struct redfish_resources account_resources;
extern const struct redfish_resources chassis_resources;
extern const struct redfish_resources event_resources;
extern const struct redfish_resources image_resources;
extern const struct redfish_resources log_resources;
extern const struct redfish_resources manager_resources;
extern const struct redfish_resources system_resources;
extern const struct redfish_resources system_part_resources;
extern const struct redfish_resources task_resources;

#endif
