#include "manage/redfish/properties.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/json.h"

#define VALUE_SIZE   64 /* how much of a wrong value a message shows */
#define POINTER_SIZE 200

struct reader {
    struct redfish_call *call;
    const char *action;
    struct json json;
    char *out;
    uint32_t present;
    char pointer[MESSAGE_RELATED_SIZE]; /* to the object that is being read */
};

/* A value as it stands in the body, shortened. */
static const char *quote(const struct reader *reader, json_value value, char text[VALUE_SIZE])
{
    const jsmntok_t *token = &reader->json.tokens[value];
    size_t length = (size_t)(token->end - token->start);
    bool cut = length >= VALUE_SIZE;

    length = cut ? VALUE_SIZE - 4 : length;
    memcpy(text, reader->json.text + token->start, length);
    snprintf(text + length, VALUE_SIZE - length, "%s", cut ? "..." : "");
    return text;
}

static void make_pointer(const struct reader *reader, const char *name, char pointer[POINTER_SIZE])
{
    snprintf(pointer, POINTER_SIZE, "%s/%s", reader->pointer, name);
}

/* The name is wrong. */
static void refuse_name(struct reader *reader, const char *name, enum message_id property,
                        enum message_id parameter)
{
    char pointer[POINTER_SIZE];

    make_pointer(reader, name, pointer);
    if (reader->action != NULL) {
        redfish_refuse(reader->call, parameter, pointer, reader->action, name, NULL);
    } else {
        redfish_refuse(reader->call, property, pointer, name, NULL, NULL);
    }
}

/* The value is wrong. */
static void refuse_value(struct reader *reader, const char *name, json_value value,
                         enum message_id property, enum message_id parameter)
{
    char pointer[POINTER_SIZE];
    char text[VALUE_SIZE];

    make_pointer(reader, name, pointer);
    redfish_refuse(reader->call, reader->action != NULL ? parameter : property, pointer,
                   quote(reader, value, text), name, reader->action);
}

static bool is_null(const struct reader *reader, json_value value)
{
    return json_type(&reader->json, value) == JSMN_PRIMITIVE &&
           reader->json.text[reader->json.tokens[value].start] == 'n';
}

static void read_text(struct reader *reader, const struct property *property, json_value value)
{
    char *out = reader->out + property->offset;
    const char *const *allowed = property->values;

    if (property->nullable && is_null(reader, value)) {
        out[0] = '\0';
        return;
    }
    int length = json_string(&reader->json, value, out, property->size);
    if (length < 0) {
        bool is_text = json_type(&reader->json, value) == JSMN_STRING;
        /* What is longer than all that are allowed is none of them. */
        enum message_id id = !is_text          ? MESSAGE_PROPERTY_TYPE
                             : allowed != NULL ? MESSAGE_PROPERTY_NOT_IN_LIST
                                               : MESSAGE_PROPERTY_FORMAT;
        refuse_value(reader, property->name, value, id,
                     is_text && allowed != NULL ? MESSAGE_PARAMETER_NOT_IN_LIST
                                                : MESSAGE_PARAMETER_TYPE);
        return;
    }
    if (allowed == NULL) {
        return;
    }
    for (; *allowed != NULL; allowed++) {
        if (strcmp(*allowed, out) == 0) {
            return;
        }
    }
    refuse_value(reader, property->name, value, MESSAGE_PROPERTY_NOT_IN_LIST,
                 MESSAGE_PARAMETER_NOT_IN_LIST);
}

static void read_number(struct reader *reader, const struct property *property, json_value value)
{
    uint64_t number;
    int error = json_unsigned(&reader->json, value, &number);

    if (error == 0 && number >= property->min && number <= property->max) {
        memcpy(reader->out + property->offset, &number, sizeof(number));
        return;
    }
    refuse_value(reader, property->name, value,
                 error == -EINVAL ? MESSAGE_PROPERTY_TYPE : MESSAGE_PROPERTY_OUT_OF_RANGE,
                 MESSAGE_PARAMETER_TYPE);
}

static void read_object(struct reader *reader, const struct property *properties, unsigned count,
                        json_value object);

static void read_members(struct reader *reader, const struct property *property, json_value value)
{
    size_t length = strlen(reader->pointer);

    if (json_type(&reader->json, value) != JSMN_OBJECT) {
        refuse_value(reader, property->name, value, MESSAGE_PROPERTY_TYPE, MESSAGE_PARAMETER_TYPE);
        return;
    }
    snprintf(reader->pointer + length, sizeof(reader->pointer) - length, "/%s", property->name);
    read_object(reader, property->members, property->member_count, value);
    reader->pointer[length] = '\0';
}

static void read_property(struct reader *reader, const struct property *property, json_value value)
{
    reader->present |= property->present;
    switch (property->type) {
    case PROPERTY_TEXT:
        read_text(reader, property, value);
        break;
    case PROPERTY_NUMBER:
        read_number(reader, property, value);
        break;
    case PROPERTY_BOOL:
        if (json_bool(&reader->json, value, (bool *)(reader->out + property->offset)) != 0) {
            refuse_value(reader, property->name, value, MESSAGE_PROPERTY_TYPE,
                         MESSAGE_PARAMETER_TYPE);
        }
        break;
    case PROPERTY_OBJECT:
        read_members(reader, property, value);
        break;
    case PROPERTY_READ_ONLY:
        refuse_name(reader, property->name, MESSAGE_PROPERTY_NOT_WRITABLE,
                    MESSAGE_PARAMETER_UNKNOWN);
        break;
    }
}

/* Index of the property with that name; `count` if there is none. */
static unsigned find_property(const struct property *properties, unsigned count, const char *name)
{
    unsigned i = 0;

    while (i < count && strcmp(properties[i].name, name) != 0) {
        i++;
    }
    return i;
}

static void read_object(struct reader *reader, const struct property *properties, unsigned count,
                        json_value object)
{
    const struct json *json = &reader->json;
    json_value key = object + 1;
    uint32_t seen = 0;

    for (unsigned i = 0; i < json_size(json, object); i++, key = json_next(json, key + 1)) {
        char name[VALUE_SIZE];

        if (json_string(json, key, name, sizeof(name)) < 0) {
            quote(reader, key, name);
        }
        /* What a client got with the resource, and sends back. */
        if (strncmp(name, "@odata.", 7) == 0) {
            continue;
        }
        unsigned index = find_property(properties, count, name);
        if (index == count) {
            refuse_name(reader, name, MESSAGE_PROPERTY_UNKNOWN, MESSAGE_PARAMETER_UNKNOWN);
            continue;
        }
        if ((seen & 1u << index) != 0) {
            refuse_name(reader, name, MESSAGE_PROPERTY_DUPLICATE, MESSAGE_PARAMETER_DUPLICATE);
            continue;
        }
        seen |= 1u << index;
        read_property(reader, &properties[index], key + 1);
    }
    for (unsigned i = 0; i < count; i++) {
        if (properties[i].required && (seen & 1u << i) == 0) {
            refuse_name(reader, properties[i].name, MESSAGE_PROPERTY_MISSING,
                        MESSAGE_PARAMETER_MISSING);
        }
    }
}

static void refuse_document(struct redfish_call *call, const struct json_error *error)
{
    char text[160];
    unsigned line;
    unsigned column;

    json_position(call->request->body, error->offset, &line, &column);
    snprintf(text, sizeof(text), "line %u, column %u: %s", line, column, error->message);
    redfish_refuse(call, MESSAGE_MALFORMED_JSON, "", NULL, NULL, NULL);
    redfish_refuse(call, MESSAGE_DESCRIPTION, "", text, NULL, NULL);
}

bool redfish_read_body(struct redfish_call *call, const char *action,
                       const struct property *properties, unsigned count, void *out,
                       uint32_t *present)
{
    struct reader reader = {.call = call, .action = action, .out = out, .pointer = "#"};
    struct json_error error;
    /* An action may be asked for without any parameter. */
    bool empty = action != NULL && call->request->body_length == 0;
    int result = json_parse(&reader.json, empty ? "{}" : call->request->body,
                            empty ? 2 : call->request->body_length, &error);

    *present = 0;
    if (result == -ENOMEM) {
        redfish_refuse(call, MESSAGE_UNAVAILABLE, "", "1", NULL, NULL);
        return false;
    }
    if (result != 0) {
        refuse_document(call, &error);
        return false;
    }
    if (json_type(&reader.json, 0) != JSMN_OBJECT) {
        redfish_refuse(call, MESSAGE_UNRECOGNIZED_BODY, "", NULL, NULL, NULL);
    } else {
        read_object(&reader, properties, count, 0);
        if (action == NULL && json_size(&reader.json, 0) == 0) {
            call->message_count = 0; /* says more than what is missing */
            redfish_refuse(call, MESSAGE_EMPTY_JSON, "", NULL, NULL, NULL);
        }
    }
    json_free(&reader.json);
    *present = reader.present;
    return call->message_count == 0;
}
