/* libFuzzer target: any request for Redfish, to a machine that is none. The input is a line with
 * method, role and target ("GA/redfish/v1?$top=1"), a line with the value of a header field, and
 * the body. Whatever it is, the answer is JSON, and who may not change anything has not. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/json.h"
#include "manage/http/answer.h"
#include "manage/redfish/redfish.h"
#include "tests/unit/redfish/as_server.h"
#include "tests/unit/redfish/fake_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned access_changes;

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* Two accounts and a session, which nothing changes. */

bool access_session(unsigned index, uint64_t now, struct access_session *session)
{
    *session = (struct access_session){"0123456789abcdef", "admin", "10.0.2.2", now, now};
    return index == 0;
}

bool access_find_session(const char *id, uint64_t now, struct access_session *session)
{
    return access_session(0, now, session) && strcmp(id, session->id) == 0;
}

int access_close_session(const char *id)
{
    (void)id;
    access_changes++;
    return 0;
}

enum access_result access_open_session(const char *name, const char *password, const char *peer,
                                       uint64_t now, struct access_session *session,
                                       char token[ACCESS_TOKEN_SIZE], unsigned *retry_after)
{
    (void)peer;
    require(strnlen(name, ACCESS_NAME_SIZE) < ACCESS_NAME_SIZE &&
            strnlen(password, ACCESS_PASSWORD_SIZE) < ACCESS_PASSWORD_SIZE);
    *retry_after = 5;
    strcpy(token, "token");
    access_session(0, now, session);
    return name[0] == 'a' ? ACCESS_GRANTED : name[0] == 'b' ? ACCESS_TOO_MANY : ACCESS_WRONG;
}

unsigned access_session_timeout(void)
{
    return 1800;
}

int access_set_session_timeout(unsigned seconds)
{
    require(seconds >= 30 && seconds <= 86400);
    access_changes++;
    return 0;
}

bool access_account(unsigned index, uint64_t now, struct access_account *account)
{
    (void)now;
    *account = (struct access_account){"admin", ACCESS_ADMINISTRATOR, true, false};
    if (index == 1) {
        *account = (struct access_account){"look", ACCESS_READ_ONLY, true, true};
    }
    return index < 2;
}

bool access_find_account(const char *name, uint64_t now, struct access_account *account)
{
    return (access_account(0, now, account) && strcmp(name, account->name) == 0) ||
           (access_account(1, now, account) && strcmp(name, account->name) == 0);
}

static int change(char *reason, size_t size)
{
    access_changes++;
    snprintf(reason, size, "no");
    return access_changes % 2 == 0 ? -EINVAL : 0;
}

int access_add_account(const char *name, const char *password, enum access_role role, bool enabled,
                       char *reason, size_t size)
{
    (void)name;
    (void)password;
    (void)role;
    (void)enabled;
    return change(reason, size);
}

int access_remove_account(const char *name, char *reason, size_t size)
{
    (void)name;
    return change(reason, size);
}

int access_set_password(const char *name, const char *password, const char *keep, char *reason,
                        size_t size)
{
    (void)name;
    (void)password;
    (void)keep;
    change(reason, size);
    access_changes--; /* one's own is no harm */
    return 0;
}

int access_set_role(const char *name, enum access_role role, bool enabled, const char *keep,
                    char *reason, size_t size)
{
    (void)name;
    (void)role;
    (void)enabled;
    (void)keep;
    return change(reason, size);
}

void access_audit(const struct access_identity *who, const char *peer, const char *format, ...)
{
    (void)peer;
    (void)format;
    require(who->role != ACCESS_NOBODY);
}

int http_stream_send(struct http_stream *stream, bool text, const void *bytes, size_t length)
{
    (void)stream;
    (void)text;
    (void)bytes;
    (void)length;
    return 0;
}

static void upload(const struct http_route *route, const struct http_request *request,
                   const char *body, size_t length, struct http_answer *answer)
{
    void *context = route->upload->begin(request, UINT64_MAX, answer);

    if (context != NULL) {
        int error = route->upload->data(context, body, length);
        route->upload->end(context, request, error == 0 && length % 2 == 0, answer);
    }
}

static void serve(const struct http_route *route, struct http_request *request,
                  struct http_answer *answer)
{
    unsigned status = server_refusal(route, request);

    if (status != 0) {
        http_status(answer, status);
        route->error(request, answer, status, "refused");
    } else if (route->upload != NULL && request->method == HTTP_PUT) {
        const char *body = request->body;
        size_t length = request->body_length;

        request->body = "";
        request->body_length = 0;
        upload(route, request, body, length, answer);
    } else {
        route->handle(request, answer);
    }
}

static void check_answer(const struct http_answer *answer)
{
    struct json json;
    struct json_error error;
    size_t length;
    const char *body = http_body(answer, &length);
    unsigned status = http_answer_status(answer);

    require(status >= 200 && status < 600 && !answer->failed);
    if (length > 0 && length <= JSON_LENGTH_MAX && body[0] != '<') {
        require(json_parse(&json, body, length, &error) == 0);
        json_free(&json);
    }
    require(length > 0 || status == 204 || status == 304 || answer->stream != NULL);
}

/* Takes a line; a copy of its own, so that reading past its end is seen. */
static char *take_line(const uint8_t **data, size_t *size)
{
    const uint8_t *end = memchr(*data, '\n', *size);
    size_t length = end != NULL ? (size_t)(end - *data) : *size;
    char *line = strndup((const char *)*data, length);

    length += end != NULL ? 1 : 0;
    *data += length;
    *size -= length;
    return line;
}

static void run(char *target, char *value, const char *body, size_t size)
{
    static const char methods[] = "GHPUAD"; /* as in enum http_method */
    const char *method = strchr(methods, target[0]);
    char *query = strchr(target, '?');
    struct http_field fields[] = {{"If-Match", value}, {"Content-Type", "application/json"}};
    struct http_answer answer = {0};
    struct http_request request = {.path = target + 2,
                                   .query = "",
                                   .fields = fields,
                                   .field_count = 2,
                                   .body = body,
                                   .body_length = size,
                                   .peer = "10.0.2.2",
                                   .now = 1};

    static const char *const names[] = {"If-Match", "If-None-Match", "OData-Version",
                                        "Last-Event-ID"};
    if (value[0] >= '0' && value[0] <= '3') {
        fields[0].name = names[value[0] - '0'];
        fields[0].value = value + 1;
    } else {
        request.field_count = 0;
    }
    if (query != NULL) {
        *query = '\0';
        request.query = query + 1;
    }
    if (method == NULL) {
        return;
    }
    request.method = (enum http_method)(method - methods);
    request.who.role = target[1] == 'A'   ? ACCESS_ADMINISTRATOR
                       : target[1] == 'R' ? ACCESS_READ_ONLY
                                          : ACCESS_NOBODY;
    snprintf(request.who.name, sizeof(request.who.name), "%s", target[1] == 'A' ? "admin" : "look");
    const struct http_route *route = find_redfish_route(request.path);
    if (route != NULL) {
        serve(route, &request, &answer);
        check_answer(&answer);
        if (answer.stream != NULL) {
            answer.stream->service(NULL, answer.stream_context);
            answer.stream->closed(NULL, answer.stream_context);
        }
        require(request.who.role == ACCESS_ADMINISTRATOR ||
                (fake.changes == 0 && access_changes == 0));
    }
    http_answer_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *target = take_line(&data, &size);
    char *value = take_line(&data, &size);
    char *body = calloc(1, size + 1);

    memcpy(body, data, size);
    access_changes = 0;
    fake_machine_reset();
    if (strlen(target) >= 2) {
        run(target, value, body, size);
    }
    free(target);
    free(value);
    free(body);
    return 0;
}
