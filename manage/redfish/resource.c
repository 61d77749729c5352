#include "manage/redfish/resource.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "manage/redfish/call.h"
#include "manage/redfish/resources.h"
#include "manage/redfish/schemas.h"

#define SECOND      UINT64_C(1000000000)
#define YEAR_2000   (UINT64_C(946684800) * SECOND) /* of a clock that somebody has set */
#define DAY_SECONDS 86400u

/* Takes a segment of the path: up to a slash or the end. */
static size_t segment_length(const char *path)
{
    const char *slash = strchr(path, '/');

    return slash != NULL ? (size_t)(slash - path) : strlen(path);
}

/* Whether the pattern names this path; if so, what stands for its stars. */
static bool match(const char *pattern, const char *path, struct redfish_target *target)
{
    char *name = target->name;

    while (*pattern != '\0' && *path != '\0') {
        size_t wanted = segment_length(pattern);
        size_t length = segment_length(path);

        if (wanted == 1 && *pattern == '*') {
            if (length >= REDFISH_NAME_SIZE) {
                return false;
            }
            memcpy(name, path, length);
            name[length] = '\0';
            name = target->second; /* no pattern has more */
        } else if (wanted != length || strncmp(pattern, path, length) != 0) {
            return false;
        }
        pattern += wanted + (pattern[wanted] == '/' ? 1 : 0);
        path += length + (path[length] == '/' ? 1 : 0);
    }
    return *pattern == '\0' && *path == '\0';
}

bool redfish_find(const struct redfish_call *call, const char *path, struct redfish_target *target)
{
    static const char root[] = REDFISH_ROOT;

    if (strlen(path) >= REDFISH_PATH_SIZE || strncmp(path, root, sizeof(root) - 1) != 0) {
        return false;
    }
    bool is_root = path[sizeof(root) - 1] == '\0'; /* which alone has a slash at its end */
    snprintf(target->path, sizeof(target->path), "%s", is_root ? REDFISH_ROOT "/" : path);
    path += sizeof(root) - 1;
    if (*path == '/') {
        path++;
    } else if (*path != '\0') {
        return false;
    }
    for (unsigned i = 0; i < redfish_table_count; i++) {
        const struct redfish_resources *resources = redfish_tables[i];

        for (unsigned k = 0; k < resources->count; k++) {
            const struct redfish_resource *resource = &resources->table[k];

            if (match(resource->pattern, path, target)) {
                target->resource = resource;
                return resource->find == NULL || resource->find(call, target);
            }
        }
    }
    return false;
}

void redfish_header(struct redfish_call *call, unsigned schema, const char *id, const char *name)
{
    schema_write_type(&call->json, (enum schema)schema);
    json_add_string(&call->json, "Id", id);
    json_add_string(&call->json, "Name", name);
}

/* The resource in place of the link to it; false: there is none, or no memory. */
static bool put_resource(struct redfish_call *call, const char *path)
{
    struct json_writer *json = &call->json;
    const struct json_writer before = *json;
    bool links = call->links;
    uint64_t members = call->members;

    call->level++;
    struct redfish_target *target = redfish_target(call);
    bool found =
        target != NULL && redfish_find(call, path, target) && target->resource->get != NULL;
    if (found) {
        call->links = false;
        json->hash = JSON_HASH_BEGIN;
        json->ignored = 0;
        redfish_write_object(call, target);
        json->hash = before.hash;
        json->ignored = before.ignored;
        json->selection = before.selection;
        call->links = links;
        call->members = members;
    }
    call->level--;
    return found;
}

static void put_path(struct redfish_call *call, const char *path)
{
    bool expand = call->level < call->expand_levels &&
                  (call->links ? call->expand_links : call->expand_subordinate);

    if (expand && put_resource(call, path)) {
        return;
    }
    json_begin_object(&call->json);
    json_add_string(&call->json, "@odata.id", path);
    json_end_object(&call->json);
}

static void format_path(char path[REDFISH_PATH_SIZE], const char *format, va_list arguments)
{
    static const char root[] = REDFISH_ROOT "/";

    memcpy(path, root, sizeof(root));
    vsnprintf(path + sizeof(root) - 1, REDFISH_PATH_SIZE - (sizeof(root) - 1), format, arguments);
}

void redfish_link(struct redfish_call *call, const char *key, const char *format, ...)
{
    char path[REDFISH_PATH_SIZE];
    va_list arguments;

    va_start(arguments, format);
    format_path(path, format, arguments);
    va_end(arguments);
    json_key(&call->json, key);
    put_path(call, path);
}

void redfish_put_link(struct redfish_call *call, const char *format, ...)
{
    char path[REDFISH_PATH_SIZE];
    va_list arguments;

    va_start(arguments, format);
    format_path(path, format, arguments);
    va_end(arguments);
    put_path(call, path);
}

void redfish_begin_links(struct redfish_call *call)
{
    json_add_object(&call->json, "Links");
    call->links = true;
}

void redfish_end_links(struct redfish_call *call)
{
    json_end_object(&call->json);
    call->links = false;
}

void redfish_begin_members(struct redfish_call *call, unsigned schema, const char *name)
{
    schema_write_type(&call->json, (enum schema)schema);
    json_add_string(&call->json, "Name", name);
    json_add_array(&call->json, "Members");
    call->members = 0;
}

bool redfish_wants_member(struct redfish_call *call)
{
    uint64_t index = call->members++;

    /* What is paged is the collection that was asked for, not one within it. */
    return call->level > 0 || (index >= call->skip && index - call->skip < call->top);
}

void redfish_member(struct redfish_call *call, const char *format, ...)
{
    char path[REDFISH_PATH_SIZE];
    va_list arguments;

    if (redfish_wants_member(call)) {
        va_start(arguments, format);
        format_path(path, format, arguments);
        va_end(arguments);
        put_path(call, path);
    }
}

void redfish_end_members(struct redfish_call *call, const struct redfish_target *target)
{
    json_end_array(&call->json);
    json_add_number(&call->json, "Members@odata.count", call->members);
    if (call->level == 0 && call->skip < call->members && call->top < call->members - call->skip) {
        json_add_format(&call->json, "Members@odata.nextLink", "%s?$skip=%lu&$top=%lu",
                        target->path, call->skip + call->top, call->top);
    }
}

void redfish_put_status(struct redfish_call *call, const char *state, const char *health)
{
    json_add_object(&call->json, "Status");
    json_add_string(&call->json, "State", state);
    json_add_string(&call->json, "Health", health);
    json_end_object(&call->json);
}

const struct machine_host *redfish_host(struct redfish_call *call)
{
    if (!call->host_known) {
        machine()->host(&call->host);
        call->host_known = true;
    }
    return &call->host;
}

/* Year, month and day of a day number since 1970, by the rules of the Gregorian calendar since
 * 2000-03-01: with February at the end of a year, months have fixed places in it. */
static void civil_date(uint64_t day, unsigned *year, unsigned *month, unsigned *date)
{
    const uint64_t days_400 = 146097;
    const uint64_t march_2000 = 11017;
    uint64_t rest = day - march_2000;
    uint64_t era = rest / days_400;

    rest %= days_400;
    uint64_t of_era = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    uint64_t of_year = rest - (365 * of_era + of_era / 4 - of_era / 100);
    uint64_t from_march = (5 * of_year + 2) / 153;

    *date = (unsigned)(of_year - (153 * from_march + 2) / 5 + 1);
    *month = (unsigned)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = (unsigned)(2000 + era * 400 + of_era + (*month <= 2 ? 1 : 0));
}

bool redfish_format_time(const struct machine_host *host, uint64_t when,
                         char text[REDFISH_TIME_SIZE])
{
    unsigned year;
    unsigned month;
    unsigned date;
    uint64_t seconds = (host->wall_clock - host->uptime + when) / SECOND;
    unsigned of_day = (unsigned)(seconds % DAY_SECONDS);

    /* The first two months of 2000 are before the dates that are reckoned with. */
    if (host->wall_clock < YEAR_2000 || seconds / DAY_SECONDS < 11017) {
        return false;
    }
    civil_date(seconds / DAY_SECONDS, &year, &month, &date);
    snprintf(text, REDFISH_TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", year, month, date,
             of_day / 3600, of_day / 60 % 60, of_day % 60);
    return true;
}

void redfish_put_time(struct redfish_call *call, const char *key, uint64_t when)
{
    char text[REDFISH_TIME_SIZE];

    if (redfish_format_time(redfish_host(call), when, text)) {
        json_add_string(&call->json, key, text);
    }
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    /* The final NUL, too: it separates. */
    for (size_t i = 0; i <= strlen(text); i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 29;
}

void redfish_put_uuid(struct redfish_call *call, const char *kind, const char *name)
{
    const struct net_status *network = &redfish_host(call)->network;
    char mac[2 * NIC_MAC_SIZE + 1] = "";
    uint64_t half[2];

    /* The address of its interface is what no other machine has. */
    for (size_t i = 0; network->name != NULL && i < NIC_MAC_SIZE; i++) {
        snprintf(mac + 2 * i, 3, "%02x", (unsigned)network->mac[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        half[i] = hash_text(JSON_HASH_BEGIN + i, mac);
        half[i] = hash_text(hash_text(half[i], kind), name);
    }
    /* RFC 9562: version 8, made in a way of one's own. */
    json_add_format(&call->json, "UUID", "%08lx-%04lx-8%03lx-%04lx-%012lx", half[0] >> 32,
                    half[0] >> 16 & 0xffff, half[0] & 0xfff, (half[1] >> 48 & 0x3fff) | 0x8000,
                    half[1] & 0xffffffffffff);
}

void redfish_audit(const struct redfish_call *call, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    access_audit(&call->request->who, call->request->peer, "%s", text);
}
