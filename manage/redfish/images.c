/*
 * Oem/Innkeeper/Images: what VMs are booted from. Boot modules, and what was uploaded or fetched.
 */
#include "manage/redfish/images.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/memory/heap.h"
#include "manage/redfish/call.h"
#include "manage/redfish/properties.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"

#define IMAGES_PATH "Oem/Innkeeper/Images"

/* Names that are the same in a path, whoever writes it. */
static bool is_name(const char *name)
{
    const char *c = name;

    while ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
           (*c != '\0' && strchr("._~-", *c) != NULL)) {
        c++;
    }
    return c > name && *c == '\0' && c - name < DESCRIPTION_MODULE_NAME_SIZE;
}

static int refuse_name(char *reason, size_t size)
{
    snprintf(reason, size, "an image's name has up to %u letters, digits and . _ ~ -",
             DESCRIPTION_MODULE_NAME_SIZE - 1u);
    return -EINVAL;
}

static void get_images(struct redfish_call *call, struct redfish_target *target)
{
    redfish_begin_members(call, SCHEMA_IMAGES, "Images");
    for (unsigned i = 0; machine()->image(i, &target->image); i++) {
        redfish_member(call, IMAGES_PATH "/%s", target->image.name);
    }
    redfish_end_members(call, target);
}

static bool find_image(const struct redfish_call *call, struct redfish_target *target)
{
    (void)call;
    return machine()->find_image(target->name, &target->image);
}

static void get_image(struct redfish_call *call, struct redfish_target *target)
{
    static const char *const sources[] = {
        [MACHINE_IMAGE_MODULE] = "module",
        [MACHINE_IMAGE_UPLOADED] = "uploaded",
        [MACHINE_IMAGE_FETCHED] = "fetched",
    };
    const struct machine_image *image = &target->image;
    struct json_writer *json = &call->json;

    redfish_header(call, SCHEMA_IMAGE, image->name, image->name);
    json_add_number(json, "SizeBytes", image->size);
    json_add_string(json, "Source", sources[image->source]);
    json_add_number(json, "UsedBy", image->used_by);
}

struct fetch {
    char name[DESCRIPTION_MODULE_NAME_SIZE];
    char url[MACHINE_URL_SIZE];
};

static void fetch_image(struct redfish_call *call, struct redfish_target *target)
{
    static const struct property properties[] = {
        {.name = "Name",
         .type = PROPERTY_TEXT,
         .offset = offsetof(struct fetch, name),
         .size = DESCRIPTION_MODULE_NAME_SIZE,
         .required = true},
        {.name = "ImageURI",
         .type = PROPERTY_TEXT,
         .offset = offsetof(struct fetch, url),
         .size = MACHINE_URL_SIZE,
         .required = true},
    };
    struct fetch fetch;
    char reason[MACHINE_REASON_SIZE] = "";
    uint64_t task = 0;
    uint32_t present;

    (void)target;
    if (!redfish_read_body(call, NULL, properties, PROPERTY_COUNT(properties), &fetch, &present)) {
        return;
    }
    int error = is_name(fetch.name)
                    ? machine()->image_fetch(fetch.name, fetch.url, &task, reason, sizeof(reason))
                    : refuse_name(reason, sizeof(reason));
    if (error != 0 && error != -EINPROGRESS) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_audit(call, "image %s is fetched from %s", fetch.name, fetch.url);
    redfish_answer_task(call, task);
}

static void delete_image(struct redfish_call *call, struct redfish_target *target)
{
    char reason[MACHINE_REASON_SIZE] = "";
    int error = machine()->delete_image(target->name, reason, sizeof(reason));

    if (error != 0) {
        redfish_refuse_errno(call, error, reason);
        return;
    }
    redfish_audit(call, "image %s deleted", target->name);
    redfish_answer_nothing(call);
}

static const struct redfish_resource table[] = {
    {.pattern = IMAGES_PATH, .get = get_images, .post = fetch_image},
    {.pattern = IMAGES_PATH "/*", .find = find_image, .get = get_image, .remove = delete_image},
};

const struct redfish_resources image_resources = REDFISH_RESOURCES(table);

/* An image that is being uploaded. */
struct upload {
    void *upload; /* the machine's */
    char name[DESCRIPTION_MODULE_NAME_SIZE];
    bool replaces;
    uint64_t bytes;
    int error;
    char reason[MACHINE_REASON_SIZE];
};

static void refuse_upload(struct redfish_call *call, void *context)
{
    const struct upload *upload = context;

    redfish_refuse_errno(call, upload->error, upload->reason);
}

static void tell_upload(struct redfish_call *call, void *context)
{
    const struct upload *upload = context;

    redfish_audit(call, "image %s uploaded, %lu bytes", upload->name, upload->bytes);
    if (upload->replaces) {
        redfish_answer_resource(call, call->request->path, 200);
    } else {
        redfish_answer_created(call, call->request->path);
    }
}

static void *begin_upload(const struct http_request *request, uint64_t length,
                          struct http_answer *answer)
{
    struct upload *upload = kzalloc(sizeof(*upload));
    struct machine_image image;
    const char *name = request->path + sizeof(REDFISH_ROOT "/" IMAGES_PATH);

    if (upload == NULL) {
        http_status(answer, 503);
        return NULL;
    }
    upload->replaces = machine()->find_image(name, &image);
    if (!is_name(name)) {
        upload->error = refuse_name(upload->reason, sizeof(upload->reason));
    } else {
        snprintf(upload->name, sizeof(upload->name), "%s", name);
        upload->error = machine()->image_begin(name, length, &upload->upload, upload->reason,
                                               sizeof(upload->reason));
    }
    if (upload->error != 0) {
        redfish_answer_with(request, answer, refuse_upload, upload);
        kfree(upload);
        return NULL;
    }
    return upload;
}

static int take_upload(void *context, const void *bytes, size_t length)
{
    struct upload *upload = context;

    upload->bytes += length;
    upload->error = machine()->image_data(upload->upload, bytes, length, upload->reason,
                                          sizeof(upload->reason));
    return upload->error;
}

static void end_upload(void *context, const struct http_request *request, bool complete,
                       struct http_answer *answer)
{
    struct upload *upload = context;
    char reason[MACHINE_REASON_SIZE] = "";
    int error = machine()->image_end(upload->upload, complete, reason, sizeof(reason));

    if (upload->error == 0 && error != 0) {
        upload->error = error;
        memcpy(upload->reason, reason, sizeof(reason));
    }
    if (upload->error == 0 && !complete) {
        upload->error = -EINVAL;
        snprintf(upload->reason, sizeof(upload->reason), "the upload broke off after %lu bytes",
                 upload->bytes);
    }
    redfish_answer_with(request, answer, upload->error != 0 ? refuse_upload : tell_upload, upload);
    kfree(upload);
}

const struct http_upload redfish_image_upload = {
    .begin = begin_upload, .data = take_upload, .end = end_upload};
