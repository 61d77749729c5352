/*
 * Systems: each VM as a computer.
 */
#include "manage/redfish/systems.h"

#include <string.h>

#include "manage/consoles/tcp_consoles.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"

#define KIB UINT64_C(1024)

static const char *const power_states[] = {
    [MACHINE_DEFINED] = "Off",
    [MACHINE_RUNNING] = "On",
    [MACHINE_PAUSED] = "Paused",
    [MACHINE_STOPPED] = "Off",
};

static const char *const states[] = {
    [MACHINE_DEFINED] = "defined",
    [MACHINE_RUNNING] = "running",
    [MACHINE_PAUSED] = "paused",
    [MACHINE_STOPPED] = "stopped",
};

const char *const system_reset_types[] = {"On",
                                          "ForceOff",
                                          "GracefulShutdown",
                                          "GracefulRestart",
                                          "ForceRestart",
                                          "PowerCycle",
                                          "PushPowerButton",
                                          "Nmi",
                                          "Pause",
                                          "Resume",
                                          NULL};

static const char *const boot_enabled[] = {
    [MACHINE_OVERRIDE_DISABLED] = "Disabled",
    [MACHINE_OVERRIDE_ONCE] = "Once",
    [MACHINE_OVERRIDE_ON] = "Continuous",
};
static const char *const boot_enabled_values[] = {"Disabled", "Once", "Continuous", NULL};
const char *const system_boot_targets[] = {"None", "UefiHttp", NULL};
const char *const system_boot_modes[] = {"UEFI", NULL};

static void get_systems(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_SYSTEMS, "Virtual Machines");
    /* Its own VM serves to name the members: a collection has none. */
    for (unsigned i = 0; machine()->vm(i, &target->vm); i++) {
        redfish_member(call, "Systems/%s", target->vm.description.name);
    }
    redfish_end_members(call, target);
}

bool system_find(const struct redfish_call *call, struct redfish_target *target)
{
    (void)call;
    return machine()->find_vm(target->name, &target->vm);
}

/* It ended by a fault, rather than by anybody's will. */
static bool has_failed(const struct machine_vm *vm)
{
    static const char *const faults[] = {"triple fault", "cannot emulate", "VM entry failed"};

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (vm->state == MACHINE_STOPPED &&
            strncmp(vm->stop_reason, faults[i], strlen(faults[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void put_state(struct redfish_call *call, const struct machine_vm *vm)
{
    const char *state = "Disabled";

    if (vm->starting) {
        state = "Starting";
    } else if (vm->state == MACHINE_RUNNING) {
        state = "Enabled";
    } else if (vm->state == MACHINE_PAUSED) {
        state = "Quiesced";
    }
    json_add_string(&call->json, "PowerState",
                    vm->starting ? "PoweringOn" : power_states[vm->state]);
    redfish_put_status(call, state, has_failed(vm) ? "Critical" : "OK");
}

static void put_boot(struct json_writer *json, const struct machine_boot *boot)
{
    bool on = boot->override != MACHINE_OVERRIDE_DISABLED;

    json_add_object(json, "Boot");
    json_add_string(json, "BootSourceOverrideEnabled", boot_enabled[boot->override]);
    json_add_strings(json, "BootSourceOverrideEnabled@Redfish.AllowableValues",
                     boot_enabled_values);
    json_add_string(json, "BootSourceOverrideTarget", system_boot_targets[on ? 1 : 0]);
    json_add_strings(json, "BootSourceOverrideTarget@Redfish.AllowableValues", system_boot_targets);
    json_add_string(json, "BootSourceOverrideMode", system_boot_modes[0]);
    json_add_strings(json, "BootSourceOverrideMode@Redfish.AllowableValues", system_boot_modes);
    json_add_string(json, "HttpBootUri", boot->url);
    json_end_object(json);
}

static void put_hardware(struct redfish_call *call, const struct vm_description *description)
{
    struct json_writer *json = &call->json;

    json_add_object(json, "ProcessorSummary");
    json_add_number(json, "Count", 1);
    json_add_number(json, "CoreCount", description->vcpus);
    json_add_number(json, "LogicalProcessorCount", description->vcpus);
    json_add_string(json, "Model", redfish_host(call)->cpu_name);
    json_end_object(json);
    json_add_object(json, "MemorySummary");
    json_add_decimal(json, "TotalSystemMemoryGiB", description->memory / KIB * 1000 / (KIB * KIB),
                     3);
    json_end_object(json);
}

/* What Redfish knows of consoles; ours by WebSocket is Oem's. */
static void put_console(struct json_writer *json, uint64_t vm)
{
    uint16_t port = tcp_console_port(vm, true);

    json_add_object(json, "SerialConsole");
    json_add_object(json, "Telnet");
    json_add_bool(json, "ServiceEnabled", port != 0);
    if (port != 0) {
        json_add_number(json, "Port", port);
    }
    json_end_object(json);
    json_end_object(json);
}

static void put_actions(struct redfish_call *call, const char *name)
{
    struct json_writer *json = &call->json;

    json_add_object(json, "Actions");
    json_add_object(json, "#ComputerSystem.Reset");
    json_add_format(json, "target", REDFISH_ROOT "/Systems/%s/Actions/ComputerSystem.Reset", name);
    json_add_format(json, "@Redfish.ActionInfo", REDFISH_ROOT "/Systems/%s/ResetActionInfo", name);
    json_add_strings(json, "ResetType@Redfish.AllowableValues", system_reset_types);
    json_end_object(json);
    json_end_object(json);
}

static void put_description(struct json_writer *json, const struct vm_description *description)
{
    json_add_object(json, "Description");
    json_add_string(json, description->boot == BOOT_KIND_LINUX ? "Kernel" : "Image",
                    description->image);
    if (description->initrd[0] != '\0') {
        json_add_string(json, "Initrd", description->initrd);
    }
    json_add_string(json, "Cmdline", description->cmdline);
    if (description->module_count > 0) {
        json_add_array(json, "Modules");
        for (unsigned i = 0; i < description->module_count; i++) {
            json_put_string(json, description->modules[i].name);
        }
        json_end_array(json);
    }
    json_add_bool(json, "Autostart", description->autostart);
    json_end_object(json);
}

static void put_share(struct json_writer *json, const struct sched_description *sched)
{
    json_add_object(json, "Sched");
    json_add_number(json, "Weight", sched->weight);
    json_key(json, "Cap");
    if (sched->cap > 0) {
        json_put_number(json, sched->cap);
    } else {
        json_put_null(json);
    }
    json_end_object(json);
}

static void put_exits(struct json_writer *json, const char *name)
{
    static struct exit_statistics exits[VM_EXIT_KINDS]; /* too large for a stack */
    bool known = machine()->exits(name, exits);

    json_add_object(json, "ExitsByReason");
    for (enum vm_exit_kind kind = 0; known && kind < VM_EXIT_KINDS; kind++) {
        if (exits[kind].count > 0) {
            json_add_number(json, vm_exit_kind_name(kind), exits[kind].count);
        }
    }
    json_end_object(json);
}

static void put_vcpus(struct json_writer *json, const struct machine_vm *vm)
{
    static const char *const activities[] = {
        [VCPU_IS_STOPPED] = "stopped", [VCPU_IS_PAUSED] = "paused", [VCPU_IS_RUNNING] = "running",
        [VCPU_IS_READY] = "ready",     [VCPU_IS_HALTED] = "halted", [VCPU_IS_OFFLINE] = "offline",
    };

    json_add_array(json, "VcpuStatistics");
    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        const struct vcpu_statistics *vcpu = &vm->vcpus[i];

        json_begin_object(json);
        json_add_string(json, "State", activities[vcpu->activity]);
        json_key(json, "Cpu");
        if (vcpu->cpu >= 0) {
            json_put_signed(json, vcpu->cpu);
        } else {
            json_put_null(json);
        }
        json_add_number(json, "CpuTimeNanoseconds", vcpu->run_time);
        json_add_number(json, "Exits", vcpu->exits);
        json_end_object(json);
    }
    json_end_array(json);
}

static void put_statistics(struct json_writer *json, const struct machine_vm *vm)
{
    uint64_t run_time = 0;
    uint64_t exits = 0;

    for (unsigned i = 0; i < vm->description.vcpus; i++) {
        run_time += vm->vcpus[i].run_time;
        exits += vm->vcpus[i].exits;
    }
    json_volatile(json);
    json_add_number(json, "MemoryTouchedBytes", vm->memory_touched);
    json_add_number(json, "CpuTimeNanoseconds", run_time);
    json_add_number(json, "StealTimeNanoseconds", vm->steal_time);
    json_add_number(json, "ConsoleBytes", vm->console_bytes);
    json_add_number(json, "Exits", exits);
    if (exits > 0) {
        put_exits(json, vm->description.name);
    }
    put_vcpus(json, vm);
    json_stable(json);
}

static void put_oem(struct redfish_call *call, const struct machine_vm *vm)
{
    const struct vm_description *description = &vm->description;
    struct json_writer *json = &call->json;

    json_add_object(json, "Oem");
    json_add_object(json, "Innkeeper");
    json_add_string(json, "State", states[vm->state]);
    json_add_number(json, "Vcpus", description->vcpus);
    json_add_number(json, "MemoryBytes", description->memory);
    put_share(json, &description->sched);
    put_description(json, description);
    json_add_format(json, "ConsoleUri", "/console/%s", description->name);
    json_add_string(json, "StopReason", vm->stop_reason);
    json_add_number(json, "Starts", vm->starts);
    if (vm->started_at != 0) {
        redfish_put_time(call, "StartedAt", vm->started_at);
    }
    put_statistics(json, vm);
    json_end_object(json);
    json_end_object(json);
}

static void get_system(struct redfish_call *call, struct redfish_target *target)
{
    const struct machine_vm *vm = &target->vm;
    const char *name = vm->description.name;
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_SYSTEM, name, name);
    json_add_string(json, "SystemType", "Virtual");
    json_add_string(json, "Manufacturer", "Innkeeper");
    json_add_string(json, "Model", "Virtual Machine");
    redfish_put_uuid(call, "vm", name);
    put_state(call, vm);
    put_boot(json, &vm->boot);
    put_hardware(call, &vm->description);
    put_console(json, vm->id);
    redfish_link(call, "Processors", "Systems/%s/Processors", name);
    redfish_link(call, "Memory", "Systems/%s/Memory", name);
    redfish_link(call, "EthernetInterfaces", "Systems/%s/EthernetInterfaces", name);
    redfish_link(call, "LogServices", "Systems/%s/LogServices", name);
    redfish_begin_links(call);
    json_add_array(json, "Chassis");
    redfish_put_link(call, "Chassis/innkeeper");
    json_end_array(json);
    json_add_array(json, "ManagedBy");
    redfish_put_link(call, "Managers/%s", name);
    json_end_array(json);
    redfish_end_links(call);
    put_actions(call, name);
    put_oem(call, vm);
}

static const struct redfish_resource table[] = {
    {.pattern = "Systems", .get = get_systems, .post = system_create},
    {.pattern = "Systems/*",
     .find = system_find,
     .get = get_system,
     .patch = system_change,
     .remove = system_delete},
    {.pattern = "Systems/*/Actions/ComputerSystem.Reset",
     .find = system_find,
     .post = system_reset},
};

const struct redfish_resources system_resources = REDFISH_RESOURCES(table);
