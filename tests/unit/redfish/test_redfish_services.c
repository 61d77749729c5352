/* What is not a VM: the host, its log, accounts, images, tasks and events. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/redfish/ask.h"
#include "tests/unit/redfish/fake_machine.h"
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/log.h"

#define V1       "/redfish/v1"
#define HOST     V1 "/Managers/innkeeper"
#define ACCOUNTS V1 "/AccountService/Accounts"
#define IMAGES   V1 "/Oem/Innkeeper/Images"
#define TASKS    V1 "/TaskService/Tasks"
#define MONITORS V1 "/TaskService/TaskMonitors"
#define SSE      V1 "/EventService/SSE"

static void managers(void **state)
{
    (void)state;
    assert_int_equal(get(V1 "/Managers"), 200);
    assert_value("Members@odata.count", "3");
    assert_int_equal(get(HOST), 200);
    assert_value("ManagerType", "BMC");
    assert_value("FirmwareVersion", "0.1.0");
    assert_value("DateTime", "2023-11-14T22:13:20Z");
    assert_value("Oem/Innkeeper/UptimeSeconds", "100");
    assert_value("Oem/Innkeeper/Network/Chip", "82540EM");
    assert_int_equal(get(V1 "/Managers/linux"), 200);
    assert_value("Links/ManagerForServers/0/@odata.id", V1 "/Systems/linux");
    assert_int_equal(get(HOST "/EthernetInterfaces/1"), 200);
    assert_value("MACAddress", "52:54:00:12:34:56");
    assert_value("IPv4Addresses/0/Address", "10.0.2.15");
    assert_value("IPv4Addresses/0/SubnetMask", "255.255.255.0");
    assert_value("IPv6Addresses/0/AddressOrigin", "LinkLocal");
    /* A VM of that name is managed by the host. */
    fake_add_vm("innkeeper");
    assert_int_equal(get(V1 "/Managers"), 200);
    assert_value("Members@odata.count", "3");
    assert_int_equal(get(HOST), 200);
    assert_value("Name", "Host");
    fake.host.network.name = NULL;
    assert_int_equal(get(HOST "/EthernetInterfaces"), 200);
    assert_value("Members@odata.count", "0");
    assert_int_equal(get(HOST "/EthernetInterfaces/1"), 404);
}

static void host_changes(void **state)
{
    (void)state;
    assert_int_equal(ask(HTTP_PATCH, HOST "/NetworkProtocol", "{\"HostName\":\"inn\"}"), 200);
    assert_value("HostName", "inn");
    assert_value("FQDN", "inn.local");
    assert_int_equal(ask(HTTP_PATCH, HOST "/NetworkProtocol", "{\"FQDN\":\"inn\"}"), 400);
    assert_message("PropertyNotWritable");
    assert_message("PropertyMissing");
    assert_int_equal(
        ask(HTTP_POST, HOST "/Actions/Manager.Reset", "{\"ResetType\":\"ForceRestart\"}"), 204);
    assert_true(fake.was_reset);
    assert_int_equal(ask(HTTP_POST, HOST "/Actions/Manager.Reset", "{\"ResetType\":\"ForceOff\"}"),
                     204);
    assert_true(fake.powered_off);
    assert_string_equal(test_log_last, "audit: admin@10.0.2.2: host: ForceOff");
    assert_int_equal(ask(HTTP_POST, HOST "/Actions/Manager.Reset", "{\"ResetType\":\"On\"}"), 400);
    ask_role = ACCESS_READ_ONLY;
    assert_int_equal(ask(HTTP_POST, HOST "/Actions/Manager.Reset", "{\"ResetType\":\"ForceOff\"}"),
                     403);
}

static void readings(void **state)
{
    (void)state;
    assert_int_equal(get(V1 "/Chassis/innkeeper"), 200);
    assert_value("Oem/Innkeeper/MemoryFreeBytes", "3221225472");
    assert_value("Oem/Innkeeper/Cpus/1/BusyTimeNanoseconds", "20000000000");
    assert_value("Links/ComputerSystems/1/@odata.id", V1 "/Systems/idle");
    assert_int_equal(get(V1 "/Chassis/innkeeper/Sensors/MemoryUse"), 200);
    assert_value("Reading", "25");
    /* 30 s of the first 100 s on two CPUs; then a second of which one CPU was busy for 0.5 s. */
    assert_int_equal(get(V1 "/Chassis/innkeeper/Sensors/CpuUse"), 200);
    assert_value("Reading", "15");
    fake.host.uptime += 1000000000;
    fake.cpus[0].busy_time += 500000000;
    assert_int_equal(get(V1 "/Chassis/innkeeper/Sensors/CpuUse"), 200);
    assert_value("Reading", "25");
    assert_int_equal(get(V1 "/Chassis/innkeeper/Sensors/Fan"), 404);
}

static void log_entries(void **state)
{
    (void)state;
    assert_int_equal(get(HOST "/LogServices/Log/Entries"), 200);
    assert_value("Members@odata.count", "3");
    assert_value("Members/1/Severity", "Warning");
    assert_value("Members/2/Message", "an \"error\"");
    assert_value("Members/0/Created", "2023-11-14T22:11:41Z");
    assert_int_equal(get(HOST "/LogServices/Log/Entries?$skip=1&$top=1"), 200);
    assert_int_equal(size_at("Members"), 1);
    assert_value("Members/0/Id", "1");
    assert_value("Members@odata.count", "3");
    assert_value("Members@odata.nextLink", HOST "/LogServices/Log/Entries?$skip=2&$top=1");
    assert_int_equal(get(HOST "/LogServices/Log/Entries/2"), 200);
    assert_value("Severity", "Critical");
    assert_int_equal(get(HOST "/LogServices/Log/Entries/3"), 404);
    assert_int_equal(get(HOST "/LogServices/Log/Entries/-1"), 404);
    assert_int_equal(get(HOST "/LogServices/Log/Entries/18446744073709551616"), 404);
    assert_int_equal(get(HOST "/LogServices/Log?$expand=."), 200);
    assert_value("Entries/Members@odata.count", "3");
}

static void accounts(void **state)
{
    char etag[64];

    (void)state;
    assert_int_equal(get(ACCOUNTS), 200);
    assert_value("Members@odata.count", "2");
    assert_int_equal(ask(HTTP_POST, ACCOUNTS,
                         "{\"UserName\":\"new\",\"Password\":\"of some length\",\"RoleId\":"
                         "\"ReadOnly\"}"),
                     201);
    assert_string_equal(field_of_answer("Location"), ACCOUNTS "/new");
    assert_value("RoleId", "ReadOnly");
    assert_value("Enabled", "true");
    assert_value("Password", "null");
    assert_value("Links/Role/@odata.id", V1 "/AccountService/Roles/ReadOnly");
    assert_value("@Message.ExtendedInfo/0/MessageId", "Innkeeper.1.0.LastsUntilBoot");
    assert_value("@Message.ExtendedInfo/0/MessageArgs/0", "account new");
    assert_int_equal(ask(HTTP_POST, ACCOUNTS,
                         "{\"UserName\":\"short\",\"Password\":\"s\",\"RoleId\":\"ReadOnly\"}"),
                     400);
    assert_message("Invalid");
    assert_int_equal(ask(HTTP_POST, ACCOUNTS,
                         "{\"UserName\":\"op\",\"Password\":\"of some length\",\"RoleId\":"
                         "\"Operator\"}"),
                     400);
    assert_message("PropertyValueNotInList");
    assert_int_equal(ask(HTTP_PATCH, ACCOUNTS "/new",
                         "{\"Password\":\"another of them\",\"RoleId\":\"Administrator\","
                         "\"Enabled\":false}"),
                     200);
    assert_value("RoleId", "Administrator");
    assert_value("Enabled", "false");
    assert_value("@Message.ExtendedInfo/0/MessageId", "Innkeeper.1.0.LastsUntilBoot");
    /* It is about the change, not part of the account. */
    snprintf(etag, sizeof(etag), "%s", value_at("@odata.etag"));
    assert_int_equal(get(ACCOUNTS "/new"), 200);
    assert_value("@odata.etag", etag);
    assert_null(value_at("@Message.ExtendedInfo"));
    assert_int_equal(ask(HTTP_PATCH, ACCOUNTS "/new", "{\"UserName\":\"x\"}"), 400);
    assert_message("PropertyNotWritable");
    assert_int_equal(ask(HTTP_DELETE, ACCOUNTS "/new", NULL), 204);
    assert_string_equal(test_log_last,
                        "audit: admin@10.0.2.2: account new removed until the next boot");
    assert_int_equal(ask(HTTP_DELETE, ACCOUNTS "/new", NULL), 404);
    assert_int_equal(ask(HTTP_DELETE, ACCOUNTS "/admin", NULL), 403);

    /* One's own password, and nothing else. */
    ask_role = ACCESS_READ_ONLY;
    assert_int_equal(get(ACCOUNTS), 200);
    assert_value("Members@odata.count", "1");
    assert_int_equal(get(ACCOUNTS "/admin"), 404);
    assert_int_equal(ask(HTTP_PATCH, ACCOUNTS "/admin", "{\"Password\":\"a new password\"}"), 404);
    assert_int_equal(ask(HTTP_PATCH, ACCOUNTS "/look", "{\"RoleId\":\"Administrator\"}"), 403);
    assert_int_equal(
        ask(HTTP_PATCH, ACCOUNTS "/look", "{\"Password\":\"a new password\",\"Enabled\":true}"),
        403);
    assert_int_equal(ask(HTTP_PATCH, ACCOUNTS "/look", "{\"Password\":\"a new password\"}"), 200);
    assert_int_equal(ask(HTTP_DELETE, ACCOUNTS "/look", NULL), 403);
    assert_int_equal(ask(HTTP_POST, ACCOUNTS, "{}"), 403);
    ask_role = ACCESS_NOBODY;
    assert_int_equal(ask(HTTP_POST, V1 "/SessionService/Sessions",
                         "{\"UserName\":\"look\",\"Password\":\"a new password\"}"),
                     201);
}

static void roles(void **state)
{
    (void)state;
    assert_int_equal(get(V1 "/AccountService/Roles"), 200);
    assert_value("Members@odata.count", "2");
    assert_int_equal(get(V1 "/AccountService/Roles/ReadOnly"), 200);
    assert_int_equal(size_at("AssignedPrivileges"), 2);
    assert_int_equal(get(V1 "/AccountService/Roles/Operator"), 404);
}

static void images(void **state)
{
    (void)state;
    assert_int_equal(get(IMAGES "?$expand=."), 200);
    assert_value("Members/0/Name", "vmlinuz");
    assert_value("Members/0/Source", "module");
    assert_value("Members/0/UsedBy", "2");
    assert_int_equal(ask(HTTP_PUT, IMAGES "/new", "some bytes"), 201);
    assert_string_equal(field_of_answer("Location"), IMAGES "/new");
    assert_value("SizeBytes", "10");
    assert_string_equal(test_log_last, "audit: admin@10.0.2.2: image new uploaded, 10 bytes");
    assert_int_equal(ask(HTTP_PUT, IMAGES "/new", "others"), 200);
    assert_value("SizeBytes", "6");
    assert_int_equal(ask(HTTP_PUT, IMAGES "/vmlinuz", "others"), 409);
    assert_value("error/message", "a boot module has this name");
    char *large = calloc(1, (1u << 20) + 2);
    memset(large, 'x', (1u << 20) + 1);
    assert_int_equal(ask(HTTP_PUT, IMAGES "/large", large), 507);
    assert_value("error/message", "there is no memory for it");
    assert_int_equal(ask_with(HTTP_PUT, IMAGES "/large", large, "Content-Length", "1048577"), 507);
    free(large);
    assert_int_equal(ask(HTTP_PUT,
                         IMAGES "/a-name-of-64-characters-or-more-for-an-image-which-is-too-long-x",
                         "x"),
                     400);
    assert_int_equal(ask_with(HTTP_PUT, IMAGES "/large", "part", "Content-Length", "10"), 400);
    assert_value("error/message", "the upload broke off after 4 bytes");
    assert_int_equal(ask(HTTP_PUT, IMAGES "/a/b", "x"), 400);
    assert_int_equal(ask(HTTP_PUT, IMAGES "/a b", "x"), 400);
    assert_message("Invalid");
    assert_int_equal(ask(HTTP_POST, IMAGES, "{\"Name\":\"../x\",\"ImageURI\":\"http://a/\"}"), 400);
    assert_int_equal(get(IMAGES "/large"), 404);
    assert_int_equal(ask(HTTP_DELETE, IMAGES "/new", NULL), 204);
    assert_int_equal(ask(HTTP_DELETE, IMAGES "/vmlinuz", NULL), 409);
    assert_int_equal(ask(HTTP_DELETE, IMAGES "/new", NULL), 404);
    assert_int_equal(ask(HTTP_PATCH, IMAGES "/vmlinuz", "{}"), 405);
    assert_int_equal(
        ask(HTTP_POST, IMAGES, "{\"Name\":\"far\",\"ImageURI\":\"http://10.0.2.2/far\"}"), 202);
    assert_string_equal(field_of_answer("Location"), MONITORS "/1");
    ask_role = ACCESS_READ_ONLY;
    assert_int_equal(ask(HTTP_PUT, IMAGES "/new", "some bytes"), 403);
}

static void tasks(void **state)
{
    (void)state;
    assert_int_equal(get(TASKS), 200);
    assert_value("Members@odata.count", "0");
    assert_int_equal(
        ask(HTTP_POST, IMAGES, "{\"Name\":\"far\",\"ImageURI\":\"http://10.0.2.2/far\"}"), 202);
    assert_int_equal(get(TASKS "/1"), 200);
    assert_value("TaskState", "Running");
    assert_value("PercentComplete", "9");
    assert_value("TaskMonitor", MONITORS "/1");
    assert_null(value_at("EndTime"));
    assert_int_equal(get(MONITORS "/1"), 202);
    assert_string_equal(field_of_answer("Location"), MONITORS "/1");
    assert_value("@odata.id", TASKS "/1");
    fake.tasks[0].state = MACHINE_TASK_COMPLETED;
    fake.tasks[0].ended = 60000000000;
    assert_int_equal(get(MONITORS "/1"), 200);
    assert_value("PercentComplete", "100");
    assert_value("EndTime", "2023-11-14T22:12:40Z");
    assert_int_equal(ask(HTTP_DELETE, TASKS "/1", NULL), 409);
    fake.tasks[0].state = MACHINE_TASK_FAILED;
    strcpy(fake.tasks[0].message, "no answer");
    assert_int_equal(get(MONITORS "/1"), 500);
    assert_value("error/message", "no answer");
    assert_int_equal(get(TASKS "/1"), 200);
    assert_value("TaskState", "Exception");
    assert_value("Messages/0/Message", "no answer");
    fake.tasks[0].state = MACHINE_TASK_RUNNING;
    assert_int_equal(ask(HTTP_DELETE, MONITORS "/1", NULL), 204);
    assert_int_equal(get(MONITORS "/1"), 404);
    assert_int_equal(get(TASKS "/1"), 200);
    assert_value("TaskState", "Cancelled");
    assert_int_equal(get(TASKS "/0"), 404);
    assert_int_equal(get(TASKS "/x"), 404);
}

static void events(void **state)
{
    (void)state;
    assert_int_equal(get(V1 "/EventService"), 200);
    assert_value("ServerSentEventUri", SSE);
    /* From now on. */
    assert_int_equal(get(SSE), 200);
    assert_true(is_stream());
    assert_string_equal(serve_stream(10000), ": Innkeeper's events\n\n");
    assert_int_equal(ask(HTTP_PATCH, SSE, "{}"), 405);
    /* From where it was. */
    assert_int_equal(ask_with(HTTP_GET, SSE, NULL, "Last-Event-ID", "1"), 200);
    const char *text = serve_stream(700);
    assert_null(strstr(text, "id: 1\n"));
    assert_non_null(strstr(text, "\nid: 2\ndata: {\"@odata.type\":\"#Event.v1_7_0.Event\""));
    /* There was no room for more. */
    assert_null(strstr(text, "id: 3\n"));
    text = serve_stream(10000);
    assert_non_null(strstr(text, "\n\nid: 3\ndata: {"));
    assert_non_null(strstr(text, "\"OriginOfCondition\":{\"@odata.id\":\"" V1 "/Systems/linux\"}"));
    assert_non_null(strstr(text, "\"EventTimestamp\":\"2023-11-14T22:11:43Z\""));
    assert_string_equal(text + strlen(text) - 4, "]}\n\n");
    size_t length = strlen(text);
    assert_int_equal(strlen(serve_stream(10000)), length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(managers, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(host_changes, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(readings, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(log_entries, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(accounts, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(roles, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(images, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(tasks, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(events, ask_setup, ask_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
