/*
 * From an HTTP request to the resource that its path names, and back: queries, ETags, methods,
 * errors.
 */
#include "manage/redfish/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/memory/heap.h"
#include "manage/redfish/query.h"

#define ETAG_SIZE  24
#define ALLOW_SIZE 48

char *redfish_extend_answer(void *context, size_t length)
{
    return http_extend(context, length);
}

static void begin_json(struct redfish_call *call)
{
    http_clear_body(call->answer);
    if (call->json.extend == NULL) {
        http_add_field(call->answer, "Content-Type", "application/json");
    }
    json_writer_init(&call->json, redfish_extend_answer, call->answer);
}

static void answer_errors(struct redfish_call *call)
{
    unsigned status = call->status;

    if (status == 0) {
        status = message_status(call->messages[0].id);
    }
    http_status(call->answer, status);
    begin_json(call);
    message_write_body(&call->json, call->messages, call->message_count);
}

static struct redfish_call *begin_call(const struct http_request *request,
                                       struct http_answer *answer)
{
    struct redfish_call *call = kzalloc(sizeof(*call));

    http_add_field(answer, "OData-Version", "4.0");
    if (call == NULL) {
        http_status(answer, 503);
        return NULL;
    }
    call->request = request;
    call->answer = answer;
    return call;
}

static void end_call(struct redfish_call *call)
{
    if (call->message_count > 0) {
        answer_errors(call);
    }
    for (unsigned i = 0; i <= REDFISH_EXPAND_MAX; i++) {
        kfree(call->targets[i]);
    }
    kfree(call);
}

struct redfish_target *redfish_target(struct redfish_call *call)
{
    struct redfish_target **target = &call->targets[call->level];

    if (*target == NULL) {
        *target = kmalloc(sizeof(**target));
    }
    return *target;
}

static void format_etag(uint64_t hash, char etag[ETAG_SIZE])
{
    /* Weak: readings may differ. */
    snprintf(etag, ETAG_SIZE, "W/\"%016lx\"", hash);
}

uint64_t redfish_write_object(struct redfish_call *call, struct redfish_target *target)
{
    struct json_writer *json = &call->json;
    char etag[ETAG_SIZE];

    json_begin_object(json);
    if (call->selection.count > 0 && call->level == (call->expand_levels > 0 ? 1 : 0)) {
        json_select(json, &call->selection);
    }
    json_add_string(json, "@odata.id", target->path);
    target->resource->get(call, target);
    uint64_t hash = json->hash;
    format_etag(hash, etag);
    json_add_string(json, "@odata.etag", etag);
    if (call->has_note && call->level == 0) {
        json_add_array(json, "@Message.ExtendedInfo");
        message_write(json, &call->note);
        json_end_array(json);
    }
    json_end_object(json);
    return hash;
}

/* Whether a list of ETags, as in If-Match, has this one. Theirs may have lost the W/ that says
 * that it is weak. */
static bool etag_listed(const char *list, const char *etag)
{
    return strcmp(list, "*") == 0 || strstr(list, etag + 2) != NULL;
}

/* The resource's ETag without writing it to anybody. */
static void find_etag(struct redfish_call *call, struct redfish_target *target,
                      char etag[ETAG_SIZE])
{
    json_writer_init(&call->json, NULL, NULL);
    format_etag(redfish_write_object(call, target), etag);
}

static void get(struct redfish_call *call, struct redfish_target *target)
{
    char etag[ETAG_SIZE];

    /* Nobody sees only what is public, not what it links to. */
    if (call->request->who.role != ACCESS_NOBODY) {
        redfish_read_query(call);
    }
    if (call->message_count > 0) {
        return;
    }
    begin_json(call);
    format_etag(redfish_write_object(call, target), etag);
    if (call->message_count > 0) {
        return;
    }
    if (call->paged && call->members == UINT64_MAX) {
        redfish_refuse(call, MESSAGE_QUERY_NOT_SUPPORTED_HERE, "", NULL, NULL, NULL);
        return;
    }
    /* With others' content in it, or only a part of its own, it is not what the ETag is of. */
    if (call->expand_levels > 0 || call->paged) {
        return;
    }
    http_add_field(call->answer, "ETag", etag);
    const char *have = http_field(call->request, "If-None-Match");
    if (have != NULL && etag_listed(have, etag)) {
        http_clear_body(call->answer);
        http_status(call->answer, 304);
    }
}

static redfish_handler find_handler(const struct redfish_resource *resource,
                                    enum http_method method)
{
    switch (method) {
    case HTTP_GET:
    case HTTP_HEAD:
        return resource->get != NULL ? get : NULL;
    case HTTP_POST:
        return resource->post;
    case HTTP_PUT:
        return resource->put;
    case HTTP_PATCH:
        return resource->patch;
    case HTTP_DELETE:
        return resource->remove;
    default:
        return NULL;
    }
}

static void tell_methods(struct redfish_call *call, const struct redfish_resource *resource)
{
    static const char *const names[HTTP_METHODS] = {
        [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    };
    char allow[ALLOW_SIZE];
    size_t used = 0;

    for (enum http_method method = HTTP_GET; method < HTTP_METHODS; method++) {
        if (find_handler(resource, method) != NULL) {
            used += (size_t)snprintf(allow + used, sizeof(allow) - used, "%s%s",
                                     used > 0 ? ", " : "", names[method]);
        }
    }
    http_add_field(call->answer, "Allow", allow);
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";

    return strncmp(type, json, sizeof(json) - 1) == 0 &&
           strchr("; ", type[sizeof(json) - 1]) != NULL;
}

/* What the header fields ask for is checked before anything is done. */
static void check_fields(struct redfish_call *call, struct redfish_target *target)
{
    const struct http_request *request = call->request;
    const char *version = http_field(request, "OData-Version");
    const char *type = http_field(request, "Content-Type");
    const char *etags = http_field(request, "If-Match");
    char etag[ETAG_SIZE];

    if (version != NULL && strcmp(version, "4.0") != 0) {
        redfish_refuse(call, MESSAGE_MEDIA_TYPE, "", "OData-Version", NULL, NULL);
        call->status = 412;
        return;
    }
    if (request->body_length > 0 && request->method != HTTP_GET && type != NULL && !is_json(type)) {
        redfish_refuse(call, MESSAGE_MEDIA_TYPE, "", "Content-Type", NULL, NULL);
        return;
    }
    if (etags != NULL && request->method != HTTP_GET && request->method != HTTP_HEAD &&
        target->resource->get != NULL) {
        find_etag(call, target, etag);
        if (!etag_listed(etags, etag)) {
            redfish_refuse(call, MESSAGE_PRECONDITION_FAILED, "", NULL, NULL, NULL);
        }
    }
}

static void serve(struct redfish_call *call)
{
    const char *path = call->request->path;
    struct redfish_target *target = redfish_target(call);

    call->members = UINT64_MAX;
    if (target == NULL) {
        redfish_refuse(call, MESSAGE_UNAVAILABLE, "", "1", NULL, NULL);
        return;
    }
    if (!redfish_find(call, path, target)) {
        redfish_refuse(call, MESSAGE_MISSING, "", path, NULL, NULL);
        return;
    }
    redfish_handler handler = find_handler(target->resource, call->request->method);
    tell_methods(call, target->resource);
    if (handler == NULL) {
        redfish_refuse(call, MESSAGE_METHOD_NOT_ALLOWED, "", NULL, NULL, NULL);
        return;
    }
    check_fields(call, target);
    if (call->message_count == 0) {
        handler(call, target);
    }
}

void redfish_handle(const struct http_request *request, struct http_answer *answer)
{
    struct redfish_call *call = begin_call(request, answer);

    if (call != NULL) {
        serve(call);
        end_call(call);
    }
}

void redfish_handle_error(const struct http_request *request, struct http_answer *answer,
                          unsigned status, const char *reason)
{
    struct redfish_call *call = begin_call(request, answer);

    if (call == NULL) {
        return;
    }
    call->status = status;
    switch (status) {
    case 401:
        redfish_refuse(call, MESSAGE_NO_VALID_SESSION, "", NULL, NULL, NULL);
        break;
    case 403:
        redfish_refuse(call, MESSAGE_INSUFFICIENT_PRIVILEGE, "", NULL, NULL, NULL);
        break;
    case 404:
        redfish_refuse(call, MESSAGE_MISSING, "", request->path, NULL, NULL);
        break;
    case 405:
        redfish_refuse(call, MESSAGE_METHOD_NOT_ALLOWED, "", NULL, NULL, NULL);
        break;
    case 413:
        redfish_refuse(call, MESSAGE_PAYLOAD_TOO_LARGE, "", NULL, NULL, NULL);
        break;
    case 503:
        redfish_refuse(call, MESSAGE_UNAVAILABLE, "", "1", NULL, NULL);
        break;
    default:
        redfish_refuse(call, status >= 500 ? MESSAGE_INTERNAL_ERROR : MESSAGE_GENERAL_ERROR, "",
                       NULL, NULL, NULL);
    }
    if (reason != NULL && reason[0] != '\0') {
        redfish_refuse(call, MESSAGE_REFUSED, "", reason, NULL, NULL);
    }
    end_call(call);
}

void redfish_answer_with(const struct http_request *request, struct http_answer *answer,
                         void (*write)(struct redfish_call *call, void *context), void *context)
{
    struct redfish_call *call = begin_call(request, answer);

    if (call != NULL) {
        write(call, context);
        end_call(call);
    }
}

static void copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text != NULL ? text : "");
}

void redfish_refuse(struct redfish_call *call, enum message_id id, const char *related,
                    const char *first, const char *second, const char *third)
{
    if (call->message_count == REDFISH_MESSAGES_MAX) {
        return;
    }
    struct message *message = &call->messages[call->message_count++];
    message->id = id;
    copy(message->related, sizeof(message->related), related);
    copy(message->arguments[0], sizeof(message->arguments[0]), first);
    copy(message->arguments[1], sizeof(message->arguments[1]), second);
    copy(message->arguments[2], sizeof(message->arguments[2]), third);
}

void redfish_note(struct redfish_call *call, enum message_id id, const char *first)
{
    call->note = (struct message){.id = id};
    copy(call->note.arguments[0], sizeof(call->note.arguments[0]), first);
    call->has_note = true;
}

void redfish_refuse_errno(struct redfish_call *call, int error, const char *reason)
{
    enum message_id id =
        error == -EINVAL || error == -ENAMETOOLONG ? MESSAGE_DESCRIPTION : MESSAGE_REFUSED;

    /* First what clients show, then what they may know. */
    redfish_refuse(call, id, "", reason, NULL, NULL);
    switch (error) {
    case -EBUSY:
        redfish_refuse(call, MESSAGE_IN_USE, "", NULL, NULL, NULL);
        break;
    case -ENOENT:
        call->status = 404;
        break;
    case -ENOSPC:
        redfish_refuse(call, MESSAGE_LIMIT_EXCEEDED, "", NULL, NULL, NULL);
        call->status = 507;
        break;
    case -EPERM:
        call->status = 403;
        break;
    case -ENOMEM:
        call->status = 503;
        break;
    default:
        break;
    }
}

void redfish_answer_resource(struct redfish_call *call, const char *path, unsigned status)
{
    struct redfish_target *target = redfish_target(call);

    http_status(call->answer, status);
    begin_json(call);
    if (target != NULL && redfish_find(call, path, target)) {
        redfish_write_object(call, target);
    } else {
        http_status(call->answer, 204); /* gone in the meantime */
        http_clear_body(call->answer);
    }
}

void redfish_answer_changed(struct redfish_call *call, const struct redfish_target *target)
{
    char path[REDFISH_PATH_SIZE];

    memcpy(path, target->path, sizeof(path));
    redfish_answer_resource(call, path, 200);
}

void redfish_answer_created(struct redfish_call *call, const char *path)
{
    http_add_field(call->answer, "Location", path);
    redfish_answer_resource(call, path, 201);
}

void redfish_answer_task(struct redfish_call *call, uint64_t task)
{
    char path[REDFISH_PATH_SIZE];

    snprintf(path, sizeof(path), REDFISH_ROOT "/TaskService/TaskMonitors/%lu", task);
    http_add_field(call->answer, "Location", path);
    snprintf(path, sizeof(path), REDFISH_ROOT "/TaskService/Tasks/%lu", task);
    redfish_answer_resource(call, path, 202);
}

void redfish_answer_nothing(struct redfish_call *call)
{
    http_status(call->answer, 204);
}
