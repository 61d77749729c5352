/*
 * The serving of requests, as far as those who write resources need not know it.
 */
#ifndef MANAGE_REDFISH_CALL_H
#define MANAGE_REDFISH_CALL_H

#include "manage/redfish/resource.h"

/** Serves a request to any path of ours. */
void redfish_handle(const struct http_request *request, struct http_answer *answer);
/** Says in Redfish's way what the HTTP server found wrong. */
void redfish_handle_error(const struct http_request *request, struct http_answer *answer,
                          unsigned status, const char *reason);

/** Makes an answer with a call, for those who have no handler's. */
void redfish_answer_with(const struct http_request *request, struct http_answer *answer,
                         void (*write)(struct redfish_call *call, void *context), void *context);

/** The body of an answer, `context`, as a json_writer extends it. */
char *redfish_extend_answer(void *context, size_t length);
/** Room for a target at this level of expansion; NULL if there is no memory. */
struct redfish_target *redfish_target(struct redfish_call *call);
/** Writes the whole object; the hash that its ETag is of. */
uint64_t redfish_write_object(struct redfish_call *call, struct redfish_target *target);

#endif
