/* Redfish's root, queries, ETags and errors; sessions. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/redfish/ask.h"
#include "tests/unit/redfish/fake_machine.h"
#include "tests/unit/support/cmocka.h"

#define V1       "/redfish/v1"
#define SESSIONS V1 "/SessionService/Sessions"

static void root(void **state)
{
    (void)state;
    ask_role = ACCESS_NOBODY;
    assert_int_equal(get("/redfish"), 200);
    assert_value("v1", V1 "/");
    assert_int_equal(get(V1), 200);
    assert_value("@odata.id", V1 "/");
    assert_value("@odata.type", "#ServiceRoot.v1_14_0.ServiceRoot");
    assert_value("Links/Sessions/@odata.id", SESSIONS);
    assert_value("Systems/@odata.id", V1 "/Systems");
    assert_int_equal(strlen(value_at("UUID")), 36);
    assert_string_equal(field_of_answer("OData-Version"), "4.0");
    assert_string_equal(field_of_answer("Allow"), "GET, HEAD");
    assert_int_equal(get(V1 "/odata"), 200);
    assert_value("value/0/url", V1 "/");
    assert_int_equal(get(V1 "/$metadata"), 200);
    assert_non_null(strstr(body_of_answer(), "ComputerSystem.v1_18_0"));
    /* What it links to is for those who are known. */
    assert_int_equal(get(V1 "?$expand=*"), 200);
    assert_null(value_at("Systems/Members"));
    assert_int_equal(get(V1 "/Systems"), 401);
    assert_message("NoValidSession");
}

/* Follows all links from the root: each leads somewhere. */
static void links(void **state)
{
    static char seen[512][160];
    unsigned count = 1;

    (void)state;
    snprintf(seen[0], sizeof(seen[0]), "%s", V1);
    for (unsigned i = 0; i < count; i++) {
        if (get(seen[i]) != 200) {
            fail_msg("%s: %s", seen[i], body_of_answer());
        }
        if (strstr(seen[i], "$metadata") != NULL || strstr(seen[i], "/Messages") != NULL) {
            continue;
        }
        assert_non_null(value_at("@odata.type"));
        assert_non_null(value_at("Name"));
        for (const char *at = body_of_answer(); (at = strstr(at, "\"@odata.id\":\"")) != NULL;) {
            char path[160];

            at += strlen("\"@odata.id\":\"");
            snprintf(path, sizeof(path), "%.*s", (int)strcspn(at, "\""), at);
            if (path[strlen(path) - 1] == '/') {
                path[strlen(path) - 1] = '\0';
            }
            bool known = false;
            for (unsigned k = 0; k < count && !known; k++) {
                known = strcmp(seen[k], path) == 0;
            }
            if (!known) {
                assert_true(count < 512);
                memcpy(seen[count++], path, sizeof(path));
            }
        }
    }
    assert_true(count > 40);
}

static void unknown(void **state)
{
    (void)state;
    assert_int_equal(get(V1 "/Nothing"), 404);
    assert_message("ResourceMissingAtURI");
    assert_value("error/@Message.ExtendedInfo/0/MessageArgs/0", V1 "/Nothing");
    assert_int_equal(get(V1 "/Systems/none"), 404);
    assert_int_equal(get(V1 "/Systems/linux/Nothing/more"), 404);
    assert_int_equal(get("/redfish/v2"), 404);
    assert_int_equal(get(V1 "/Systems/"
                            "0123456789012345678901234567890123456789012345678901234567890123456"),
                     404);
    assert_int_equal(ask(HTTP_PUT, V1 "/Systems", "{}"), 405);
    assert_message("OperationNotAllowed");
    assert_string_equal(field_of_answer("Allow"), "GET, HEAD, POST");
    assert_int_equal(ask(HTTP_DELETE, V1, NULL), 405);
    ask_role = ACCESS_READ_ONLY;
    assert_int_equal(ask(HTTP_POST, V1 "/Systems", "{}"), 403);
    assert_message("InsufficientPrivilege");
}

static void queries(void **state)
{
    (void)state;
    assert_int_equal(get(V1 "/Systems"), 200);
    assert_value("Members@odata.count", "2");
    assert_value("Members/1/@odata.id", V1 "/Systems/idle");
    assert_null(value_at("Members/1/Id"));

    assert_int_equal(get(V1 "/Systems?$expand=."), 200);
    assert_value("Members/0/Id", "linux");
    assert_value("Members/1/PowerState", "Off");
    assert_null(value_at("Members/0/Processors/Members"));
    assert_null(field_of_answer("ETag"));
    assert_int_equal(get(V1 "/Systems?%24expand=.(%24levels=3)"), 200);
    assert_value("Members/0/Processors/Members/0/TotalCores", "2");
    assert_null(value_at("Members/0/Links/Chassis/0/Id"));
    assert_int_equal(get(V1 "/Systems?$expand=*($levels=2)"), 200);
    assert_value("Members/0/Processors/Members@odata.count", "1");
    assert_int_equal(get(V1 "?$expand=~"), 200);
    assert_value("Links/Sessions/Name", "Sessions");
    assert_null(value_at("Systems/Members"));

    assert_int_equal(get(V1 "/Systems?$top=1"), 200);
    assert_int_equal(size_at("Members"), 1);
    assert_value("Members@odata.count", "2");
    assert_value("Members@odata.nextLink", V1 "/Systems?$skip=1&$top=1");
    assert_int_equal(get(V1 "/Systems?$skip=1&$top=1"), 200);
    assert_value("Members/0/@odata.id", V1 "/Systems/idle");
    assert_null(value_at("Members@odata.nextLink"));
    assert_int_equal(get(V1 "/Systems?$skip=18446744073709551615"), 200);
    assert_int_equal(size_at("Members"), 0);

    assert_int_equal(get(V1 "/Systems/linux?$select=Name,Boot/HttpBootUri"), 200);
    assert_value("Name", "linux");
    assert_value("Boot/HttpBootUri", "");
    assert_null(value_at("Id"));
    assert_int_equal(size_at("Boot"), 1);
    assert_int_equal(get(V1 "/Systems?$select=Id&$expand=."), 200);
    assert_value("Members/1/Id", "idle");
    assert_null(value_at("Members/1/Name"));

    assert_int_equal(get(V1 "/Systems?other=1"), 200);
    assert_int_equal(get(V1 "/Systems?$filter=x"), 501);
    assert_message("QueryNotSupported");
    assert_int_equal(get(V1 "/Systems?only"), 501);
    assert_int_equal(get(V1 "/Systems?$expand=all"), 400);
    assert_message("QueryParameterValueFormatError");
    assert_int_equal(get(V1 "/Systems?$expand=.($levels=4)"), 400);
    assert_message("QueryParameterOutOfRange");
    assert_int_equal(get(V1 "/Systems?$expand=.($levels="), 400);
    assert_int_equal(get(V1 "/Systems?$expand"), 400);
    assert_int_equal(get(V1 "/Systems?$top=-1"), 400);
    assert_int_equal(get(V1 "/Systems?$skip=18446744073709551616"), 400);
    assert_int_equal(get(V1 "/Systems?$select="), 400);
    assert_int_equal(get(V1 "/Systems/linux?$top=1"), 400);
    assert_message("QueryNotSupportedOnResource");
}

static void etags(void **state)
{
    char etag[64];

    (void)state;
    assert_int_equal(get(V1 "/Systems/linux"), 200);
    snprintf(etag, sizeof(etag), "%s", field_of_answer("ETag"));
    assert_value("@odata.etag", etag);
    /* A reading is not a change. */
    fake_vm("linux")->vcpus[0].run_time += 5;
    assert_int_equal(ask_with(HTTP_GET, V1 "/Systems/linux", NULL, "If-None-Match", etag), 304);
    assert_string_equal(body_of_answer(), "");
    assert_string_equal(field_of_answer("ETag"), etag);
    assert_int_equal(get(V1 "/Systems/linux?$select=Id"), 200);
    assert_string_equal(field_of_answer("ETag"), etag);
    const char *patch = "{\"Oem\":{\"Innkeeper\":{\"Sched\":{\"Weight\":200}}}}";
    assert_int_equal(ask_with(HTTP_PATCH, V1 "/Systems/linux", patch, "If-Match", "\"other\""),
                     412);
    assert_message("PreconditionFailed");
    assert_int_equal(fake.changes, 0);
    /* Without the W/, as some clients have it. */
    assert_int_equal(ask_with(HTTP_PATCH, V1 "/Systems/linux", patch, "If-Match", etag + 2), 200);
    assert_int_equal(fake.changes, 1);
    assert_value("Oem/Innkeeper/Sched/Weight", "200");
    assert_int_equal(ask_with(HTTP_PATCH, V1 "/Systems/linux", patch, "If-Match", etag), 412);
    assert_int_equal(ask_with(HTTP_GET, V1 "/Systems/linux", NULL, "If-None-Match", etag), 200);
    assert_int_equal(ask_with(HTTP_PATCH, V1 "/Systems/linux", patch, "If-Match", "*"), 200);
    assert_int_equal(ask_with(HTTP_DELETE, V1 "/Systems/idle", NULL, "If-Match", "\"x\""), 412);
    assert_int_equal(get(V1 "/Systems/idle"), 200);
}

static void fields(void **state)
{
    (void)state;
    assert_int_equal(ask_with(HTTP_PATCH, V1 "/Systems/linux", "{}", "Content-Type", "text/plain"),
                     415);
    assert_int_equal(ask_with(HTTP_PATCH, V1 "/Systems/linux",
                              "{\"Boot\":{\"BootSourceOverrideTarget\":\"None\"}}", "Content-Type",
                              "application/json; charset=utf-8"),
                     200);
    assert_int_equal(ask_with(HTTP_GET, V1, NULL, "OData-Version", "3.0"), 412);
    assert_int_equal(ask_with(HTTP_GET, V1, NULL, "OData-Version", "4.0"), 200);
}

static unsigned patch_system(const char *body)
{
    return ask(HTTP_PATCH, V1 "/Systems/linux", body);
}

static void bodies(void **state)
{
    (void)state;
    assert_int_equal(patch_system("{\"Boot\":"), 400);
    assert_message("MalformedJSON");
    assert_value("error/@Message.ExtendedInfo/1/Message",
                 "line 1, column 1: this bracket is not closed");
    assert_int_equal(patch_system(""), 400);
    assert_message("MalformedJSON");
    assert_int_equal(patch_system("[]"), 400);
    assert_message("UnrecognizedRequestBody");
    assert_int_equal(patch_system("{}"), 400);
    assert_message("EmptyJSON");
    assert_int_equal(patch_system("{\"Bot\":1,\"Boot\":{\"X\":2},\"Name\":\"x\"}"), 400);
    assert_message("PropertyUnknown");
    assert_message("PropertyNotWritable");
    assert_value("error/@Message.ExtendedInfo/1/RelatedProperties/0", "#/Boot/X");
    assert_value("error/@Message.ExtendedInfo/0/Message",
                 "The property 'Bot' is not in the list of valid properties for the resource.");
    assert_int_equal(patch_system("{\"Boot\":1}"), 400);
    assert_message("PropertyValueTypeError");
    assert_int_equal(patch_system("{\"Boot\":{\"HttpBootUri\":true}}"), 400);
    assert_message("PropertyValueTypeError");
    assert_int_equal(patch_system("{\"Boot\":{\"BootSourceOverrideTarget\":\"Pxe\"}}"), 400);
    assert_message("PropertyValueNotInList");
    assert_value("error/@Message.ExtendedInfo/0/MessageArgs/0", "Pxe");
    assert_int_equal(
        patch_system("{\"Boot\":{\"BootSourceOverrideTarget\":\"a much longer word than all\"}}"),
        400);
    assert_message("PropertyValueNotInList");
    assert_int_equal(patch_system("{\"Boot\":{},\"Boot\":{}}"), 400);
    assert_message("PropertyDuplicate");
    assert_int_equal(patch_system("{\"Oem\":{\"Innkeeper\":{\"Sched\":{\"Weight\":0}}}}"), 400);
    assert_message("PropertyValueOutOfRange");
    assert_value("error/@Message.ExtendedInfo/0/RelatedProperties/0",
                 "#/Oem/Innkeeper/Sched/Weight");
    assert_int_equal(patch_system("{\"Oem\":{\"Innkeeper\":{\"Sched\":{\"Weight\":\"1\"}}}}"), 400);
    assert_message("PropertyValueTypeError");
    assert_int_equal(fake.changes, 0);
}

static void sessions(void **state)
{
    char path[160];
    const char *login = "{\"UserName\":\"look\",\"Password\":\"look: do not touch\"}";

    (void)state;
    ask_role = ACCESS_NOBODY;
    assert_int_equal(get(SESSIONS), 401);
    assert_int_equal(ask(HTTP_POST, SESSIONS, "{\"UserName\":\"look\"}"), 400);
    assert_message("PropertyMissing");
    assert_int_equal(ask(HTTP_POST, SESSIONS, "{\"UserName\":\"look\",\"Password\":\"wrong\"}"),
                     401);
    assert_int_equal(ask(HTTP_POST, SESSIONS, login), 201);
    assert_int_equal(strlen(field_of_answer("X-Auth-Token")), 43);
    assert_non_null(
        strstr(field_of_answer("Set-Cookie"), "; Path=/; Secure; HttpOnly; SameSite=Strict"));
    snprintf(path, sizeof(path), "%s", field_of_answer("Location"));
    assert_value("@odata.id", path);
    assert_value("UserName", "look");
    assert_value("Password", "null");
    assert_value("CreatedTime", "2023-11-14T22:13:20Z");

    /* Others' sessions are an administrator's business. */
    ask_role = ACCESS_READ_ONLY;
    assert_int_equal(get(SESSIONS), 200);
    assert_value("Members@odata.count", "1");
    ask_role = ACCESS_NOBODY;
    assert_int_equal(
        ask(HTTP_POST, SESSIONS, "{\"UserName\":\"admin\",\"Password\":\"password of admin\"}"),
        201);
    char other[160];
    snprintf(other, sizeof(other), "%s", field_of_answer("Location"));
    ask_role = ACCESS_READ_ONLY;
    assert_int_equal(get(SESSIONS), 200);
    assert_value("Members@odata.count", "1");
    assert_int_equal(get(other), 404);
    assert_int_equal(ask(HTTP_DELETE, other, NULL), 404);
    ask_session = strrchr(path, '/') + 1;
    assert_int_equal(ask(HTTP_DELETE, path, NULL), 204);
    assert_non_null(strstr(field_of_answer("Set-Cookie"), "innkeeper=; Path=/; Max-Age=0;"));
    ask_session = "";
    ask_role = ACCESS_ADMINISTRATOR;
    assert_int_equal(get(SESSIONS), 200);
    assert_value("Members@odata.count", "1");
    assert_int_equal(ask(HTTP_DELETE, other, NULL), 204);
    assert_null(field_of_answer("Set-Cookie"));
}

static void session_service(void **state)
{
    (void)state;
    assert_int_equal(ask(HTTP_PATCH, V1 "/SessionService", "{\"SessionTimeout\":300}"), 200);
    assert_value("SessionTimeout", "300");
    assert_int_equal(ask(HTTP_PATCH, V1 "/SessionService", "{\"SessionTimeout\":29}"), 400);
    assert_message("PropertyValueOutOfRange");
    assert_int_equal(access_session_timeout(), 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(root, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(links, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(unknown, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(queries, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(etags, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(fields, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(bodies, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(sessions, ask_setup, ask_teardown),
        cmocka_unit_test_setup_teardown(session_service, ask_setup, ask_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
