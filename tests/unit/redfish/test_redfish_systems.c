/* Systems: what they say of VMs, and what can be done to them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/redfish/ask.h"
#include "tests/unit/redfish/fake_machine.h"
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/log.h"

#define SYSTEMS "/redfish/v1/Systems"
#define LINUX   SYSTEMS "/linux"
#define IDLE    SYSTEMS "/idle"

static void description(void **state)
{
    char uuid[64];

    (void)state;
    assert_int_equal(get(LINUX), 200);
    assert_value("@odata.id", LINUX);
    assert_value("@odata.type", "#ComputerSystem.v1_18_0.ComputerSystem");
    assert_value("Id", "linux");
    assert_value("PowerState", "On");
    assert_value("Status/State", "Enabled");
    assert_value("Status/Health", "OK");
    assert_value("Boot/BootSourceOverrideEnabled", "Disabled");
    assert_value("Boot/BootSourceOverrideTarget", "None");
    assert_int_equal(size_at("Boot/BootSourceOverrideTarget@Redfish.AllowableValues"), 2);
    assert_value("ProcessorSummary/CoreCount", "2");
    assert_value("ProcessorSummary/Model", "A CPU \"of ours\"");
    assert_value("MemorySummary/TotalSystemMemoryGiB", "0.25");
    assert_value("Links/ManagedBy/0/@odata.id", "/redfish/v1/Managers/linux");
    assert_value("Actions/#ComputerSystem.Reset/target", LINUX "/Actions/ComputerSystem.Reset");
    assert_value("Oem/Innkeeper/State", "running");
    assert_value("Oem/Innkeeper/MemoryBytes", "268435456");
    assert_value("Oem/Innkeeper/CpuTimeNanoseconds", "6000000000");
    assert_value("Oem/Innkeeper/Exits", "1200");
    assert_value("Oem/Innkeeper/ExitsByReason/io", "1200");
    assert_int_equal(size_at("Oem/Innkeeper/ExitsByReason"), 1);
    assert_value("Oem/Innkeeper/VcpuStatistics/0/State", "running");
    assert_value("Oem/Innkeeper/VcpuStatistics/1/Cpu", "1");
    assert_value("Oem/Innkeeper/ConsoleUri", "/console/linux");
    assert_value("Oem/Innkeeper/Description/Kernel", "vmlinuz");
    assert_value("Oem/Innkeeper/StartedAt", "2023-11-14T22:11:42Z");
    snprintf(uuid, sizeof(uuid), "%s", value_at("UUID"));
    assert_int_equal(uuid[14], '8');

    assert_int_equal(get(IDLE), 200);
    assert_string_not_equal(value_at("UUID"), uuid);
    assert_value("Oem/Innkeeper/Sched/Cap", "50");
    assert_value("Oem/Innkeeper/VcpuStatistics/0/Cpu", "null");
    assert_null(value_at("Oem/Innkeeper/StartedAt"));

    assert_value("SerialConsole/Telnet/ServiceEnabled", "false");
    fake.telnet_base = 2300;
    assert_int_equal(get(IDLE), 200);
    assert_value("SerialConsole/Telnet/Port", "2302");

    /* Nobody knows the date. */
    fake.host.wall_clock = fake.host.uptime;
    assert_int_equal(get(LINUX), 200);
    assert_null(value_at("Oem/Innkeeper/StartedAt"));
    assert_value("UUID", uuid);
}

static void states(void **state)
{
    struct machine_vm *vm = fake_vm("linux");

    (void)state;
    vm->state = MACHINE_PAUSED;
    assert_int_equal(get(LINUX), 200);
    assert_value("PowerState", "Paused");
    assert_value("Status/State", "Quiesced");
    vm->state = MACHINE_STOPPED;
    strcpy(vm->stop_reason, "power-off");
    assert_int_equal(get(LINUX), 200);
    assert_value("PowerState", "Off");
    assert_value("Status/Health", "OK");
    assert_value("Oem/Innkeeper/StopReason", "power-off");
    strcpy(vm->stop_reason, "triple fault at rip 0x1000");
    assert_int_equal(get(LINUX), 200);
    assert_value("Status/Health", "Critical");
    vm->starting = true;
    assert_int_equal(get(LINUX), 200);
    assert_value("PowerState", "PoweringOn");
    assert_value("Status/State", "Starting");
}

static void parts(void **state)
{
    (void)state;
    assert_int_equal(get(LINUX "/Processors/CPU"), 200);
    assert_value("TotalCores", "2");
    assert_value("MaxSpeedMHz", "2500");
    assert_int_equal(get(LINUX "/Memory/RAM"), 200);
    assert_value("CapacityMiB", "256");
    assert_int_equal(get(LINUX "/EthernetInterfaces"), 200);
    assert_value("Members@odata.count", "0");
    assert_int_equal(get(LINUX "/ResetActionInfo"), 200);
    assert_int_equal(size_at("Parameters/0/AllowableValues"), 10);
    assert_int_equal(get(LINUX "/Processors/0"), 404);
    assert_int_equal(get(SYSTEMS "/none/Processors/CPU"), 404);
    assert_int_equal(get(LINUX "/LogServices/Events/Entries"), 200);
    assert_value("Members@odata.count", "2");
    assert_value("Members/1/Message", "vm linux started");
    assert_int_equal(get(LINUX "/LogServices/Events/Entries/3"), 200);
    assert_value("Id", "3");
    assert_int_equal(get(IDLE "/LogServices/Events/Entries/3"), 404);
    assert_int_equal(get(LINUX "/LogServices/Events/Entries/0"), 404);
    assert_int_equal(get(LINUX "/LogServices/Events/Entries/4"), 404);
    assert_int_equal(get(LINUX "/LogServices/Events/Entries/03"), 404);
}

static unsigned reset(const char *vm, const char *type)
{
    char path[128];
    char body[64];

    snprintf(path, sizeof(path), "%s/Actions/ComputerSystem.Reset", vm);
    snprintf(body, sizeof(body), "{\"ResetType\":\"%s\"}", type);
    return ask(HTTP_POST, path, body);
}

static void resets(void **state)
{
    (void)state;
    assert_int_equal(reset(LINUX, "Pause"), 204);
    assert_int_equal(fake_vm("linux")->state, MACHINE_PAUSED);
    assert_string_equal(test_log_last, "audit: admin@10.0.2.2: vm linux: Pause");
    assert_int_equal(reset(LINUX, "Resume"), 204);
    assert_int_equal(reset(LINUX, "Nmi"), 204);
    assert_int_equal(reset(LINUX, "ForceRestart"), 204);
    assert_int_equal(reset(LINUX, "GracefulRestart"), 204);
    assert_int_equal(reset(LINUX, "PowerCycle"), 204);
    unsigned changes = fake.changes;
    /* What is so already needs nothing. */
    assert_int_equal(reset(LINUX, "On"), 204);
    assert_int_equal(fake.changes, changes);
    /* But what is on its way to its end is to come back from there. */
    fake_vm("linux")->ending = true;
    assert_int_equal(reset(LINUX, "On"), 204);
    assert_int_equal(fake.changes, changes + 1);
    fake_vm("linux")->ending = false;
    assert_int_equal(reset(LINUX, "GracefulShutdown"), 204);
    assert_int_equal(fake_vm("linux")->state, MACHINE_STOPPED);
    assert_int_equal(reset(LINUX, "ForceOff"), 204);
    assert_int_equal(reset(LINUX, "PushPowerButton"), 204);
    assert_int_equal(fake_vm("linux")->state, MACHINE_RUNNING);
    assert_int_equal(reset(LINUX, "PushPowerButton"), 204);
    assert_int_equal(fake_vm("linux")->state, MACHINE_STOPPED);

    assert_int_equal(reset(IDLE, "Resume"), 409);
    assert_message("ResourceInUse");
    assert_value("error/message", "the VM is not in a state for this");
    assert_int_equal(reset(IDLE, "Dance"), 400);
    assert_message("ActionParameterValueNotInList");
    assert_value("error/@Message.ExtendedInfo/0/MessageArgs/2", "ComputerSystem.Reset");
    assert_int_equal(ask(HTTP_POST, IDLE "/Actions/ComputerSystem.Reset", ""), 400);
    assert_message("ActionParameterMissing");
    assert_int_equal(ask(HTTP_POST, IDLE "/Actions/ComputerSystem.Reset", "{\"Type\":1}"), 400);
    assert_message("ActionParameterUnknown");
    assert_int_equal(ask(HTTP_POST, IDLE "/Actions/ComputerSystem.Reset", "{\"ResetType\":1}"),
                     400);
    assert_message("ActionParameterValueTypeError");
    assert_int_equal(ask(HTTP_GET, IDLE "/Actions/ComputerSystem.Reset", NULL), 405);
    assert_int_equal(reset(SYSTEMS "/none", "On"), 404);
    ask_role = ACCESS_READ_ONLY;
    assert_int_equal(reset(IDLE, "On"), 403);
    assert_int_equal(fake_vm("idle")->state, MACHINE_DEFINED);
}

static unsigned boot(const char *members)
{
    char body[256];

    snprintf(body, sizeof(body), "{\"Boot\":{%s}}", members);
    return ask(HTTP_PATCH, IDLE, body);
}

static void override(void **state)
{
    const struct machine_boot *now = &fake_vm("idle")->boot;

    (void)state;
    assert_int_equal(boot("\"BootSourceOverrideTarget\":\"UefiHttp\""), 400);
    assert_message("PropertyMissing");
    assert_value("error/@Message.ExtendedInfo/0/RelatedProperties/0", "#/Boot/HttpBootUri");
    assert_int_equal(boot("\"HttpBootUri\":\"https://a/b\""), 400);
    assert_message("PropertyValueFormatError");
    assert_int_equal(boot("\"HttpBootUri\":\"http://a/b\""), 200);
    assert_int_equal(now->override, MACHINE_OVERRIDE_DISABLED);
    /* As some clients say it: the target alone. */
    assert_int_equal(boot("\"BootSourceOverrideTarget\":\"UefiHttp\""), 200);
    assert_int_equal(now->override, MACHINE_OVERRIDE_ONCE);
    assert_string_equal(now->url, "http://a/b");
    assert_value("Boot/BootSourceOverrideEnabled", "Once");
    assert_value("Boot/BootSourceOverrideTarget", "UefiHttp");
    assert_int_equal(boot("\"BootSourceOverrideEnabled\":\"Continuous\","
                          "\"BootSourceOverrideMode\":\"UEFI\""),
                     200);
    assert_int_equal(now->override, MACHINE_OVERRIDE_ON);
    assert_int_equal(boot("\"BootSourceOverrideTarget\":\"UefiHttp\""), 200);
    assert_int_equal(now->override, MACHINE_OVERRIDE_ON);
    assert_int_equal(boot("\"HttpBootUri\":null"), 400);
    assert_message("PropertyMissing");
    assert_int_equal(boot("\"BootSourceOverrideTarget\":\"None\","
                          "\"BootSourceOverrideEnabled\":\"Once\""),
                     200);
    assert_int_equal(now->override, MACHINE_OVERRIDE_DISABLED);
    assert_int_equal(boot("\"BootSourceOverrideEnabled\":\"Once\","
                          "\"BootSourceOverrideTarget\":\"UefiHttp\","
                          "\"HttpBootUri\":\"http://c/d\""),
                     200);
    assert_string_equal(now->url, "http://c/d");
    assert_int_equal(boot("\"BootSourceOverrideEnabled\":\"Disabled\""), 200);
    assert_int_equal(boot("\"HttpBootUri\":null"), 200);
    assert_string_equal(now->url, "");
    assert_int_equal(boot("\"BootSourceOverrideMode\":\"Legacy\""), 400);

    /* A start with an override is a task. */
    assert_int_equal(boot("\"BootSourceOverrideTarget\":\"UefiHttp\","
                          "\"HttpBootUri\":\"http://c/d\""),
                     200);
    assert_int_equal(reset(IDLE, "On"), 202);
    assert_string_equal(field_of_answer("Location"), "/redfish/v1/TaskService/TaskMonitors/1");
    assert_value("@odata.id", "/redfish/v1/TaskService/Tasks/1");
    assert_value("TaskState", "Running");
}

static void share(void **state)
{
    (void)state;
    assert_int_equal(
        ask(HTTP_PATCH, IDLE, "{\"Oem\":{\"Innkeeper\":{\"Sched\":{\"Weight\":300,\"Cap\":70}}}}"),
        200);
    assert_value("Oem/Innkeeper/Sched/Weight", "300");
    assert_value("Oem/Innkeeper/Sched/Cap", "70");
    assert_int_equal(ask(HTTP_PATCH, LINUX, "{\"Oem\":{\"Innkeeper\":{\"Sched\":{\"Cap\":70}}}}"),
                     400);
    assert_value("error/message", "the VM has no cap");
    assert_int_equal(ask(HTTP_PATCH, LINUX, "{\"Oem\":{\"Innkeeper\":{\"Sched\":{\"Cap\":1601}}}}"),
                     400);
    assert_message("PropertyValueOutOfRange");
}

static void create_and_delete(void **state)
{
    const char *vm = "{\"name\":\"new\",\"memory\":\"16M\",\"multiboot\":{\"image\":\"x\"}}";

    (void)state;
    assert_int_equal(ask(HTTP_POST, SYSTEMS, vm), 201);
    assert_string_equal(field_of_answer("Location"), SYSTEMS "/new");
    assert_value("Id", "new");
    assert_value("Oem/Innkeeper/Description/Image", "x");
    assert_string_equal(test_log_last, "audit: admin@10.0.2.2: vm new defined");
    assert_int_equal(ask(HTTP_POST, SYSTEMS, vm), 409);
    assert_value("error/message", "there is a VM of that name");
    assert_int_equal(ask(HTTP_POST, SYSTEMS, "{\"name\":\"x\"}"), 400);
    assert_message("Invalid");
    assert_non_null(strstr(value_at("error/message"), "request:1:"));
    assert_int_equal(ask(HTTP_DELETE, SYSTEMS "/new", NULL), 204);
    assert_int_equal(get(SYSTEMS "/new"), 404);
    assert_int_equal(ask(HTTP_DELETE, LINUX, NULL), 409);
    assert_message("ResourceInUse");
    fake.refuse = -ENOMEM;
    assert_int_equal(ask(HTTP_POST, SYSTEMS, vm), 503);
    fake.refuse = -ENOSPC;
    assert_int_equal(ask(HTTP_POST, SYSTEMS, vm), 507);
    assert_message("CreateLimitReachedForResource");
    ask_role = ACCESS_READ_ONLY;
    assert_int_equal(ask(HTTP_DELETE, IDLE, NULL), 403);
}

/* As many as there can be, and everything of them: no answer is too long. */
static void expanded(void **state)
{
    (void)state;
    for (unsigned i = fake.vm_count; i < FAKE_MAX; i++) {
        char name[DESCRIPTION_NAME_SIZE];

        snprintf(name, sizeof(name), "a-machine-with-a-long-name-%u", i);
        fake_add_vm(name)->description.vcpus = DESCRIPTION_VCPUS_MAX;
    }
    assert_int_equal(get(SYSTEMS "?$expand=.&$skip=63"), 200);
    assert_value("Members/0/Oem/Innkeeper/VcpuStatistics/15/State", "stopped");
    assert_int_equal(get(SYSTEMS "?$expand=*($levels=2)&$top=2"), 200);
    assert_value("Members/1/Processors/Members@odata.count", "1");
    assert_value("Members/1/Links/ManagedBy/0/Links/ManagerForServers/0/@odata.id", IDLE);
    assert_int_equal(get("/redfish/v1?$expand=*($levels=3)"), 200);
    assert_int_equal(body_of_answer()[strlen(body_of_answer()) - 1], '}');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(description, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(states, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(parts, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(resets, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(override, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(share, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(create_and_delete, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(expanded, ask_setup, ask_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
