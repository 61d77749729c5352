/*
 * AccountService: who may log in, and what they may do then.
 */
#include <stdio.h>
#include <string.h>

#include "manage/redfish/properties.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"

#define ROLE_SIZE 24u

static const char *const role_names[] = {"Administrator", "ReadOnly", NULL};

static const char *role_name(enum access_role role)
{
    return role_names[role == ACCESS_ADMINISTRATOR ? 0 : 1];
}

static enum access_role role_of(const char *name)
{
    return strcmp(name, role_names[0]) == 0 ? ACCESS_ADMINISTRATOR : ACCESS_READ_ONLY;
}

static bool is_administrator(const struct redfish_call *call)
{
    return call->request->who.role == ACCESS_ADMINISTRATOR;
}

/* Accounts are in memory; what the machine is started with makes them anew. */
static void note_end(struct redfish_call *call, const char *name)
{
    char what[ACCESS_NAME_SIZE + 16];

    snprintf(what, sizeof(what), "account %s", name);
    redfish_note(call, MESSAGE_UNTIL_BOOT, what);
}

/* The routes to accounts are open to all who have one, for their own. */
static bool only_administrator(struct redfish_call *call)
{
    if (!is_administrator(call)) {
        redfish_refuse(call, MESSAGE_INSUFFICIENT_PRIVILEGE, "", NULL, NULL, NULL);
        return false;
    }
    return true;
}

/* Others' accounts are an administrator's business. */
static bool may_see(const struct redfish_call *call, const char *name)
{
    return is_administrator(call) || strcmp(call->request->who.name, name) == 0;
}

static void get_service(struct redfish_call *call, struct redfish_target *target)
{
    struct json_writer *json = &call->json;

    (void)target;
    redfish_header(call, SCHEMA_ACCOUNT_SERVICE, "AccountService", "Account Service");
    json_add_bool(json, "ServiceEnabled", true);
    json_add_string(json, "LocalAccountAuth", "Enabled");
    json_add_number(json, "MinPasswordLength", ACCESS_PASSWORD_MIN);
    json_add_number(json, "MaxPasswordLength", ACCESS_PASSWORD_SIZE - 1);
    redfish_put_status(call, "Enabled", "OK");
    redfish_link(call, "Accounts", "AccountService/Accounts");
    redfish_link(call, "Roles", "AccountService/Roles");
}

static void get_accounts(struct redfish_call *call, struct redfish_target *target)
{
    struct access_account account;

    redfish_begin_members(call, SCHEMA_ACCOUNTS, "Accounts");
    for (unsigned i = 0; access_account(i, call->request->now, &account); i++) {
        if (may_see(call, account.name)) {
            redfish_member(call, "AccountService/Accounts/%s", account.name);
        }
    }
    redfish_end_members(call, target);
}

static bool find_account(const struct redfish_call *call, struct redfish_target *target)
{
    return may_see(call, target->name) &&
           access_find_account(target->name, call->request->now, &target->account);
}

static void get_account(struct redfish_call *call, struct redfish_target *target)
{
    static const char *const types[] = {"Redfish", "WebUI", NULL};
    const struct access_account *account = &target->account;
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_ACCOUNT, account->name, "User Account");
    json_add_string(json, "UserName", account->name);
    json_add_null(json, "Password");
    json_add_string(json, "RoleId", role_name(account->role));
    json_add_bool(json, "Enabled", account->enabled);
    json_add_bool(json, "Locked", account->locked);
    json_add_strings(json, "AccountTypes", types);
    redfish_begin_links(call);
    redfish_link(call, "Role", "AccountService/Roles/%s", role_name(account->role));
    redfish_end_links(call);
}

struct change {
    char name[ACCESS_NAME_SIZE];
    char password[ACCESS_PASSWORD_SIZE];
    char role[ROLE_SIZE];
    bool enabled;
};

enum { HAS_PASSWORD = 1, HAS_ROLE = 2, HAS_ENABLED = 4 };

static void post_account(struct redfish_call *call, struct redfish_target *target)
{
    static const struct property properties[] = {
        {.name = "UserName",
         .type = PROPERTY_TEXT,
         .offset = offsetof(struct change, name),
         .size = ACCESS_NAME_SIZE,
         .required = true},
        {.name = "Password",
         .type = PROPERTY_TEXT,
         .offset = offsetof(struct change, password),
         .size = ACCESS_PASSWORD_SIZE,
         .required = true},
        {.name = "RoleId",
         .type = PROPERTY_TEXT,
         .offset = offsetof(struct change, role),
         .size = ROLE_SIZE,
         .values = role_names,
         .required = true},
        {.name = "Enabled", .type = PROPERTY_BOOL, .offset = offsetof(struct change, enabled)},
    };
    struct change change = {.enabled = true};
    char reason[MACHINE_REASON_SIZE] = "";
    char path[REDFISH_PATH_SIZE];
    uint32_t present;

    (void)target;
    if (!only_administrator(call) ||
        !redfish_read_body(call, NULL, properties, PROPERTY_COUNT(properties), &change, &present)) {
        return;
    }
    int error = access_add_account(change.name, change.password, role_of(change.role),
                                   change.enabled, reason, sizeof(reason));
    memset(change.password, 0, sizeof(change.password));
    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_audit(call, "account %s made, %s, until the next boot", change.name, change.role);
    note_end(call, change.name);
    snprintf(path, sizeof(path), REDFISH_ROOT "/AccountService/Accounts/%s", change.name);
    redfish_answer_created(call, path);
}

static int apply(struct redfish_call *call, const struct access_account *account,
                 const struct change *change, uint32_t present, char *reason, size_t size)
{
    const char *keep = call->request->who.session;
    int error = 0;

    if ((present & (HAS_ROLE | HAS_ENABLED)) != 0) {
        enum access_role role = (present & HAS_ROLE) != 0 ? role_of(change->role) : account->role;
        bool enabled = (present & HAS_ENABLED) != 0 ? change->enabled : account->enabled;

        error = access_set_role(account->name, role, enabled, keep, reason, size);
        if (error == 0) {
            redfish_audit(call, "account %s: %s, %s until the next boot", account->name,
                          role_name(role), enabled ? "enabled" : "disabled");
        }
    }
    if (error == 0 && (present & HAS_PASSWORD) != 0) {
        error = access_set_password(account->name, change->password, keep, reason, size);
        if (error == 0) {
            redfish_audit(call, "account %s: another password until the next boot", account->name);
        }
    }
    return error;
}

static void patch_account(struct redfish_call *call, struct redfish_target *target)
{
    static const struct property properties[] = {
        {.name = "Password",
         .type = PROPERTY_TEXT,
         .offset = offsetof(struct change, password),
         .size = ACCESS_PASSWORD_SIZE,
         .present = HAS_PASSWORD},
        {.name = "RoleId",
         .type = PROPERTY_TEXT,
         .offset = offsetof(struct change, role),
         .size = ROLE_SIZE,
         .values = role_names,
         .present = HAS_ROLE},
        {.name = "Enabled",
         .type = PROPERTY_BOOL,
         .offset = offsetof(struct change, enabled),
         .present = HAS_ENABLED},
        {.name = "UserName", .type = PROPERTY_READ_ONLY},
        {.name = "Locked", .type = PROPERTY_READ_ONLY},
    };
    struct change change = {.enabled = true};
    char reason[MACHINE_REASON_SIZE] = "";
    uint32_t present;

    if (!redfish_read_body(call, NULL, properties, PROPERTY_COUNT(properties), &change, &present)) {
        return;
    }
    if (present != HAS_PASSWORD && !only_administrator(call)) {
        return;
    }
    int error = apply(call, &target->account, &change, present, reason, sizeof(reason));
    memset(change.password, 0, sizeof(change.password));
    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    note_end(call, target->account.name);
    redfish_answer_changed(call, target);
}

static void delete_account(struct redfish_call *call, struct redfish_target *target)
{
    char reason[MACHINE_REASON_SIZE] = "";

    if (!only_administrator(call)) {
        return;
    }
    int error = access_remove_account(target->name, reason, sizeof(reason));
    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_audit(call, "account %s removed until the next boot", target->name);
    redfish_answer_nothing(call);
}

static void get_roles(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_ROLES, "Roles");
    for (const char *const *name = role_names; *name != NULL; name++) {
        redfish_member(call, "AccountService/Roles/%s", *name);
    }
    redfish_end_members(call, target);
}

static bool find_role(const struct redfish_call *call, struct redfish_target *target)
{
    (void)call;
    return strcmp(target->name, role_names[0]) == 0 || strcmp(target->name, role_names[1]) == 0;
}

static void get_role(struct redfish_call *call, struct redfish_target *target)
{
    static const char *const all[] = {"Login",         "ConfigureManager",    "ConfigureUsers",
                                      "ConfigureSelf", "ConfigureComponents", NULL};
    static const char *const few[] = {"Login", "ConfigureSelf", NULL};
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_ROLE, target->name, "User Role");
    json_add_string(json, "RoleId", target->name);
    json_add_bool(json, "IsPredefined", true);
    json_add_strings(json, "AssignedPrivileges",
                     role_of(target->name) == ACCESS_ADMINISTRATOR ? all : few);
}

static const struct redfish_resource table[] = {
    {.pattern = "AccountService", .get = get_service},
    {.pattern = "AccountService/Accounts", .get = get_accounts, .post = post_account},
    {.pattern = "AccountService/Accounts/*",
     .find = find_account,
     .get = get_account,
     .patch = patch_account,
     .remove = delete_account},
    {.pattern = "AccountService/Roles", .get = get_roles},
    {.pattern = "AccountService/Roles/*", .find = find_role, .get = get_role},
};

const struct redfish_resources account_resources = REDFISH_RESOURCES(table);
