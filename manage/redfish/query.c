#include "manage/redfish/query.h"

#include <stdio.h>
#include <string.h>

static const char *const known[] = {"$expand", "$select", "$skip", "$top"};

static bool is_key(const char *text, size_t length, const char *key)
{
    if (*key == '$' && length >= 3 && strncmp(text, "%24", 3) == 0) {
        return strlen(key) == length - 2 && strncmp(text + 3, key + 1, length - 3) == 0;
    }
    return strlen(key) == length && strncmp(text, key, length) == 0;
}

/* What Redfish has and we have not is refused, rather than answered as if it were not there; other
 * keys mean nothing. */
static void refuse_unsupported(struct redfish_call *call)
{
    const char *at = call->request->query;

    while (*at != '\0') {
        const char *end = strchr(at, '&');
        const char *next = end != NULL ? end + 1 : at + strlen(at);
        const char *equals = strchr(at, '=');
        size_t length = (size_t)((end != NULL ? end : next) - at);
        bool found = false;

        if (equals != NULL && (size_t)(equals - at) < length) {
            length = (size_t)(equals - at);
        }
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            found = found || is_key(at, length, known[i]);
        }
        bool theirs = *at == '$' || strncmp(at, "%24", 3) == 0 || is_key(at, length, "only") ||
                      is_key(at, length, "excerpt");
        if (theirs && !found) {
            redfish_refuse(call, MESSAGE_QUERY_NOT_SUPPORTED, "", NULL, NULL, NULL);
            return;
        }
        at = next;
    }
}

static bool read_number(struct redfish_call *call, const char *key, uint64_t *number)
{
    char text[32];
    uint64_t value = 0;

    if (!http_query(call->request, key, text, sizeof(text))) {
        return false;
    }
    for (const char *c = text; *c != '\0' || c == text; c++) {
        if (*c < '0' || *c > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value)) {
            redfish_refuse(call, MESSAGE_QUERY_VALUE, "", text, key, NULL);
            return false;
        }
    }
    *number = value;
    return true;
}

/* ".", "*" or "~", and how deep: ".($levels=2)". */
static void read_expand(struct redfish_call *call)
{
    static const char levels[] = "($levels=";
    char text[32];

    if (!http_query(call->request, "$expand", text, sizeof(text))) {
        return;
    }
    unsigned depth = 1;
    const char *rest = text + (*text != '\0' ? 1 : 0);
    if (strncmp(rest, levels, sizeof(levels) - 1) == 0) {
        rest += sizeof(levels) - 1;
        depth = (unsigned)(*rest - '0');
        rest += *rest != '\0' && strcmp(rest + 1, ")") == 0 ? 2 : 0;
    }
    if (*rest != '\0' || strchr(".*~", *text) == NULL || *text == '\0' || depth > 9) {
        redfish_refuse(call, MESSAGE_QUERY_VALUE, "", text, "$expand", NULL);
        return;
    }
    if (depth < 1 || depth > REDFISH_EXPAND_MAX) {
        redfish_refuse(call, MESSAGE_QUERY_OUT_OF_RANGE, "", text, "$expand", "1-3");
        return;
    }
    call->expand_levels = depth;
    call->expand_links = *text != '.';
    call->expand_subordinate = *text != '~';
}

static void read_select(struct redfish_call *call)
{
    struct json_selection *selection = &call->selection;

    if (!http_query(call->request, "$select", call->select, sizeof(call->select))) {
        return;
    }
    for (char *at = call->select; at != NULL;) {
        char *comma = strchr(at, ',');

        if (comma != NULL) {
            *comma = '\0';
        }
        if (*at == '\0' || selection->count == JSON_SELECTION_MAX) {
            redfish_refuse(call, MESSAGE_QUERY_VALUE, "", at, "$select", NULL);
            return;
        }
        selection->paths[selection->count++] = at;
        at = comma != NULL ? comma + 1 : NULL;
    }
}

void redfish_read_query(struct redfish_call *call)
{
    call->top = UINT64_MAX;
    if (call->request->query[0] == '\0') {
        return;
    }
    refuse_unsupported(call);
    bool skips = read_number(call, "$skip", &call->skip);
    bool tops = read_number(call, "$top", &call->top);
    call->paged = skips || tops;
    read_expand(call);
    read_select(call);
}
