/*
 * What changes VMs: POST, PATCH, DELETE and the Reset action.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "manage/redfish/properties.h"
#include "manage/redfish/systems.h"

#define WORD_SIZE 24u /* of values from a list */

void system_create(struct redfish_call *call, struct redfish_target *target)
{
    char name[DESCRIPTION_NAME_SIZE];
    char reason[MACHINE_REASON_SIZE] = "";
    char path[REDFISH_PATH_SIZE];

    (void)target;
    int error = machine()->define(call->request->body, call->request->body_length, name, reason,
                                  sizeof(reason));
    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_audit(call, "vm %s defined", name);
    snprintf(path, sizeof(path), REDFISH_ROOT "/Systems/%s", name);
    redfish_answer_created(call, path);
}

void system_delete(struct redfish_call *call, struct redfish_target *target)
{
    char reason[MACHINE_REASON_SIZE] = "";
    int error = machine()->delete (target->name, reason, sizeof(reason));

    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_audit(call, "vm %s deleted", target->name);
    redfish_answer_nothing(call);
}

/* What a PATCH may have, and which of it was there. */
struct change {
    char enabled[WORD_SIZE];
    char target[WORD_SIZE];
    char mode[WORD_SIZE];
    char url[MACHINE_URL_SIZE];
    uint64_t weight;
    uint64_t cap;
};

enum { HAS_ENABLED = 1, HAS_TARGET = 2, HAS_URL = 4, HAS_SHARE = 8, HAS_MODE = 16 };

static const char *const enabled_values[] = {"Disabled", "Once", "Continuous", NULL};

static const struct property boot_properties[] = {
    {.name = "BootSourceOverrideEnabled",
     .type = PROPERTY_TEXT,
     .offset = offsetof(struct change, enabled),
     .size = WORD_SIZE,
     .values = enabled_values,
     .present = HAS_ENABLED},
    {.name = "BootSourceOverrideTarget",
     .type = PROPERTY_TEXT,
     .offset = offsetof(struct change, target),
     .size = WORD_SIZE,
     .values = system_boot_targets,
     .present = HAS_TARGET},
    {.name = "BootSourceOverrideMode",
     .type = PROPERTY_TEXT,
     .offset = offsetof(struct change, mode),
     .size = WORD_SIZE,
     .values = system_boot_modes,
     .present = HAS_MODE},
    {.name = "HttpBootUri",
     .type = PROPERTY_TEXT,
     .offset = offsetof(struct change, url),
     .size = MACHINE_URL_SIZE,
     .nullable = true,
     .present = HAS_URL},
};

static const struct property share_properties[] = {
    {.name = "Weight",
     .type = PROPERTY_NUMBER,
     .offset = offsetof(struct change, weight),
     .min = DESCRIPTION_WEIGHT_MIN,
     .max = DESCRIPTION_WEIGHT_MAX,
     .present = HAS_SHARE},
    {.name = "Cap",
     .type = PROPERTY_NUMBER,
     .offset = offsetof(struct change, cap),
     .min = 1,
     .max = (uint64_t)DESCRIPTION_CAP_PERCENT_MAX * DESCRIPTION_VCPUS_MAX,
     .present = HAS_SHARE},
};

static const struct property innkeeper_properties[] = {
    {.name = "Sched",
     .type = PROPERTY_OBJECT,
     .members = share_properties,
     .member_count = PROPERTY_COUNT(share_properties)},
    {.name = "State", .type = PROPERTY_READ_ONLY},
    {.name = "Vcpus", .type = PROPERTY_READ_ONLY},
    {.name = "MemoryBytes", .type = PROPERTY_READ_ONLY},
};

static const struct property oem_properties[] = {
    {.name = "Innkeeper",
     .type = PROPERTY_OBJECT,
     .members = innkeeper_properties,
     .member_count = PROPERTY_COUNT(innkeeper_properties)},
};

static const struct property system_properties[] = {
    {.name = "Boot",
     .type = PROPERTY_OBJECT,
     .members = boot_properties,
     .member_count = PROPERTY_COUNT(boot_properties)},
    {.name = "Oem",
     .type = PROPERTY_OBJECT,
     .members = oem_properties,
     .member_count = PROPERTY_COUNT(oem_properties)},
    {.name = "Id", .type = PROPERTY_READ_ONLY},
    {.name = "Name", .type = PROPERTY_READ_ONLY},
    {.name = "UUID", .type = PROPERTY_READ_ONLY},
    {.name = "SystemType", .type = PROPERTY_READ_ONLY},
    {.name = "Manufacturer", .type = PROPERTY_READ_ONLY},
    {.name = "Model", .type = PROPERTY_READ_ONLY},
    {.name = "PowerState", .type = PROPERTY_READ_ONLY},
    {.name = "Status", .type = PROPERTY_READ_ONLY},
    {.name = "ProcessorSummary", .type = PROPERTY_READ_ONLY},
    {.name = "MemorySummary", .type = PROPERTY_READ_ONLY},
    {.name = "Links", .type = PROPERTY_READ_ONLY},
    {.name = "Actions", .type = PROPERTY_READ_ONLY},
};

/* How it shall be booted, from how that is now and what the client says of it. The target is not
 * kept by itself: there is one if the override is enabled. */
static void decide_boot(const struct change *change, uint32_t present, struct machine_boot *boot)
{
    if ((present & HAS_URL) != 0) {
        snprintf(boot->url, sizeof(boot->url), "%s", change->url);
    }
    if ((present & HAS_ENABLED) != 0) {
        boot->override = change->enabled[0] == 'D'   ? MACHINE_OVERRIDE_DISABLED
                         : change->enabled[0] == 'O' ? MACHINE_OVERRIDE_ONCE
                                                     : MACHINE_OVERRIDE_ON;
    }
    if ((present & HAS_TARGET) != 0) {
        bool on = strcmp(change->target, system_boot_targets[1]) == 0;

        if (!on) {
            boot->override = MACHINE_OVERRIDE_DISABLED;
        } else if ((present & HAS_ENABLED) == 0 && boot->override == MACHINE_OVERRIDE_DISABLED) {
            boot->override = MACHINE_OVERRIDE_ONCE;
        }
    }
}

static bool check_boot(struct redfish_call *call, const struct machine_boot *boot)
{
    static const char scheme[] = "http://";

    if (boot->url[0] != '\0' && strncmp(boot->url, scheme, sizeof(scheme) - 1) != 0) {
        redfish_refuse(call, MESSAGE_PROPERTY_FORMAT, "#/Boot/HttpBootUri", boot->url,
                       "HttpBootUri", NULL);
        return false;
    }
    if (boot->url[0] == '\0' && boot->override != MACHINE_OVERRIDE_DISABLED) {
        redfish_refuse(call, MESSAGE_PROPERTY_MISSING, "#/Boot/HttpBootUri", "HttpBootUri", NULL,
                       NULL);
        return false;
    }
    return true;
}

void system_change(struct redfish_call *call, struct redfish_target *target)
{
    struct change change = {.weight = 0};
    struct machine_boot boot = target->vm.boot;
    char reason[MACHINE_REASON_SIZE] = "";
    uint32_t present;
    int error = 0;

    if (!redfish_read_body(call, NULL, system_properties, PROPERTY_COUNT(system_properties),
                           &change, &present)) {
        return;
    }
    decide_boot(&change, present, &boot);
    if (!check_boot(call, &boot)) {
        return;
    }
    if ((present & HAS_SHARE) != 0) {
        error = machine()->set_share(target->name, (uint32_t)change.weight, (uint32_t)change.cap,
                                     reason, sizeof(reason));
        if (error == 0) {
            redfish_audit(call, "vm %s: weight %lu, cap %lu (0: as before)", target->name,
                          change.weight, change.cap);
        }
    }
    if (error == 0 && (present & (HAS_ENABLED | HAS_TARGET | HAS_URL)) != 0) {
        error = machine()->set_boot(target->name, &boot, reason, sizeof(reason));
        if (error == 0) {
            redfish_audit(call, "vm %s: boot override %s, %s", target->name,
                          enabled_values[boot.override], boot.url);
        }
    }
    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_answer_changed(call, target);
}

/* What a type of reset is here, where the VM is as it is. False: nothing, it is so already. */
static bool choose_action(const char *type, const struct machine_vm *vm,
                          enum machine_action *action)
{
    static const struct {
        const char *type;
        enum machine_action action;
    } actions[] = {
        {"On", MACHINE_START},
        {"ForceOff", MACHINE_KILL},
        {"GracefulShutdown", MACHINE_POWER_BUTTON},
        {"GracefulRestart", MACHINE_SHUT_DOWN_AND_START},
        {"ForceRestart", MACHINE_RESET},
        {"PowerCycle", MACHINE_POWER_CYCLE},
        {"PushPowerButton", MACHINE_POWER_BUTTON},
        {"Nmi", MACHINE_NMI},
        {"Pause", MACHINE_PAUSE},
        {"Resume", MACHINE_RESUME},
    };
    bool off = vm->state == MACHINE_DEFINED || vm->state == MACHINE_STOPPED;
    bool on = vm->state == MACHINE_RUNNING && !vm->ending;

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].type, type) == 0) {
            *action = actions[i].action;
        }
    }
    if (off && strcmp(type, "PushPowerButton") == 0) {
        *action = MACHINE_START;
    }
    return !(*action == MACHINE_START && on) && !(*action == MACHINE_KILL && off);
}

void system_reset(struct redfish_call *call, struct redfish_target *target)
{
    static const struct property parameters[] = {{.name = "ResetType",
                                                  .type = PROPERTY_TEXT,
                                                  .size = WORD_SIZE,
                                                  .values = system_reset_types,
                                                  .required = true}};
    const struct machine_vm *vm = &target->vm;
    char type[WORD_SIZE];
    char reason[MACHINE_REASON_SIZE] = "";
    enum machine_action action = MACHINE_START;
    uint64_t task = 0;
    uint32_t present;
    int error = 0;

    if (!redfish_read_body(call, "ComputerSystem.Reset", parameters, PROPERTY_COUNT(parameters),
                           type, &present)) {
        return;
    }
    if (choose_action(type, vm, &action) || vm->starting) {
        error = machine()->act(target->name, action, &task, reason, sizeof(reason));
    }
    redfish_audit(call, "vm %s: %s%s%s", target->name, type, reason[0] != '\0' ? ": " : "", reason);
    if (error == -EINPROGRESS) {
        redfish_answer_task(call, task);
    } else if (error != 0) {
        redfish_refuse_errno(call, error, reason);
    } else {
        redfish_answer_nothing(call);
    }
}
