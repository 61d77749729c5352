/*
 * What can be wrong with a request, in the words of Redfish's Base message registry and, where it
 * is about VMs and images, in those of our own; and the body of an answer that says so.
 */
#ifndef MANAGE_REDFISH_MESSAGES_H
#define MANAGE_REDFISH_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "manage/redfish/json_writer.h"

#define MESSAGE_ARGUMENTS     3u
#define MESSAGE_ARGUMENT_SIZE 320u
#define MESSAGE_RELATED_SIZE  96u

enum message_id {
    /* Base */
    MESSAGE_SUCCESS,
    MESSAGE_CREATED,
    MESSAGE_GENERAL_ERROR,
    MESSAGE_INTERNAL_ERROR,
    MESSAGE_UNAVAILABLE,
    MESSAGE_NO_VALID_SESSION,
    MESSAGE_INSUFFICIENT_PRIVILEGE,
    MESSAGE_WRONG_CREDENTIALS, /* user */
    MESSAGE_MISSING,           /* path */
    MESSAGE_NOT_FOUND,         /* type, name */
    MESSAGE_METHOD_NOT_ALLOWED,
    MESSAGE_PAYLOAD_TOO_LARGE,
    MESSAGE_MEDIA_TYPE, /* the header's value, the header's name */
    MESSAGE_PRECONDITION_FAILED,
    MESSAGE_MALFORMED_JSON,
    MESSAGE_EMPTY_JSON,
    MESSAGE_UNRECOGNIZED_BODY,
    MESSAGE_PROPERTY_UNKNOWN,      /* name */
    MESSAGE_PROPERTY_DUPLICATE,    /* name */
    MESSAGE_PROPERTY_MISSING,      /* name */
    MESSAGE_PROPERTY_NOT_WRITABLE, /* name */
    MESSAGE_PROPERTY_TYPE,         /* value, name */
    MESSAGE_PROPERTY_FORMAT,       /* value, name */
    MESSAGE_PROPERTY_NOT_IN_LIST,  /* value, name */
    MESSAGE_PROPERTY_OUT_OF_RANGE, /* value, name */
    MESSAGE_PROPERTY_CONFLICT,     /* name, other name */
    MESSAGE_PARAMETER_UNKNOWN,     /* action, name */
    MESSAGE_PARAMETER_DUPLICATE,   /* action, name */
    MESSAGE_PARAMETER_MISSING,     /* action, name */
    MESSAGE_PARAMETER_TYPE,        /* value, name, action */
    MESSAGE_PARAMETER_NOT_IN_LIST, /* value, name, action */
    MESSAGE_QUERY_NOT_SUPPORTED,
    MESSAGE_QUERY_NOT_SUPPORTED_HERE,
    MESSAGE_QUERY_VALUE,        /* value, name */
    MESSAGE_QUERY_OUT_OF_RANGE, /* value, name, range */
    MESSAGE_ALREADY_EXISTS,     /* type, property, value */
    MESSAGE_IN_USE,
    MESSAGE_LIMIT_EXCEEDED,
    MESSAGE_CANNOT_DELETE,
    MESSAGE_SESSION_LIMIT,
    /* Innkeeper: the reason in full */
    MESSAGE_REFUSED,
    MESSAGE_DESCRIPTION,
    MESSAGE_TASK_FAILED,
    MESSAGE_EVENT,
    MESSAGE_UNTIL_BOOT, /* what: a change that is done, and will not last */
    MESSAGE_IDS
};

/* One thing that is wrong. */
struct message {
    enum message_id id;
    char arguments[MESSAGE_ARGUMENTS][MESSAGE_ARGUMENT_SIZE];
    char related[MESSAGE_RELATED_SIZE]; /* JSON pointer to the property, "#/Boot"; "" if there is
                                           none */
};

/** The HTTP status that goes with it. */
unsigned message_status(enum message_id id);

/** As an object: an element of ExtendedInfo, or of a task's Messages. */
void message_write(struct json_writer *json, const struct message *message);
/** The members of an event that say what happened. */
void message_write_members(struct json_writer *json, const struct message *message);
/** The whole body of an answer that says what went wrong. */
void message_write_body(struct json_writer *json, const struct message *messages, unsigned count);

/** The members of our message registry. */
void message_write_registry(struct json_writer *json);

#endif
