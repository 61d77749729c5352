/*
 * Managers: the host, which is this service, and for each VM its BMC, which is this service too.
 */
#include <stdio.h>
#include <string.h>

#include "manage/redfish/properties.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"
#include "manage/redfish/systems.h"

#define HOST_PATH "Managers/" REDFISH_HOST_ID
#define SECOND    UINT64_C(1000000000)
#define NIC_ID    "1"

static const char *const reset_types[] = {"ForceRestart", "ForceOff", NULL};

static bool is_host(const char *name)
{
    return strcmp(name, REDFISH_HOST_ID) == 0;
}

static void get_managers(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_MANAGERS, "Managers");
    redfish_member(call, HOST_PATH);
    for (unsigned i = 0; machine()->vm(i, &target->vm); i++) {
        /* A VM may be called as the host is; the host manages that one by its own name. */
        if (!is_host(target->vm.description.name)) {
            redfish_member(call, "Managers/%s", target->vm.description.name);
        }
    }
    redfish_end_members(call, target);
}

static void put_common(struct redfish_call *call, const char *name, const char *model)
{
    const struct machine_host *host = redfish_host(call);
    struct json_writer *json = &call->json;

    json_add_string(json, "ManagerType", "BMC");
    json_add_string(json, "Manufacturer", "Innkeeper");
    json_add_string(json, "Model", model);
    json_add_string(json, "FirmwareVersion", host->version);
    redfish_put_uuid(call, "manager", name);
    json_add_string(json, "PowerState", "On");
    redfish_put_status(call, "Enabled", "OK");
    json_volatile(json);
    redfish_put_time(call, "DateTime", host->uptime);
    json_stable(json);
    json_add_string(json, "DateTimeLocalOffset", "+00:00");
}

static void put_console(struct json_writer *json)
{
    static const char *const types[] = {"Oem", NULL};

    json_add_object(json, "SerialConsole");
    json_add_bool(json, "ServiceEnabled", true);
    json_add_strings(json, "ConnectTypesSupported", types);
    json_end_object(json);
}

static void get_manager_of_vm(struct redfish_call *call, struct redfish_target *target)
{
    const char *name = target->name;
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_MANAGER, name, "Manager");
    put_common(call, name, "Innkeeper");
    put_console(json);
    redfish_begin_links(call);
    json_add_array(json, "ManagerForServers");
    redfish_put_link(call, "Systems/%s", name);
    json_end_array(json);
    redfish_end_links(call);
    json_add_object(json, "Oem");
    json_add_object(json, "Innkeeper");
    json_add_format(json, "ConsoleUri", "/console/%s", name);
    json_end_object(json);
    json_end_object(json);
}

static void put_network(struct json_writer *json, const struct net_status *network)
{
    json_add_object(json, "Network");
    json_add_string(json, "Chip", network->name);
    json_add_number(json, "ReceivedFrames", network->counters.received);
    json_add_number(json, "ReceivedBytes", network->counters.received_bytes);
    json_add_number(json, "SentFrames", network->counters.sent);
    json_add_number(json, "SentBytes", network->counters.sent_bytes);
    json_end_object(json);
}

static void put_oem(struct redfish_call *call)
{
    const struct machine_host *host = redfish_host(call);
    struct json_writer *json = &call->json;

    json_add_object(json, "Oem");
    json_add_object(json, "Innkeeper");
    json_add_string(json, "CpuName", host->cpu_name);
    json_add_string(json, "Loader", host->loader);
    json_add_bool(json, "CanStartMachines", host->vmx);
    if (!host->vmx) {
        json_add_string(json, "WhyNot", host->why_not);
    }
    json_volatile(json);
    json_add_number(json, "UptimeSeconds", host->uptime / SECOND);
    if (host->network.name != NULL) {
        put_network(json, &host->network);
    }
    json_stable(json);
    json_end_object(json);
    json_end_object(json);
}

static void get_host(struct redfish_call *call, struct redfish_target *target)
{
    struct json_writer *json = &call->json;

    (void)target;
    redfish_header(call, SCHEMA_MANAGER, REDFISH_HOST_ID, "Host");
    put_common(call, "", "Innkeeper");
    redfish_link(call, "EthernetInterfaces", HOST_PATH "/EthernetInterfaces");
    redfish_link(call, "NetworkProtocol", HOST_PATH "/NetworkProtocol");
    redfish_link(call, "LogServices", HOST_PATH "/LogServices");
    redfish_begin_links(call);
    json_add_array(json, "ManagerForChassis");
    redfish_put_link(call, "Chassis/" REDFISH_HOST_ID);
    json_end_array(json);
    redfish_link(call, "ManagerInChassis", "Chassis/" REDFISH_HOST_ID);
    redfish_end_links(call);
    json_add_object(json, "Actions");
    json_add_object(json, "#Manager.Reset");
    json_add_string(json, "target", REDFISH_ROOT "/" HOST_PATH "/Actions/Manager.Reset");
    json_add_strings(json, "ResetType@Redfish.AllowableValues", reset_types);
    json_end_object(json);
    json_end_object(json);
    put_oem(call);
}

static void reset_host(struct redfish_call *call, struct redfish_target *target)
{
    static const struct property parameters[] = {{.name = "ResetType",
                                                  .type = PROPERTY_TEXT,
                                                  .size = 24,
                                                  .values = reset_types,
                                                  .required = true}};
    char type[24];
    char reason[MACHINE_REASON_SIZE] = "";
    uint32_t present;

    (void)target;
    if (!redfish_read_body(call, "Manager.Reset", parameters, PROPERTY_COUNT(parameters), type,
                           &present)) {
        return;
    }
    redfish_audit(call, "host: %s", type);
    int error = machine()->power(strcmp(type, reset_types[0]) == 0, reason, sizeof(reason));
    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_answer_nothing(call);
}

static bool has_network(const struct redfish_call *call, struct redfish_target *target)
{
    struct machine_host host;

    (void)call;
    (void)target;
    machine()->host(&host);
    return host.network.name != NULL;
}

static void get_interfaces(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_ETHERNET_INTERFACES, "Ethernet Interfaces");
    if (redfish_host(call)->network.name != NULL) {
        redfish_member(call, HOST_PATH "/EthernetInterfaces/" NIC_ID);
    }
    redfish_end_members(call, target);
}

/* "10.0.2.15/24" as address and mask. */
static void put_ipv4(struct json_writer *json, const struct net_status *network)
{
    char address[NET_ADDRESS_SIZE];
    uint32_t mask = 0;

    json_add_array(json, "IPv4Addresses");
    if (network->ipv4[0] != '\0') {
        memcpy(address, network->ipv4, sizeof(address));
        char *slash = strchr(address, '/');
        if (slash != NULL) {
            *slash = '\0';
            for (const char *c = slash + 1; *c >= '0' && *c <= '9'; c++) {
                mask = mask * 10 + (uint32_t)(*c - '0');
            }
            mask = mask == 0 ? 0 : UINT32_MAX << (32 - (mask > 32 ? 32 : mask));
        }
        json_begin_object(json);
        json_add_string(json, "Address", address);
        json_add_format(json, "SubnetMask", "%u.%u.%u.%u", mask >> 24, mask >> 16 & 0xff,
                        mask >> 8 & 0xff, mask & 0xff);
        if (network->gateway[0] != '\0') {
            json_add_string(json, "Gateway", network->gateway);
        }
        json_end_object(json);
    }
    json_end_array(json);
}

static void put_ipv6(struct json_writer *json, const struct net_status *network)
{
    json_add_array(json, "IPv6Addresses");
    for (unsigned i = 0; i < NET_ADDRESSES; i++) {
        const char *address = network->ipv6[i];
        bool local = strncmp(address, "FE80:", 5) == 0 || strncmp(address, "fe80:", 5) == 0;

        if (address[0] == '\0') {
            continue;
        }
        json_begin_object(json);
        json_add_string(json, "Address", address);
        json_add_number(json, "PrefixLength", 64);
        json_add_string(json, "AddressOrigin", local ? "LinkLocal" : "SLAAC");
        json_end_object(json);
    }
    json_end_array(json);
}

static bool find_interface(const struct redfish_call *call, struct redfish_target *target)
{
    return strcmp(target->name, NIC_ID) == 0 && has_network(call, target);
}

static void get_interface(struct redfish_call *call, struct redfish_target *target)
{
    const struct machine_host *host = redfish_host(call);
    const struct net_status *network = &host->network;
    const uint8_t *mac = network->mac;
    struct json_writer *json = &call->json;

    (void)target;
    redfish_header(call, SCHEMA_ETHERNET_INTERFACE, NIC_ID, "Management Network Interface");
    json_add_string(json, "Description", network->name);
    json_add_bool(json, "InterfaceEnabled", true);
    json_add_format(json, "MACAddress", "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)mac[0],
                    (unsigned)mac[1], (unsigned)mac[2], (unsigned)mac[3], (unsigned)mac[4],
                    (unsigned)mac[5]);
    json_add_string(json, "LinkStatus", network->link ? "LinkUp" : "LinkDown");
    json_add_string(json, "HostName", host->hostname);
    put_ipv4(json, network);
    put_ipv6(json, network);
    redfish_put_status(call, "Enabled", network->link ? "OK" : "Warning");
}

static void get_protocols(struct redfish_call *call, struct redfish_target *target)
{
    const struct machine_host *host = redfish_host(call);
    struct json_writer *json = &call->json;

    (void)target;
    redfish_header(call, SCHEMA_NETWORK_PROTOCOL, "NetworkProtocol", "Network Protocol");
    json_add_string(json, "HostName", host->hostname);
    json_add_format(json, "FQDN", "%s.local", host->hostname);
    json_add_object(json, "HTTPS");
    json_add_bool(json, "ProtocolEnabled", true);
    json_add_number(json, "Port", 443);
    json_end_object(json);
    redfish_put_status(call, "Enabled", "OK");
}

static void patch_protocols(struct redfish_call *call, struct redfish_target *target)
{
    static const struct property properties[] = {
        {.name = "HostName",
         .type = PROPERTY_TEXT,
         .size = sizeof(((struct machine_host *)NULL)->hostname),
         .required = true},
        {.name = "FQDN", .type = PROPERTY_READ_ONLY},
        {.name = "HTTPS", .type = PROPERTY_READ_ONLY},
    };
    char name[sizeof(call->host.hostname)] = "";
    char reason[MACHINE_REASON_SIZE] = "";
    uint32_t present;

    if (!redfish_read_body(call, NULL, properties, PROPERTY_COUNT(properties), name, &present)) {
        return;
    }
    int error = machine()->set_hostname(name, reason, sizeof(reason));
    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_audit(call, "host name set to %s", name);
    call->host_known = false;
    redfish_answer_changed(call, target);
}

static const struct redfish_resource table[] = {
    {.pattern = "Managers", .get = get_managers},
    {.pattern = HOST_PATH, .get = get_host},
    {.pattern = HOST_PATH "/Actions/Manager.Reset", .post = reset_host},
    {.pattern = HOST_PATH "/EthernetInterfaces", .get = get_interfaces},
    {.pattern = HOST_PATH "/EthernetInterfaces/*", .find = find_interface, .get = get_interface},
    {.pattern = HOST_PATH "/NetworkProtocol",
     .find = has_network,
     .get = get_protocols,
     .patch = patch_protocols},
    {.pattern = "Managers/*", .find = system_find, .get = get_manager_of_vm},
};

const struct redfish_resources manager_resources = REDFISH_RESOURCES(table);
