/*
 * How a Redfish request is served: its path names a resource in one of the tables of resources, and
 * that writes itself as JSON, or does what is asked. Here is what the resources need for it: links,
 * which become the resource itself where $expand asks for it; collections with $skip and $top;
 * refusals.
 */
#ifndef MANAGE_REDFISH_RESOURCE_H
#define MANAGE_REDFISH_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/http/http.h"
#include "manage/machine.h"
#include "manage/redfish/json_writer.h"
#include "manage/redfish/messages.h"

#define REDFISH_ROOT         "/redfish/v1"
#define REDFISH_HOST_ID      "innkeeper" /* the host among managers and chassis */
#define REDFISH_PATH_SIZE    160u
#define REDFISH_NAME_SIZE    64u /* of a segment that a path names something by */
#define REDFISH_EXPAND_MAX   3u  /* levels */
#define REDFISH_MESSAGES_MAX 6u
#define REDFISH_SELECT_SIZE  512u
#define REDFISH_TIME_SIZE    48u

/* What a path names. */
struct redfish_target {
    const struct redfish_resource *resource;
    char path[REDFISH_PATH_SIZE];
    /* What stands for the stars of the resource's pattern. */
    char name[REDFISH_NAME_SIZE];
    char second[REDFISH_NAME_SIZE];
    /* What `find` found, as it was then. */
    union {
        struct machine_vm vm;
        struct machine_image image;
        struct machine_task task;
        struct access_account account;
        struct access_session session;
    };
};

/* A request that is being served. */
struct redfish_call {
    const struct http_request *request;
    struct http_answer *answer;
    struct json_writer json;
    struct redfish_target *targets[REDFISH_EXPAND_MAX + 1]; /* from the heap; NULL: not yet */

    /* The query. */
    unsigned expand_levels;
    bool expand_links;       /* "~", "*": what Links has */
    bool expand_subordinate; /* ".", "*": all other links */
    uint64_t skip, top;
    bool paged; /* $skip or $top is there */
    struct json_selection selection;
    char select[REDFISH_SELECT_SIZE];

    /* Where the writing is. */
    unsigned level;   /* of expansion */
    bool links;       /* within Links */
    uint64_t members; /* of the collection that is being written, so far; UINT64_MAX: it is none */

    bool host_known;
    struct machine_host host;

    struct message messages[REDFISH_MESSAGES_MAX]; /* what is wrong */
    unsigned message_count;
    unsigned status; /* that goes with it; 0: that of the first message */

    struct message note; /* goes with a resource that was changed */
    bool has_note;

    bool opened; /* a session was: who asks is nobody only so far */
};

typedef void (*redfish_handler)(struct redfish_call *call, struct redfish_target *target);

struct redfish_resource {
    /* Below /redfish/v1; "" is that itself. A segment "*" stands for any. */
    const char *pattern;
    /* Looks up what the path names; false: there is no such thing. NULL: it always is. */
    bool (*find)(const struct redfish_call *call, struct redfish_target *target);
    /* Writes the members of the resource's object. */
    redfish_handler get;
    /* These write the answer, or refuse. NULL: the method is not allowed. */
    redfish_handler post, patch, put, remove;
};

struct redfish_resources {
    const struct redfish_resource *table;
    unsigned count;
};

#define REDFISH_RESOURCES(resources)                                        \
    {                                                                       \
        (resources), (unsigned)(sizeof(resources) / sizeof((resources)[0])) \
    }

/** Where our resources are, for those who look one up by its path. False: there is none. */
bool redfish_find(const struct redfish_call *call, const char *path, struct redfish_target *target);

/* Writing a resource. */

/** @odata.type, Id and Name. `schema` is an enum schema. */
void redfish_header(struct redfish_call *call, unsigned schema, const char *id, const char *name);
/** A member that is a link to the path, below /redfish/v1. */
void redfish_link(struct redfish_call *call, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** An element of an array. */
void redfish_put_link(struct redfish_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** The resource's Links member. */
void redfish_begin_links(struct redfish_call *call);
void redfish_end_links(struct redfish_call *call);
/** @odata.type, Name, and the members, each by redfish_member. */
void redfish_begin_members(struct redfish_call *call, unsigned schema, const char *name);
void redfish_member(struct redfish_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Whether a member that is written in full is one of those asked for; it counts as one. */
bool redfish_wants_member(struct redfish_call *call);
void redfish_end_members(struct redfish_call *call, const struct redfish_target *target);
/** Status with State and Health. */
void redfish_put_status(struct redfish_call *call, const char *state, const char *health);
/** A time in ns since boot as date and time; left out while nobody knows the date. */
void redfish_put_time(struct redfish_call *call, const char *key, uint64_t when);
/** The same as text; false if nobody knows the date. */
bool redfish_format_time(const struct machine_host *host, uint64_t when,
                         char text[REDFISH_TIME_SIZE]);
/** A UUID that stays the same for what has this name, of this kind, on this machine. */
void redfish_put_uuid(struct redfish_call *call, const char *kind, const char *name);

/** The host; asked once in a request. */
const struct machine_host *redfish_host(struct redfish_call *call);

/* Answers. */

/** Something is wrong: what `id` needs as arguments, and the property it is about, as a JSON
 * pointer
 * ("" if there is none). The answer is that when the handler returns. */
void redfish_refuse(struct redfish_call *call, enum message_id id, const char *related,
                    const char *first, const char *second, const char *third);
/** A function of the machine or of access refused with this error and reason. */
void redfish_refuse_errno(struct redfish_call *call, int error, const char *reason);
/** A change that is done comes with this to know; before the answer. */
void redfish_note(struct redfish_call *call, enum message_id id, const char *first);
/** The resource that the path names, as it is now, with this status. */
void redfish_answer_resource(struct redfish_call *call, const char *path, unsigned status);
/** As it is after a change. */
void redfish_answer_changed(struct redfish_call *call, const struct redfish_target *target);
/** 201 with Location. */
void redfish_answer_created(struct redfish_call *call, const char *path);
/** 202 with the task. */
void redfish_answer_task(struct redfish_call *call, uint64_t task);
/** 204. */
void redfish_answer_nothing(struct redfish_call *call);

/** Logs who did it. */
void redfish_audit(const struct redfish_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
