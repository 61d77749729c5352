#include "manage/redfish/messages.h"

#include <stdio.h>
#include <string.h>

#define BASE      "Base.1.13."
#define INNKEEPER "Innkeeper.1.0."
#define TEXT_SIZE 1024

enum severity { OK, WARNING, CRITICAL };

struct definition {
    const char *name;
    const char *text; /* %1 .. %3 stand for arguments */
    const char *resolution;
    unsigned status;
    enum severity severity;
};

static const char correct_it[] = "Correct the request body and resubmit the request.";
static const char correct_property[] =
    "Correct the value of the property in the request body and resubmit the request.";
static const char correct_parameter[] =
    "Correct the parameter of the action and resubmit the request.";
static const char correct_query[] = "Correct the query parameter and resubmit the request.";
static const char nothing_to_do[] = "None.";

static const struct definition definitions[MESSAGE_IDS] = {
    [MESSAGE_SUCCESS] = {"Success", "The request completed successfully.", nothing_to_do, 200, OK},
    [MESSAGE_CREATED] = {"Created", "The resource was created successfully.", nothing_to_do, 201,
                         OK},
    [MESSAGE_GENERAL_ERROR] = {"GeneralError",
                               "A general error has occurred. See Resolution for information on "
                               "how to resolve the error.",
                               correct_it, 400, CRITICAL},
    [MESSAGE_INTERNAL_ERROR] = {"InternalError",
                                "The request failed due to an internal service error. The service "
                                "is still operational.",
                                "Resubmit the request.", 500, CRITICAL},
    [MESSAGE_UNAVAILABLE] = {"ServiceTemporarilyUnavailable",
                             "The service is temporarily unavailable. Retry in %1 seconds.",
                             "Wait for the indicated retry duration and retry the operation.", 503,
                             CRITICAL},
    [MESSAGE_NO_VALID_SESSION] = {"NoValidSession",
                                  "There is no valid session established with the "
                                  "implementation.",
                                  "Establish a session before attempting any operations.", 401,
                                  CRITICAL},
    [MESSAGE_INSUFFICIENT_PRIVILEGE] = {"InsufficientPrivilege",
                                        "There are insufficient privileges for the account or "
                                        "credentials associated with the current session to "
                                        "perform the requested operation.",
                                        "Use an account with the role Administrator.", 403,
                                        CRITICAL},
    [MESSAGE_WRONG_CREDENTIALS] = {"ResourceAtUriUnauthorized",
                                   "While accessing the resource at '%1', the service received an "
                                   "authorization error '%2'.",
                                   "Ensure that the user name and password are right.", 401,
                                   CRITICAL},
    [MESSAGE_MISSING] = {"ResourceMissingAtURI", "The resource at the URI '%1' was not found.",
                         "Place a valid resource at the URI or correct the URI and resubmit the "
                         "request.",
                         404, CRITICAL},
    [MESSAGE_NOT_FOUND] = {"ResourceNotFound",
                           "The requested resource of type '%1' named '%2' was not found.",
                           "Provide a valid resource identifier and resubmit the request.", 404,
                           CRITICAL},
    [MESSAGE_METHOD_NOT_ALLOWED] = {"OperationNotAllowed",
                                    "The HTTP method is not allowed on this resource.",
                                    "Use one of the methods that the Allow header names.", 405,
                                    CRITICAL},
    [MESSAGE_PAYLOAD_TOO_LARGE] = {"PayloadTooLarge",
                                   "The supplied payload exceeds the limit of the service.",
                                   "Reduce the size of the request body and resubmit the request.",
                                   413, WARNING},
    [MESSAGE_MEDIA_TYPE] = {"HeaderInvalid", "Header '%1' is invalid.",
                            "Send the body as Content-Type: application/json.", 415, CRITICAL},
    [MESSAGE_PRECONDITION_FAILED] = {"PreconditionFailed",
                                     "The ETag supplied did not match the ETag required to change "
                                     "this resource.",
                                     "Read the resource again, and try the operation with the ETag "
                                     "that it has now.",
                                     412, CRITICAL},
    [MESSAGE_MALFORMED_JSON] = {"MalformedJSON",
                                "The request body submitted was malformed JSON and could not be "
                                "parsed by the receiving service.",
                                "Ensure that the request body is valid JSON and resubmit the "
                                "request.",
                                400, CRITICAL},
    [MESSAGE_EMPTY_JSON] = {"EmptyJSON",
                            "The request body submitted contained an empty JSON object and the "
                            "service is unable to process it.",
                            "Add properties in the JSON object and resubmit the request.", 400,
                            WARNING},
    [MESSAGE_UNRECOGNIZED_BODY] = {"UnrecognizedRequestBody",
                                   "The service detected a malformed request body that it was "
                                   "unable to interpret.",
                                   correct_it, 400, WARNING},
    [MESSAGE_PROPERTY_UNKNOWN] = {"PropertyUnknown",
                                  "The property '%1' is not in the list of valid properties for "
                                  "the resource.",
                                  "Remove the unknown property from the request body and resubmit "
                                  "the request.",
                                  400, WARNING},
    [MESSAGE_PROPERTY_DUPLICATE] = {"PropertyDuplicate",
                                    "The property '%1' was duplicated in the request.",
                                    "Remove the duplicate property from the request body and "
                                    "resubmit the request.",
                                    400, WARNING},
    [MESSAGE_PROPERTY_MISSING] = {"PropertyMissing",
                                  "The property '%1' is a required property and must be included "
                                  "in the request.",
                                  "Ensure that the property is in the request body and has a valid "
                                  "value and resubmit the request.",
                                  400, WARNING},
    [MESSAGE_PROPERTY_NOT_WRITABLE] = {"PropertyNotWritable",
                                       "The property '%1' is a read-only property and cannot be "
                                       "assigned a value.",
                                       "Remove the property from the request body and resubmit the "
                                       "request.",
                                       400, WARNING},
    [MESSAGE_PROPERTY_TYPE] = {"PropertyValueTypeError",
                               "The value '%1' for the property '%2' is not a type that the "
                               "property can accept.",
                               correct_property, 400, WARNING},
    [MESSAGE_PROPERTY_FORMAT] = {"PropertyValueFormatError",
                                 "The value '%1' for the property '%2' is not a format that the "
                                 "property can accept.",
                                 correct_property, 400, WARNING},
    [MESSAGE_PROPERTY_NOT_IN_LIST] = {"PropertyValueNotInList",
                                      "The value '%1' for the property '%2' is not in the list of "
                                      "acceptable values.",
                                      "Choose a value from the list that the property's "
                                      "AllowableValues annotation gives.",
                                      400, WARNING},
    [MESSAGE_PROPERTY_OUT_OF_RANGE] = {"PropertyValueOutOfRange",
                                       "The value '%1' for the property '%2' is not in the "
                                       "supported range of acceptable values.",
                                       correct_property, 400, WARNING},
    [MESSAGE_PROPERTY_CONFLICT] = {"PropertyValueConflict",
                                   "The property '%1' could not be written because its value would "
                                   "conflict with the value of the '%2' property.",
                                   "Give both properties values that go together.", 400, WARNING},
    [MESSAGE_PARAMETER_UNKNOWN] = {"ActionParameterUnknown",
                                   "The action '%1' was submitted with the invalid parameter "
                                   "'%2'.",
                                   correct_parameter, 400, WARNING},
    [MESSAGE_PARAMETER_DUPLICATE] = {"ActionParameterDuplicate",
                                     "The action '%1' was submitted with more than one value for "
                                     "the parameter '%2'.",
                                     correct_parameter, 400, WARNING},
    [MESSAGE_PARAMETER_MISSING] = {"ActionParameterMissing",
                                   "The action '%1' requires the parameter '%2' to be present in "
                                   "the request body.",
                                   correct_parameter, 400, CRITICAL},
    [MESSAGE_PARAMETER_TYPE] = {"ActionParameterValueTypeError",
                                "The value '%1' for the parameter '%2' in the action '%3' is not a "
                                "type that the parameter can accept.",
                                correct_parameter, 400, WARNING},
    [MESSAGE_PARAMETER_NOT_IN_LIST] = {"ActionParameterValueNotInList",
                                       "The value '%1' for the parameter '%2' in the action '%3' "
                                       "is not in the list of acceptable values.",
                                       correct_parameter, 400, WARNING},
    [MESSAGE_QUERY_NOT_SUPPORTED] = {"QueryNotSupported",
                                     "Querying is not supported by the implementation.",
                                     "Remove the query parameters and resubmit the request.", 501,
                                     WARNING},
    [MESSAGE_QUERY_NOT_SUPPORTED_HERE] = {"QueryNotSupportedOnResource",
                                          "Querying is not supported on the requested resource.",
                                          "Remove the query parameters and resubmit the request.",
                                          400, WARNING},
    [MESSAGE_QUERY_VALUE] = {"QueryParameterValueFormatError",
                             "The value '%1' for the parameter '%2' is not a format that the "
                             "parameter can accept.",
                             correct_query, 400, WARNING},
    [MESSAGE_QUERY_OUT_OF_RANGE] = {"QueryParameterOutOfRange",
                                    "The value '%1' for the query parameter '%2' is out of range "
                                    "'%3'.",
                                    correct_query, 400, WARNING},
    [MESSAGE_ALREADY_EXISTS] = {"ResourceAlreadyExists",
                                "The requested resource of type '%1' with the property '%2' with "
                                "the value '%3' already exists.",
                                "Do not repeat the create operation as the resource has already "
                                "been created.",
                                409, CRITICAL},
    [MESSAGE_IN_USE] = {"ResourceInUse",
                        "The change to the requested resource failed because the resource is in "
                        "use or in transition.",
                        "Remove the condition and resubmit the request if the operation failed.",
                        409, WARNING},
    [MESSAGE_LIMIT_EXCEEDED] = {"CreateLimitReachedForResource",
                                "The create operation failed because the resource has reached the "
                                "limit of possible resources.",
                                "Either delete resources and resubmit the request if the operation "
                                "failed or do not resubmit the request.",
                                507, CRITICAL},
    [MESSAGE_CANNOT_DELETE] = {"ResourceCannotBeDeleted",
                               "The delete request failed because the resource requested cannot be "
                               "deleted.",
                               "Do not attempt to delete a non-deletable resource.", 405, CRITICAL},
    [MESSAGE_SESSION_LIMIT] = {"SessionLimitExceeded",
                               "The session establishment failed due to the number of simultaneous "
                               "sessions exceeding the limit of the implementation.",
                               "Wait, and try again.", 503, CRITICAL},
    [MESSAGE_REFUSED] = {"Refused", "%1", "Remove the cause and resubmit the request.", 409,
                         CRITICAL},
    [MESSAGE_DESCRIPTION] = {"Invalid", "%1", correct_it, 400, WARNING},
    [MESSAGE_TASK_FAILED] = {"TaskFailed", "%1", "Remove the cause and start the task again.", 500,
                             CRITICAL},
    [MESSAGE_EVENT] = {"Event", "%1", nothing_to_do, 200, OK},
    [MESSAGE_UNTIL_BOOT] = {"LastsUntilBoot",
                            "The change to %1 is done and lasts until the machine starts again: "
                            "there is no storage for it.",
                            "Put what is to stay into the configuration that the machine is "
                            "started with.",
                            200, WARNING},
};

static const char *severity_name(enum severity severity)
{
    static const char *const names[] = {"OK", "Warning", "Critical"};

    return names[severity];
}

static bool is_ours(enum message_id id)
{
    return id >= MESSAGE_REFUSED;
}

static unsigned argument_count(const char *text)
{
    unsigned count = 0;

    for (; (text = strchr(text, '%')) != NULL; text++) {
        unsigned number = (unsigned)(text[1] - '0');
        count = number > count ? number : count;
    }
    return count;
}

unsigned message_status(enum message_id id)
{
    return definitions[id].status;
}

/* The text with its arguments. */
static void fill_in(const struct message *message, char text[TEXT_SIZE])
{
    size_t used = 0;

    for (const char *c = definitions[message->id].text; *c != '\0' && used < TEXT_SIZE - 1; c++) {
        if (*c != '%') {
            text[used++] = *c;
            continue;
        }
        const char *argument = message->arguments[*++c - '1'];
        size_t length = strlen(argument);
        length = length < TEXT_SIZE - 1 - used ? length : TEXT_SIZE - 1 - used;
        memcpy(text + used, argument, length);
        used += length;
    }
    text[used] = '\0';
}

static void write_id(struct json_writer *json, const char *key, enum message_id id)
{
    json_add_format(json, key, "%s%s", is_ours(id) ? INNKEEPER : BASE, definitions[id].name);
}

void message_write_members(struct json_writer *json, const struct message *message)
{
    const struct definition *definition = &definitions[message->id];
    char text[TEXT_SIZE];

    write_id(json, "MessageId", message->id);
    fill_in(message, text);
    json_add_string(json, "Message", text);
    json_add_array(json, "MessageArgs");
    for (unsigned i = 0; i < argument_count(definition->text); i++) {
        json_put_string(json, message->arguments[i]);
    }
    json_end_array(json);
    json_add_string(json, "Severity", severity_name(definition->severity));
    json_add_string(json, "MessageSeverity", severity_name(definition->severity));
}

void message_write(struct json_writer *json, const struct message *message)
{
    json_begin_object(json);
    json_add_string(json, "@odata.type", "#Message.v1_1_2.Message");
    message_write_members(json, message);
    if (message->related[0] != '\0') {
        json_add_array(json, "RelatedProperties");
        json_put_string(json, message->related);
        json_end_array(json);
    }
    json_add_string(json, "Resolution", definitions[message->id].resolution);
    json_end_object(json);
}

void message_write_body(struct json_writer *json, const struct message *messages, unsigned count)
{
    char text[TEXT_SIZE];

    json_begin_object(json);
    json_add_object(json, "error");
    write_id(json, "code", messages[0].id);
    fill_in(&messages[0], text);
    json_add_string(json, "message", text);
    json_add_array(json, "@Message.ExtendedInfo");
    for (unsigned i = 0; i < count; i++) {
        message_write(json, &messages[i]);
    }
    json_end_array(json);
    json_end_object(json);
    json_end_object(json);
}

void message_write_registry(struct json_writer *json)
{
    json_add_string(json, "Id", "Innkeeper.1.0.0");
    json_add_string(json, "Name", "Innkeeper Message Registry");
    json_add_string(json, "Language", "en");
    json_add_string(json, "Description", "What Innkeeper says of VMs, images and tasks");
    json_add_string(json, "RegistryPrefix", "Innkeeper");
    json_add_string(json, "RegistryVersion", "1.0.0");
    json_add_string(json, "OwningEntity", "Innkeeper");
    json_add_object(json, "Messages");
    for (enum message_id id = MESSAGE_REFUSED; id < MESSAGE_IDS; id++) {
        const struct definition *definition = &definitions[id];

        json_add_object(json, definition->name);
        json_add_string(json, "Description", "Says in words what is wrong");
        json_add_string(json, "Message", definition->text);
        json_add_string(json, "Severity", severity_name(definition->severity));
        json_add_string(json, "MessageSeverity", severity_name(definition->severity));
        json_add_number(json, "NumberOfArgs", argument_count(definition->text));
        json_add_array(json, "ParamTypes");
        json_put_string(json, "string");
        json_end_array(json);
        json_add_string(json, "Resolution", definition->resolution);
        json_end_object(json);
    }
    json_end_object(json);
}
