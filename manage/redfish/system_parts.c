/*
 * What a VM consists of, as collections below its System.
 */
#include <string.h>

#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"
#include "manage/redfish/systems.h"

#define MIB UINT64_C(0x100000)

static const char only_processor[] = "CPU";
static const char only_memory[] = "RAM";

static void get_processors(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_PROCESSORS, "Processors");
    redfish_member(call, "Systems/%s/Processors/%s", target->name, only_processor);
    redfish_end_members(call, target);
}

/* A guest sees one package, with a core for each vCPU. */
static void get_processor(struct redfish_call *call, struct redfish_target *target)
{
    const struct machine_host *host = redfish_host(call);
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_PROCESSOR, only_processor, "Processor");
    json_add_string(json, "Socket", only_processor);
    json_add_string(json, "ProcessorType", "CPU");
    json_add_string(json, "ProcessorArchitecture", "x86");
    json_add_string(json, "InstructionSet", "x86-64");
    json_add_string(json, "Model", host->cpu_name);
    json_add_number(json, "MaxSpeedMHz", host->tsc_hz / 1000000);
    json_add_number(json, "TotalCores", target->vm.description.vcpus);
    json_add_number(json, "TotalThreads", target->vm.description.vcpus);
    redfish_put_status(call, "Enabled", "OK");
}

static void get_memories(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_MEMORY_COLLECTION, "Memory");
    redfish_member(call, "Systems/%s/Memory/%s", target->name, only_memory);
    redfish_end_members(call, target);
}

static void get_memory(struct redfish_call *call, struct redfish_target *target)
{
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_MEMORY, only_memory, "Memory");
    json_add_string(json, "MemoryType", "DRAM");
    json_add_number(json, "CapacityMiB", target->vm.description.memory / MIB);
    redfish_put_status(call, "Enabled", "OK");
}

static void get_interfaces(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_ETHERNET_INTERFACES, "Ethernet Interfaces");
    redfish_end_members(call, target);
}

static void get_reset_info(struct redfish_call *call, struct redfish_target *target)
{
    struct json_writer *json = &call->json;

    (void)target;
    redfish_header(call, SCHEMA_ACTION_INFO, "ResetActionInfo", "Reset Action Info");
    json_add_array(json, "Parameters");
    json_begin_object(json);
    json_add_string(json, "Name", "ResetType");
    json_add_bool(json, "Required", true);
    json_add_string(json, "DataType", "String");
    json_add_strings(json, "AllowableValues", system_reset_types);
    json_end_object(json);
    json_end_array(json);
}

static bool find_processor(const struct redfish_call *call, struct redfish_target *target)
{
    return strcmp(target->second, only_processor) == 0 && system_find(call, target);
}

static bool find_memory(const struct redfish_call *call, struct redfish_target *target)
{
    return strcmp(target->second, only_memory) == 0 && system_find(call, target);
}

static const struct redfish_resource table[] = {
    {.pattern = "Systems/*/Processors", .find = system_find, .get = get_processors},
    {.pattern = "Systems/*/Processors/*", .find = find_processor, .get = get_processor},
    {.pattern = "Systems/*/Memory", .find = system_find, .get = get_memories},
    {.pattern = "Systems/*/Memory/*", .find = find_memory, .get = get_memory},
    {.pattern = "Systems/*/EthernetInterfaces", .find = system_find, .get = get_interfaces},
    {.pattern = "Systems/*/ResetActionInfo", .find = system_find, .get = get_reset_info},
};

const struct redfish_resources system_part_resources = REDFISH_RESOURCES(table);
