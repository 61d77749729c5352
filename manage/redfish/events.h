/*
 * Events as they happen.
 */
#ifndef MANAGE_REDFISH_EVENTS_H
#define MANAGE_REDFISH_EVENTS_H

#include "manage/redfish/resource.h"

#define REDFISH_EVENTS_PATH REDFISH_ROOT "/EventService/SSE"

/** A stream of server-sent events (ServerSentEventUri), from the one after Last-Event-ID on. */
void redfish_answer_events(const struct http_request *request, struct http_answer *answer);

#endif
