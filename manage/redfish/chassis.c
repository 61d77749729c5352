/*
 * Chassis: the machine itself, with the readings that there really are.
 */
#include <string.h>

#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"

#define CHASSIS_PATH "Chassis/" REDFISH_HOST_ID
#define SECOND       UINT64_C(1000000000)

static const char cpu_use[] = "CpuUse";
static const char memory_use[] = "MemoryUse";

static void get_collection(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_CHASSIS_COLLECTION, "Chassis");
    redfish_member(call, CHASSIS_PATH);
    redfish_end_members(call, target);
}

static void put_readings(struct redfish_call *call)
{
    const struct machine_host *host = redfish_host(call);
    struct json_writer *json = &call->json;
    struct machine_cpu cpu;

    json_add_object(json, "Oem");
    json_add_object(json, "Innkeeper");
    json_add_number(json, "MemoryBytes", host->memory);
    json_volatile(json);
    json_add_number(json, "MemoryFreeBytes", host->memory_free);
    json_add_number(json, "HeapUsedBytes", host->heap_used);
    json_add_number(json, "UptimeSeconds", host->uptime / SECOND);
    json_add_array(json, "Cpus");
    for (unsigned i = 0; machine()->cpu(i, &cpu); i++) {
        json_begin_object(json);
        json_add_number(json, "BusyTimeNanoseconds", cpu.busy_time);
        json_end_object(json);
    }
    json_end_array(json);
    json_stable(json);
    json_end_object(json);
    json_end_object(json);
}

static void get_chassis(struct redfish_call *call, struct redfish_target *target)
{
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_CHASSIS, REDFISH_HOST_ID, "Host");
    json_add_string(json, "ChassisType", "Other");
    json_add_string(json, "PowerState", "On");
    redfish_put_uuid(call, "chassis", "");
    redfish_put_status(call, "Enabled", "OK");
    redfish_link(call, "Sensors", CHASSIS_PATH "/Sensors");
    redfish_begin_links(call);
    json_add_array(json, "ComputerSystems");
    for (unsigned i = 0; machine()->vm(i, &target->vm); i++) {
        redfish_put_link(call, "Systems/%s", target->vm.description.name);
    }
    json_end_array(json);
    json_add_array(json, "ManagedBy");
    redfish_put_link(call, "Managers/" REDFISH_HOST_ID);
    json_end_array(json);
    redfish_end_links(call);
    put_readings(call);
}

static void get_sensors(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_SENSORS, "Sensors");
    redfish_member(call, CHASSIS_PATH "/Sensors/%s", cpu_use);
    redfish_member(call, CHASSIS_PATH "/Sensors/%s", memory_use);
    redfish_end_members(call, target);
}

struct cpu_sample {
    uint64_t time; /* ns since boot */
    uint64_t busy; /* ns, of all CPUs */
};

/* How busy the CPUs were, in tenths of a percent: between now and when somebody asked last, but at
 * least a second. */
static uint64_t measure_cpus(const struct machine_host *host)
{
    static struct cpu_sample older;
    static struct cpu_sample newer;
    struct cpu_sample now = {.time = host->uptime};
    struct machine_cpu cpu;

    for (unsigned i = 0; machine()->cpu(i, &cpu); i++) {
        now.busy += cpu.busy_time;
    }
    if (now.time - newer.time >= SECOND) {
        older = newer;
        newer = now;
    }
    uint64_t time = (now.time - older.time) * (host->cpus > 0 ? host->cpus : 1);
    uint64_t busy = now.busy - older.busy;
    /* Times are measured one after the other. */
    busy = busy < time ? busy : time;
    return time < 1000 ? 0 : busy / (time / 1000);
}

static bool find_sensor(const struct redfish_call *call, struct redfish_target *target)
{
    (void)call;
    return strcmp(target->name, cpu_use) == 0 || strcmp(target->name, memory_use) == 0;
}

static void get_sensor(struct redfish_call *call, struct redfish_target *target)
{
    const struct machine_host *host = redfish_host(call);
    bool is_cpu = strcmp(target->name, cpu_use) == 0;
    uint64_t memory = host->memory > 1000 ? host->memory : 1000;
    uint64_t reading =
        is_cpu ? measure_cpus(host) : (host->memory - host->memory_free) / (memory / 1000);
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_SENSOR, target->name, is_cpu ? "CPU use" : "Memory in use");
    json_add_string(json, "ReadingType", "Percent");
    json_add_string(json, "ReadingUnits", "%");
    json_add_number(json, "ReadingRangeMin", 0);
    json_add_number(json, "ReadingRangeMax", 100);
    json_volatile(json);
    json_add_decimal(json, "Reading", reading < 1000 ? reading : 1000, 1);
    json_stable(json);
    redfish_put_status(call, "Enabled", "OK");
}

static const struct redfish_resource table[] = {
    {.pattern = "Chassis", .get = get_collection},
    {.pattern = CHASSIS_PATH, .get = get_chassis},
    {.pattern = CHASSIS_PATH "/Sensors", .get = get_sensors},
    {.pattern = CHASSIS_PATH "/Sensors/*", .find = find_sensor, .get = get_sensor},
};

const struct redfish_resources chassis_resources = REDFISH_RESOURCES(table);
