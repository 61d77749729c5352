/* What the HTTP server does before it asks a route of Redfish's, for tests that stand in its place.
 */
#ifndef TESTS_UNIT_REDFISH_AS_SERVER_H
#define TESTS_UNIT_REDFISH_AS_SERVER_H

#include "manage/http/http.h"

/** The route of a path, NULL if it has none. */
const struct http_route *find_redfish_route(const char *path);

/** The status with which the server refuses the request by itself; 0 if it asks the route. */
unsigned server_refusal(const struct http_route *route, const struct http_request *request);

#endif
