/*
 * SessionService: who logs in gets a token for the header X-Auth-Token, and browsers a cookie.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "manage/redfish/properties.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"

#define COOKIE_SIZE 160
#define TIMEOUT_MIN 30u
#define TIMEOUT_MAX 86400u

static bool is_administrator(const struct redfish_call *call)
{
    return call->request->who.role == ACCESS_ADMINISTRATOR;
}

static void get_service(struct redfish_call *call, struct redfish_target *target)
{
    (void)target;
    redfish_header(call, SCHEMA_SESSION_SERVICE, "SessionService", "Session Service");
    json_add_bool(&call->json, "ServiceEnabled", true);
    json_add_number(&call->json, "SessionTimeout", access_session_timeout());
    redfish_put_status(call, "Enabled", "OK");
    redfish_link(call, "Sessions", "SessionService/Sessions");
}

static void patch_service(struct redfish_call *call, struct redfish_target *target)
{
    static const struct property properties[] = {
        {.name = "SessionTimeout", .type = PROPERTY_NUMBER, .min = TIMEOUT_MIN, .max = TIMEOUT_MAX},
        {.name = "ServiceEnabled", .type = PROPERTY_READ_ONLY},
    };
    uint64_t timeout = 0;
    uint32_t present;

    if (!redfish_read_body(call, NULL, properties, PROPERTY_COUNT(properties), &timeout,
                           &present)) {
        return;
    }
    int error = timeout != 0 ? access_set_session_timeout((unsigned)timeout) : 0;
    if (error != 0) {
        redfish_refuse_errno(call, error, "SessionTimeout");
        return;
    }
    redfish_audit(call, "session timeout set to %lu s", timeout);
    redfish_answer_changed(call, target);
}

/* A page asks for passwords itself: of this, its browser would make a dialog. */
static void offer_basic(struct redfish_call *call)
{
    const char *asker = http_field(call->request, "X-Requested-With");

    if (asker == NULL || strcmp(asker, "XMLHttpRequest") != 0) {
        http_add_field(call->answer, "WWW-Authenticate", "Basic realm=\"Innkeeper\"");
    }
}

/* The collection's route is public, for those who log in. */
static bool is_known(struct redfish_call *call)
{
    if (call->request->who.role == ACCESS_NOBODY) {
        redfish_refuse(call, MESSAGE_NO_VALID_SESSION, "", NULL, NULL, NULL);
        offer_basic(call);
        return false;
    }
    return true;
}

static bool may_see(const struct redfish_call *call, const struct access_session *session)
{
    return call->opened || is_administrator(call) ||
           strcmp(session->user, call->request->who.name) == 0;
}

static void get_sessions(struct redfish_call *call, struct redfish_target *target)
{
    struct access_session session;

    if (!is_known(call)) {
        return;
    }
    redfish_begin_members(call, SCHEMA_SESSIONS, "Sessions");
    for (unsigned i = 0; access_session(i, call->request->now, &session); i++) {
        if (may_see(call, &session)) {
            redfish_member(call, "SessionService/Sessions/%s", session.id);
        }
    }
    redfish_end_members(call, target);
}

static bool find_session(const struct redfish_call *call, struct redfish_target *target)
{
    return access_find_session(target->name, call->request->now, &target->session) &&
           may_see(call, &target->session);
}

static void get_session(struct redfish_call *call, struct redfish_target *target)
{
    const struct access_session *session = &target->session;
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_SESSION, session->id, "User Session");
    json_add_string(json, "UserName", session->user);
    json_add_null(json, "Password");
    json_add_string(json, "SessionType", "Redfish");
    json_add_string(json, "ClientOriginIPAddress", session->peer);
    redfish_put_time(call, "CreatedTime", session->created);
}

static void set_cookie(struct redfish_call *call, const char *token)
{
    char cookie[COOKIE_SIZE];

    snprintf(cookie, sizeof(cookie), "%s=%s; Path=/;%s%s HttpOnly; SameSite=Strict", ACCESS_COOKIE,
             token, token[0] == '\0' ? " Max-Age=0;" : "", call->request->secure ? " Secure;" : "");
    http_add_field(call->answer, "Set-Cookie", cookie);
}

struct login {
    char name[ACCESS_NAME_SIZE];
    char password[ACCESS_PASSWORD_SIZE];
};

static void refuse_login(struct redfish_call *call, enum access_result result, unsigned retry_after)
{
    char seconds[16];

    if (result == ACCESS_TOO_MANY) {
        snprintf(seconds, sizeof(seconds), "%u", retry_after);
        http_add_field(call->answer, "Retry-After", seconds);
        redfish_refuse(call, MESSAGE_REFUSED, "", "There were too many wrong passwords; wait.",
                       NULL, NULL);
        redfish_refuse(call, MESSAGE_UNAVAILABLE, "", seconds, NULL, NULL);
        call->status = 429;
    } else {
        redfish_refuse(call, MESSAGE_WRONG_CREDENTIALS, "", call->request->path,
                       "wrong user name or password", NULL);
        offer_basic(call);
    }
}

static void post_session(struct redfish_call *call, struct redfish_target *target)
{
    static const struct property properties[] = {
        {.name = "UserName",
         .type = PROPERTY_TEXT,
         .offset = offsetof(struct login, name),
         .size = ACCESS_NAME_SIZE,
         .required = true},
        {.name = "Password",
         .type = PROPERTY_TEXT,
         .offset = offsetof(struct login, password),
         .size = ACCESS_PASSWORD_SIZE,
         .required = true},
    };
    struct login login;
    struct access_session session;
    char token[ACCESS_TOKEN_SIZE];
    char path[REDFISH_PATH_SIZE];
    uint32_t present;
    unsigned retry_after = 0;

    (void)target;
    if (!redfish_read_body(call, NULL, properties, PROPERTY_COUNT(properties), &login, &present)) {
        return;
    }
    enum access_result result =
        access_open_session(login.name, login.password, call->request->peer, call->request->now,
                            &session, token, &retry_after);
    memset(&login, 0, sizeof(login));
    if (result != ACCESS_GRANTED) {
        refuse_login(call, result, retry_after);
        return;
    }
    call->opened = true; /* who asks may see the session, though the request came from nobody */
    http_add_field(call->answer, "X-Auth-Token", token);
    set_cookie(call, token);
    snprintf(path, sizeof(path), REDFISH_ROOT "/SessionService/Sessions/%s", session.id);
    redfish_answer_created(call, path);
}

static void delete_session(struct redfish_call *call, struct redfish_target *target)
{
    const struct access_session *session = &target->session;

    access_close_session(session->id);
    if (strcmp(session->user, call->request->who.name) != 0) {
        redfish_audit(call, "session %s of %s ended", session->id, session->user);
    }
    if (strcmp(session->id, call->request->who.session) == 0) {
        set_cookie(call, "");
    }
    redfish_answer_nothing(call);
}

static const struct redfish_resource table[] = {
    {.pattern = "SessionService", .get = get_service, .patch = patch_service},
    {.pattern = "SessionService/Sessions", .get = get_sessions, .post = post_session},
    {.pattern = "SessionService/Sessions/*",
     .find = find_session,
     .get = get_session,
     .remove = delete_session},
};

const struct redfish_resources session_resources = REDFISH_RESOURCES(table);
