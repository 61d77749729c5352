#include "tests/unit/redfish/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "guest/json.h"
#include "manage/access/accounts.h"
#include "manage/http/answer.h"
#include "manage/redfish/redfish.h"
#include "tests/unit/redfish/as_server.h"
#include "tests/unit/redfish/fake_machine.h"
#include "tests/unit/support/cmocka.h"

enum access_role ask_role;
const char *ask_session;

static struct http_answer answer;
static struct json json;
static bool parsed;
static char *document;

/* What was sent to the stream, and how much more is taken. */
static char sent[65536];
static size_t sent_length;
static size_t room_left;

int http_stream_send(struct http_stream *stream, bool text, const void *bytes, size_t length)
{
    (void)stream;
    (void)text;
    assert_true(sent_length + length < sizeof(sent));
    if (length > room_left) {
        return -EAGAIN;
    }
    room_left -= length;
    memcpy(sent + sent_length, bytes, length);
    sent_length += length;
    sent[sent_length] = '\0';
    return 0;
}

bool is_stream(void)
{
    return answer.stream != NULL;
}

const char *serve_stream(size_t room)
{
    room_left = room;
    answer.stream->service(NULL, answer.stream_context);
    return sent;
}

static void forget_answer(void)
{
    if (answer.stream != NULL) {
        answer.stream->closed(NULL, answer.stream_context);
        answer.stream = NULL;
    }
    sent_length = 0;
    sent[0] = '\0';
    http_answer_free(&answer);
    if (parsed) {
        json_free(&json);
    }
    parsed = false;
    free(document);
    document = NULL;
}

int ask_setup(void **state)
{
    char reason[128];

    (void)state;
    ask_role = ACCESS_ADMINISTRATOR;
    ask_session = "";
    fake_machine_reset();
    accounts_init();
    assert_int_equal(access_add_account("admin", "password of admin", ACCESS_ADMINISTRATOR, true,
                                        reason, sizeof(reason)),
                     0);
    assert_int_equal(access_add_account("look", "look: do not touch", ACCESS_READ_ONLY, true,
                                        reason, sizeof(reason)),
                     0);
    return 0;
}

int ask_teardown(void **state)
{
    (void)state;
    forget_answer();
    return 0;
}

static void upload(const struct http_route *route, const struct http_request *request,
                   const char *body, size_t length)
{
    const char *announced = http_field(request, "Content-Length");
    /* In chunks, unless it is said how much should come, of which more may never do. */
    void *context = route->upload->begin(
        request, announced != NULL ? strtoul(announced, NULL, 10) : UINT64_MAX, &answer);

    if (context != NULL) {
        int error = 0;

        for (size_t i = 0; i < length && error == 0; i += 1000) {
            error = route->upload->data(context, body + i, length - i < 1000 ? length - i : 1000);
        }
        bool complete = announced == NULL || strtoul(announced, NULL, 10) == length;
        route->upload->end(context, request, error == 0 && complete, &answer);
    }
}

static void parse_answer(void)
{
    struct json_error error = {.message = "", .offset = 0};
    const char *type = field_of_answer("Content-Type");
    size_t length;
    const char *bytes = http_body(&answer, &length);

    assert_false(answer.failed);
    document = calloc(1, length + 1);
    memcpy(document, bytes, length);
    if (length > JSON_LENGTH_MAX) {
        return; /* the reader takes no more */
    }
    if (length == 0 || strcmp(type, "application/json") != 0) {
        return;
    }
    if (json_parse(&json, document, length, &error) != 0) {
        fail_msg("%s at %zu: %s", error.message, error.offset, document);
    }
    parsed = true;
}

unsigned ask_with(enum http_method method, const char *path, const char *body, const char *name,
                  const char *value)
{
    struct http_field fields[] = {{"Content-Type", "application/json"}, {name, value}};
    char *copy = strdup(path);
    char *query = strchr(copy, '?');
    struct http_request request = {.method = method,
                                   .path = copy,
                                   .query = "",
                                   .fields = fields,
                                   .field_count = name != NULL ? 2 : 1,
                                   .secure = true,
                                   .peer = "10.0.2.2",
                                   .now = ASK_NOW};

    forget_answer();
    if (query != NULL) {
        *query = '\0';
        request.query = query + 1;
    }
    if (name != NULL && strcmp(name, "Content-Type") == 0) {
        fields[0] = fields[1];
        request.field_count = 1;
    }
    request.who.role = ask_role;
    snprintf(request.who.name, sizeof(request.who.name), "%s",
             ask_role == ACCESS_ADMINISTRATOR ? "admin"
             : ask_role == ACCESS_READ_ONLY   ? "look"
                                              : "");
    snprintf(request.who.session, sizeof(request.who.session), "%s", ask_session);
    const struct http_route *route = find_redfish_route(copy);
    assert_non_null(route);
    bool uploads = route->upload != NULL && (method == HTTP_PUT || method == HTTP_POST);
    /* A body of its own, so that reading past its end is seen. */
    size_t length = body != NULL ? strlen(body) : 0;
    char *own = calloc(1, length + 1);
    memcpy(own, body != NULL ? body : "", length);
    request.body = uploads ? "" : own;
    request.body_length = uploads ? 0 : length;
    unsigned status = server_refusal(route, &request);
    if (status != 0) {
        http_status(&answer, status);
        route->error(&request, &answer, status, "refused by the server");
    } else if (uploads) {
        upload(route, &request, own, length);
    } else {
        route->handle(&request, &answer);
    }
    free(own);
    free(copy);
    parse_answer();
    if (is_stream()) {
        room_left = sizeof(sent);
        answer.stream->opened(NULL, answer.stream_context);
    }
    return http_answer_status(&answer);
}

unsigned ask(enum http_method method, const char *path, const char *body)
{
    return ask_with(method, path, body, NULL, NULL);
}

const char *field_of_answer(const char *name)
{
    static char value[512];
    const char *line = answer.fields.length > 0 ? answer.fields.bytes : "";
    bool found = false;

    while (*line != '\0') {
        const char *end = strstr(line, "\r\n");
        size_t length = strlen(name);

        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            assert_false(found);
            found = true;
            snprintf(value, sizeof(value), "%.*s", (int)(end - line - (int)length - 2),
                     line + length + 2);
        }
        line = end + 2;
    }
    return found ? value : NULL;
}

const char *body_of_answer(void)
{
    return document;
}

/* The member or element of a container by its name or number; 0 if it is not there. */
static json_value find_member(json_value container, const char *name, size_t length)
{
    json_value value = container + 1;

    for (unsigned i = 0; i < json_size(&json, container); i++) {
        char key[128];

        if (json_type(&json, container) == JSMN_ARRAY) {
            snprintf(key, sizeof(key), "%u", i);
        } else {
            assert_true(json_string(&json, value++, key, sizeof(key)) >= 0);
        }
        if (strlen(key) == length && strncmp(key, name, length) == 0) {
            return value;
        }
        value = json_next(&json, value);
    }
    return 0;
}

/* The value at a path; 0, which is the document, if it is not there. */
static json_value find_value(const char *path)
{
    json_value at = 0;

    assert_true(parsed);
    while (*path != '\0') {
        size_t length = strcspn(path, "/");

        at = find_member(at, path, length);
        if (at == 0) {
            return 0;
        }
        path += length;
        path += *path == '/' ? 1 : 0;
    }
    return at;
}

const char *value_at(const char *path)
{
    static char texts[4][2048]; /* several in one expression */
    static unsigned next;
    char *text = texts[next++ % 4];
    json_value value = find_value(path);

    if (value == 0) {
        return NULL;
    }
    if (json_type(&json, value) == JSMN_STRING) {
        assert_true(json_string(&json, value, text, sizeof(texts[0])) >= 0);
        return text;
    }
    const jsmntok_t *token = &json.tokens[value];
    snprintf(text, sizeof(texts[0]), "%.*s", token->end - token->start, json.text + token->start);
    return text;
}

int size_at(const char *path)
{
    json_value value = find_value(path);

    return value == 0 && *path != '\0' ? -1 : (int)json_size(&json, value);
}

void assert_value(const char *path, const char *wanted)
{
    const char *value = value_at(path);

    if (value == NULL) {
        fail_msg("%s is not in %s", path, document);
    }
    assert_string_equal(value, wanted);
}

void assert_message(const char *id)
{
    bool found = false;

    assert_non_null(value_at("error/code"));
    for (int i = 0; i < size_at("error/@Message.ExtendedInfo"); i++) {
        char path[64];

        snprintf(path, sizeof(path), "error/@Message.ExtendedInfo/%d/MessageId", i);
        const char *name = strrchr(value_at(path), '.') + 1;
        found = found || strcmp(name, id) == 0;
    }
    if (!found) {
        fail_msg("%s is not in %s", id, document);
    }
}
